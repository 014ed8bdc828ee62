use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Ambr, Msisdn};

use super::ApnConfigurationProfile;
use crate::avp::{Avp, AvpRef, to_tbcd};
use crate::dictionary as d;
use crate::fields::{Fault, Fields, Value};
use crate::result::{AnswerError, ResultCode};

/// The most zones of one subscriber (TS 29.272 §7.3.2).
const MAX_ZONES: usize = 10;

/// Subscription-Data, TS 29.272 §7.3.2: what an MME needs to know of a subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionData {
    /// Subscriber-Status: 0 granted, 1 barred by the operator.
    pub subscriber_status: Option<u32>,
    /// The number of the subscriber.
    pub msisdn: Option<Msisdn>,
    /// Network-Access-Mode: 0 packet and circuit, 2 packet only.
    pub network_access_mode: Option<u32>,
    /// Operator-Determined-Barring, see [`odb`](super::odb).
    pub odb: Option<u32>,
    /// HPLMN-ODB: what the home network bars in addition (TS 29.272 §7.3.22).
    pub hplmn_odb: Option<u32>,
    /// Regional-Subscription-Zone-Code: the zones that the subscriber may be in, at most ten
    /// (TS 29.272 §7.3.52). Empty: everywhere.
    pub zones: Vec<[u8; 2]>,
    /// Access-Restriction-Data, see [`restriction`](super::restriction).
    pub access_restriction: Option<u32>,
    /// APN-OI-Replacement: the domain in which gateways are looked up (TS 29.272 §7.3.32).
    pub apn_oi_replacement: Option<String>,
    /// 3GPP-Charging-Characteristics.
    pub charging_characteristics: Option<u16>,
    /// AMBR of the UE over all APNs.
    pub ue_ambr: Option<Ambr>,
    /// The APNs of the subscriber.
    pub apn_profile: Option<ApnConfigurationProfile>,
    /// RAT-Frequency-Selection-Priority-ID, 1 to 256 (TS 29.272 §7.3.46).
    pub rfsp: Option<u32>,
    /// Subscribed-Periodic-RAU-TAU-Timer, in seconds.
    pub subscribed_rau_tau_timer_s: Option<u32>,
}

impl SubscriptionData {
    /// The AVP.
    pub fn to_avp(&self) -> Avp {
        let number = |def: &d::AvpDef, n: Option<u32>| n.map(|n| Avp::u32(def, n));
        let zones = self.zones.iter();
        let barring = [
            number(&d::SUBSCRIBER_STATUS, self.subscriber_status),
            self.msisdn
                .map(|m| Avp::octets(&d::MSISDN, to_tbcd(m.digits()))),
            number(&d::NETWORK_ACCESS_MODE, self.network_access_mode),
            number(&d::OPERATOR_DETERMINED_BARRING, self.odb),
            number(&d::HPLMN_ODB, self.hplmn_odb),
        ];
        let zones = zones.map(|z| Some(Avp::octets(&d::REGIONAL_SUBSCRIPTION_ZONE_CODE, *z)));
        let service = [
            number(&d::ACCESS_RESTRICTION_DATA, self.access_restriction),
            self.apn_oi_replacement
                .as_ref()
                .map(|t| Avp::text(&d::APN_OI_REPLACEMENT, t)),
            self.charging_characteristics.map(charging_to_avp),
            self.ue_ambr.map(ambr_to_avp),
            self.apn_profile
                .as_ref()
                .map(ApnConfigurationProfile::to_avp),
            number(&d::RAT_FREQUENCY_SELECTION_PRIORITY_ID, self.rfsp),
            number(
                &d::SUBSCRIBED_PERIODIC_RAU_TAU_TIMER,
                self.subscribed_rau_tau_timer_s,
            ),
        ];
        let members: Vec<Avp> = barring
            .into_iter()
            .chain(zones)
            .chain(service)
            .flatten()
            .collect();
        Avp::group(&d::SUBSCRIPTION_DATA, &members)
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let charging: Option<Charging> = f.optional(&d::TGPP_CHARGING_CHARACTERISTICS)?;
        let zones: Vec<[u8; 2]> = f.repeated(&d::REGIONAL_SUBSCRIPTION_ZONE_CODE)?;
        if let Some(zone) = zones.get(MAX_ZONES) {
            return Err(AnswerError::avp(
                ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
                Avp::octets(&d::REGIONAL_SUBSCRIPTION_ZONE_CODE, *zone),
            ));
        }
        Ok(Self {
            subscriber_status: f.optional(&d::SUBSCRIBER_STATUS)?,
            msisdn: f.optional(&d::MSISDN)?,
            network_access_mode: f.optional(&d::NETWORK_ACCESS_MODE)?,
            odb: f.optional(&d::OPERATOR_DETERMINED_BARRING)?,
            hplmn_odb: f.optional(&d::HPLMN_ODB)?,
            zones,
            access_restriction: f.optional(&d::ACCESS_RESTRICTION_DATA)?,
            apn_oi_replacement: f.optional(&d::APN_OI_REPLACEMENT)?,
            charging_characteristics: charging.map(|c| c.0),
            ue_ambr: f.group(&d::AMBR, read_ambr)?,
            apn_profile: f.group(&d::APN_CONFIGURATION_PROFILE, ApnConfigurationProfile::read)?,
            rfsp: f.optional(&d::RAT_FREQUENCY_SELECTION_PRIORITY_ID)?,
            subscribed_rau_tau_timer_s: f.optional(&d::SUBSCRIBED_PERIODIC_RAU_TAU_TIMER)?,
        })
    }
}

/// 3GPP-Charging-Characteristics, TS 29.061 §16.4.7: four hexadecimal digits as text.
pub(super) struct Charging(pub(super) u16);

impl Value for Charging {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        let digits = |t: &&str| t.len() == 4 && t.bytes().all(|c| c.is_ascii_hexdigit());
        avp.as_str()
            .filter(digits)
            .and_then(|t| u16::from_str_radix(t, 16).ok())
            .map(Self)
            .ok_or(Fault::Value)
    }
}

pub(super) fn charging_to_avp(value: u16) -> Avp {
    let text: String = alloc::format!("{value:04x}");
    Avp::text(&d::TGPP_CHARGING_CHARACTERISTICS, &text)
}

/// AMBR, TS 29.272 §7.3.41: bits per second up to the end of 32 bits, kilobits per second beyond.
pub(super) fn ambr_to_avp(ambr: Ambr) -> Avp {
    let plain = |bps: u64| u32::try_from(bps).unwrap_or(u32::MAX);
    let extended = |bps: u64| {
        let kbps = u32::try_from(bps / 1000).unwrap_or(u32::MAX);
        (bps > u64::from(u32::MAX)).then_some(kbps)
    };
    let (up, down) = (ambr.uplink_bps, ambr.downlink_bps);
    let mut members = Vec::with_capacity(4);
    members.push(Avp::u32(&d::MAX_REQUESTED_BANDWIDTH_UL, plain(up)));
    members.push(Avp::u32(&d::MAX_REQUESTED_BANDWIDTH_DL, plain(down)));
    members.extend(extended(up).map(|n| Avp::u32(&d::EXTENDED_MAX_REQUESTED_BW_UL, n)));
    members.extend(extended(down).map(|n| Avp::u32(&d::EXTENDED_MAX_REQUESTED_BW_DL, n)));
    Avp::group(&d::AMBR, &members)
}

pub(super) fn read_ambr(f: &Fields<'_>) -> Result<Ambr, AnswerError> {
    let rate = |plain: u32, extended: Option<u32>| match extended {
        Some(kbps) if plain == u32::MAX => u64::from(kbps) * 1000,
        _ => u64::from(plain),
    };
    Ok(Ambr {
        uplink_bps: rate(
            f.required(&d::MAX_REQUESTED_BANDWIDTH_UL)?,
            f.optional(&d::EXTENDED_MAX_REQUESTED_BW_UL)?,
        ),
        downlink_bps: rate(
            f.required(&d::MAX_REQUESTED_BANDWIDTH_DL)?,
            f.optional(&d::EXTENDED_MAX_REQUESTED_BW_DL)?,
        ),
    })
}
