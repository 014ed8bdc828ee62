//! What an MME is told of a subscriber, TS 29.272 §7.3.2.

use core::net::IpAddr;

use heiiki_diameter::s6a::{
    ApnConfiguration, ApnConfigurationProfile, PdnType, ServiceSelection, SubscriptionData,
};

use super::{SubscribedApn, Subscriber, Subscribers};

/// Subscriber-Status: service granted (TS 29.272 §7.3.29).
const SERVICE_GRANTED: u32 = 0;
/// Network-Access-Mode: packets only (TS 29.272 §7.3.21).
const ONLY_PACKET: u32 = 2;
/// VPLMN-Dynamic-Address-Allowed: never; the closed gateway is at home (TS 29.272 §7.3.38).
const NOT_ALLOWED: u32 = 0;

/// The whole profile: the first access point is the default one.
pub(crate) fn subscription_data(store: &Subscribers, subscriber: &Subscriber) -> SubscriptionData {
    let apns = store.apns(subscriber);
    let apns = (1..).zip(&apns).map(configuration).collect();
    SubscriptionData {
        subscriber_status: Some(SERVICE_GRANTED),
        msisdn: subscriber.msisdn,
        network_access_mode: Some(ONLY_PACKET),
        ue_ambr: store.profile(subscriber).map(|p| p.ue_ambr),
        apn_profile: Some(ApnConfigurationProfile {
            default_context: 1,
            all_apn_included: true,
            apns,
        }),
        ..SubscriptionData::default()
    }
}

fn configuration((context, entry): (u32, &SubscribedApn)) -> ApnConfiguration {
    ApnConfiguration {
        context,
        apn: ServiceSelection::Apn(entry.apn.clone()),
        pdn_type: PdnType::V4,
        served_party_ips: entry.static_ip.into_iter().map(IpAddr::V4).collect(),
        qci: entry.qci,
        arp: entry.arp,
        ambr: Some(entry.ambr),
        charging_characteristics: None,
        pgw: None,
        pgw_allocation: None,
        vplmn_dynamic_address: Some(NOT_ALLOWED),
    }
}
