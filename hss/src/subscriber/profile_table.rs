//! What a SIM may do, apart from what is its own: thousands of SIMs have the same profile, and it is
//! kept once.

use alloc::vec::Vec;

use heiiki_types::{Ambr, Apn, Arp, Qci};

/// The kind of addresses that a SIM gets at an access point, TS 29.272 §7.3.62.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PdnKind {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
    /// Both at once.
    V4V6,
    /// One of the two, as the gateway has them.
    V4OrV6,
}

/// One access point of a profile.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApnSubscription {
    /// The access point name, without operator identifier.
    pub apn: Apn,
    /// The kind of addresses.
    pub pdn: PdnKind,
    /// The bandwidth of all of the SIM's non-GBR bearers there.
    pub ambr: Ambr,
    /// The class of the default bearer.
    pub qci: Qci,
    /// The priority of the default bearer.
    pub arp: Arp,
    /// 3GPP-Charging-Characteristics there (TS 29.061 §16.4.7.2), unless those of the profile hold.
    pub charging_characteristics: Option<u16>,
}

/// What a subscription may have beside its access points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileOptions {
    /// Operator-Determined-Barring, the bits of TS 29.272 §7.3.30; 0 bars nothing.
    pub barring: u32,
    /// Access-Restriction-Data, the bits of TS 29.272 §7.3.31; 0 restricts nothing.
    pub access_restriction: u32,
    /// Subscribed-Periodic-RAU-TAU-Timer in seconds (TS 29.272 §7.3.134).
    pub periodic_update_s: Option<u32>,
    /// 3GPP-Charging-Characteristics (TS 29.061 §16.4.7.2).
    pub charging_characteristics: Option<u16>,
}

/// What many SIMs share.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Profile {
    /// The bandwidth of all non-GBR bearers of the UE.
    pub ue_ambr: Ambr,
    /// The access points, the default one first.
    pub apns: Vec<ApnSubscription>,
    /// Operator-Determined-Barring, the bits of TS 29.272 §7.3.30; 0 bars nothing.
    pub barring: u32,
    /// Access-Restriction-Data, the bits of TS 29.272 §7.3.31; 0 restricts nothing.
    pub access_restriction: u32,
    /// Subscribed-Periodic-RAU-TAU-Timer in seconds (TS 29.272 §7.3.134).
    pub periodic_update_s: Option<u32>,
    /// 3GPP-Charging-Characteristics (TS 29.061 §16.4.7.2).
    pub charging_characteristics: Option<u16>,
}

impl Profile {
    /// What it says beside its access points.
    pub fn options(&self) -> ProfileOptions {
        ProfileOptions {
            barring: self.barring,
            access_restriction: self.access_restriction,
            periodic_update_s: self.periodic_update_s,
            charging_characteristics: self.charging_characteristics,
        }
    }
}
