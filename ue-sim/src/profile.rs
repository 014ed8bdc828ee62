use heiiki_types::{Apn, Duration, Imei};

use crate::timers::TimerValues;

/// What a UE makes of a reject that says the SIM is not welcome (#3, #6, #7, #8) but carries no
/// valid MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectTolerance {
    /// Release 8: it is believed, and the USIM stays invalid until the UE is switched off.
    Rel8,
    /// TS 24.301 §5.3.7b: it is believed for 30 to 60 minutes (T3247), and only a few times.
    T3247,
}

/// The manners of a UE. Shared by many UEs of one kind.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each manner is a switch of its own"
)]
pub struct UeProfile {
    /// The APN to ask for; `None` leaves the choice to the network.
    pub apn: Option<Apn>,
    /// The identity of the equipment, shown on request.
    pub imei: Imei,
    /// Software version digits that complete the IMEISV, 0 to 99.
    pub software_version: u8,
    /// EEA octet of the UE network capability, TS 24.301 §9.9.3.34: bit 8 is EEA0.
    pub eea: u8,
    /// EIA octet of the UE network capability: bit 8 is EIA0, which a UE never announces as usable
    /// for normal service.
    pub eia: u8,
    /// Whether timers start attach attempts by themselves. Off: the lab commands each attempt.
    pub auto_retry: bool,
    /// Whether the UE attaches when it is switched on.
    pub attach_on_power_on: bool,
    /// What an unprotected reject does.
    pub reject_tolerance: RejectTolerance,
    /// How many unprotected rejects of the SIM are forgiven (the counter of TS 24.301 §5.3.7b).
    pub forgiven_rejects: u8,
    /// Whether switching off and on makes an invalid USIM usable again and empties the lists of
    /// forbidden areas.
    pub power_cycle_clears: bool,
    /// Whether the PDN connection is asked for with the ESM information transfer flag, so that APN
    /// and PCO travel ciphered.
    pub esm_information_transfer: bool,
    /// Lengths of the NAS timers.
    pub timers: TimerValues,
    /// Largest IP packet, unless the network announces another size, octets.
    pub mtu: u16,
    /// TCP receive buffer, octets.
    pub tcp_window: u32,
    /// How long a ping, a DNS query or a probe waits for its answer.
    pub probe_timeout: Duration,
    /// How long a whole HTTP fetch may take.
    pub http_timeout: Duration,
}

impl UeProfile {
    /// EEA0 and 128-EEA2.
    pub const EEA_0_2: u8 = 0b1010_0000;
    /// 128-EIA2.
    pub const EIA_2: u8 = 0b0010_0000;

    /// A well-behaved UE whose attach attempts are commanded by the lab.
    pub fn new(imei: Imei) -> Self {
        Self {
            apn: None,
            imei,
            software_version: 1,
            eea: Self::EEA_0_2,
            eia: Self::EIA_2,
            auto_retry: true,
            attach_on_power_on: false,
            reject_tolerance: RejectTolerance::T3247,
            forgiven_rejects: 3,
            power_cycle_clears: true,
            esm_information_transfer: true,
            timers: TimerValues::default(),
            mtu: 1_400,
            tcp_window: 65_535,
            probe_timeout: Duration::from_secs(2),
            http_timeout: Duration::from_mins(1),
        }
    }
}
