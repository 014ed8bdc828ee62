use alloc::string::String;
use alloc::vec::Vec;

use heiiki_types::{Ambr, Msisdn};

use super::ApnConfigurationProfile;
use crate::avp::{Avp, AvpRef, to_tbcd};
use crate::dictionary as d;
use crate::fields::{Fault, Fields, Value};
use crate::result::AnswerError;

/// Subscription-Data, TS 29.272 §7.3.2: what an MME needs to know of a subscriber.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionData {
    /// Subscriber-Status: 0 granted, 1 barred by the operator.
    pub subscriber_status: Option<u32>,
    /// The number of the subscriber.
    pub msisdn: Option<Msisdn>,
    /// Network-Access-Mode: 0 packet and circuit, 2 packet only.
    pub network_access_mode: Option<u32>,
    /// Operator-Determined-Barring, a bit mask (TS 29.272 §7.3.30).
    pub odb: Option<u32>,
    /// Access-Restriction-Data, a bit mask (TS 29.272 §7.3.31).
    pub access_restriction: Option<u32>,
    /// 3GPP-Charging-Characteristics.
    pub charging_characteristics: Option<u16>,
    /// AMBR of the UE over all APNs.
    pub ue_ambr: Option<Ambr>,
    /// The APNs of the subscriber.
    pub apn_profile: Option<ApnConfigurationProfile>,
    /// Subscribed-Periodic-RAU-TAU-Timer, in seconds.
    pub subscribed_rau_tau_timer_s: Option<u32>,
}

impl SubscriptionData {
    /// The AVP.
    pub fn to_avp(&self) -> Avp {
        let number = |def: &d::AvpDef, n: Option<u32>| n.map(|n| Avp::u32(def, n));
        let members: Vec<Avp> = [
            number(&d::SUBSCRIBER_STATUS, self.subscriber_status),
            self.msisdn
                .map(|m| Avp::octets(&d::MSISDN, to_tbcd(m.digits()))),
            number(&d::NETWORK_ACCESS_MODE, self.network_access_mode),
            number(&d::OPERATOR_DETERMINED_BARRING, self.odb),
            number(&d::ACCESS_RESTRICTION_DATA, self.access_restriction),
            self.charging_characteristics.map(charging_to_avp),
            self.ue_ambr.map(ambr_to_avp),
            self.apn_profile
                .as_ref()
                .map(ApnConfigurationProfile::to_avp),
            number(
                &d::SUBSCRIBED_PERIODIC_RAU_TAU_TIMER,
                self.subscribed_rau_tau_timer_s,
            ),
        ]
        .into_iter()
        .flatten()
        .collect();
        Avp::group(&d::SUBSCRIPTION_DATA, &members)
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let charging: Option<Charging> = f.optional(&d::TGPP_CHARGING_CHARACTERISTICS)?;
        Ok(Self {
            subscriber_status: f.optional(&d::SUBSCRIBER_STATUS)?,
            msisdn: f.optional(&d::MSISDN)?,
            network_access_mode: f.optional(&d::NETWORK_ACCESS_MODE)?,
            odb: f.optional(&d::OPERATOR_DETERMINED_BARRING)?,
            access_restriction: f.optional(&d::ACCESS_RESTRICTION_DATA)?,
            charging_characteristics: charging.map(|c| c.0),
            ue_ambr: f.group(&d::AMBR, read_ambr)?,
            apn_profile: f.group(&d::APN_CONFIGURATION_PROFILE, ApnConfigurationProfile::read)?,
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
