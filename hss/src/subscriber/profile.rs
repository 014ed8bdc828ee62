//! What an MME is told of a subscriber, TS 29.272 §7.3.2.

use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_diameter::s6a::{
    ApnConfiguration, ApnConfigurationProfile, PdnType, ServiceSelection, SubscriptionData,
};

use super::{ApnSubscription, Gateway, PdnKind, Subscriber, Subscribers};

/// Subscriber-Status: service granted (TS 29.272 §7.3.29).
const SERVICE_GRANTED: u32 = 0;
/// Subscriber-Status: barred by the operator (TS 29.272 §7.3.29).
const BARRED: u32 = 1;
/// PDN-GW-Allocation-Type: the gateway was chosen by an MME (TS 29.272 §7.3.44).
const DYNAMIC: u32 = 1;
/// Network-Access-Mode: packets only (TS 29.272 §7.3.21).
const ONLY_PACKET: u32 = 2;
/// VPLMN-Dynamic-Address-Allowed: never; the closed gateway is at home (TS 29.272 §7.3.38).
const NOT_ALLOWED: u32 = 0;

/// The whole profile: the first access point is the default one.
pub(crate) fn subscription_data(store: &Subscribers, subscriber: &Subscriber) -> SubscriptionData {
    let Some(profile) = store.profile(subscriber) else {
        return SubscriptionData::default();
    };
    let entries = (1..).zip(profile.apns.iter().enumerate());
    let apns = entries.map(|(context, (position, entry))| {
        let gateways = subscriber.gateways();
        let gateway = gateways.iter().find(|g| g.apn == entry.apn);
        let own = subscriber.static_ips(position).collect();
        configuration(context, entry, own, gateway)
    });
    let barred = profile.barring != 0;
    SubscriptionData {
        subscriber_status: Some(if barred { BARRED } else { SERVICE_GRANTED }),
        odb: barred.then_some(profile.barring),
        access_restriction: Some(profile.access_restriction).filter(|bits| *bits != 0),
        charging_characteristics: profile.charging_characteristics,
        subscribed_rau_tau_timer_s: profile.periodic_update_s,
        msisdn: subscriber.msisdn,
        network_access_mode: Some(ONLY_PACKET),
        ue_ambr: Some(profile.ue_ambr),
        apn_profile: Some(ApnConfigurationProfile {
            default_context: 1,
            all_apn_included: true,
            apns: apns.collect(),
        }),
        ..SubscriptionData::default()
    }
}

fn configuration(
    context: u32,
    entry: &ApnSubscription,
    served_party_ips: Vec<IpAddr>,
    gateway: Option<&Gateway>,
) -> ApnConfiguration {
    ApnConfiguration {
        context,
        apn: ServiceSelection::Apn(entry.apn.clone()),
        pdn_type: match entry.pdn {
            PdnKind::V4 => PdnType::V4,
            PdnKind::V6 => PdnType::V6,
            PdnKind::V4V6 => PdnType::V4V6,
            PdnKind::V4OrV6 => PdnType::V4orV6,
        },
        served_party_ips,
        qci: entry.qci,
        arp: entry.arp,
        ambr: Some(entry.ambr),
        charging_characteristics: entry.charging_characteristics,
        pgw: gateway.map(Gateway::identity),
        pgw_allocation: gateway.map(|_| DYNAMIC),
        vplmn_dynamic_address: Some(NOT_ALLOWED),
    }
}
