//! Equipment, changes of subscriptions and resets through a whole network, by clause.

use heiiki::Lab;
use heiiki::lab::AdminOf;
use heiiki::plan::EquipmentCheck;
use heiiki_types::Method;
use serde_json::Value;

use crate::prelude::*;

fn lab(check: EquipmentCheck) -> Lab {
    acme()
        .with_network(|n| n.equipment_check = check)
        .sim("pc-1", "acme")
        .build()
        .unwrap()
}

fn call(lab: &mut Lab, method: Method, target: &str, body: &str) -> Value {
    let response = lab.admin(AdminOf::Hss, method, target, body);
    assert!(response.status < 300, "{target}: {}", response.status);
    serde_json::from_slice(&response.body).unwrap_or_default()
}

/// The equipment that the HSS was told of.
fn seen(lab: &mut Lab) -> String {
    let target = format!("/v1/subscribers/{}/equipment", lab.imsi("pc-1"));
    let shown = call(lab, Method::Get, &target, "");
    String::from(shown["seen"].as_str().unwrap())
}

fn rejected_with(lab: &Lab, wanted: u8) -> bool {
    mme(lab).any(|e| {
        matches!(e, heiiki_mme::Event::AttachRejected { cause, protected: true, .. } if *cause == wanted)
    })
}

/// TS 29.272 §7.2.19, TS 24.301 §A.1: equipment on the black list gets cause 6, on the grey list
/// service, and the MME that does not ask is no way around the black list.
#[test]
fn ts_29_272_7_2_19_black_equipment_is_refused() {
    let mut lab = lab(EquipmentCheck::Ask);
    lab.attach("pc-1").unwrap();
    let imei = seen(&mut lab);
    assert!(lab.detach("pc-1", false));
    lab.run_for(s(5));
    let target = format!("/v1/equipment/{imei}");
    call(&mut lab, Method::Put, &target, r#"{"list":"grey"}"#);
    lab.attach("pc-1").unwrap();
    assert!(lab.detach("pc-1", false));
    lab.run_for(s(5));
    call(&mut lab, Method::Put, &target, r#"{"list":"black"}"#);
    assert!(lab.attach("pc-1").is_err());
    assert!(rejected_with(&lab, 6));
    assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
}

#[test]
fn ts_29_272_7_2_19_the_black_list_holds_without_s13() {
    let mut lab = lab(EquipmentCheck::Off);
    lab.attach("pc-1").unwrap();
    let imei = seen(&mut lab);
    assert!(lab.detach("pc-1", false));
    lab.run_for(s(5));
    let target = format!("/v1/equipment/{imei}");
    call(&mut lab, Method::Put, &target, r#"{"list":"black"}"#);
    assert!(lab.attach("pc-1").is_err());
    assert!(rejected_with(&lab, 8));
}

/// A SIM that is bound to other equipment: refused, and an alarm; bound to its own: served.
#[test]
fn a_sim_moved_to_other_equipment_is_refused() {
    let mut lab = lab(EquipmentCheck::Off);
    let target = format!("/v1/subscribers/{}/equipment", lab.imsi("pc-1"));
    let other = r#"{"binding":{"to":"49015420323751"}}"#;
    call(&mut lab, Method::Put, &target, other);
    assert!(lab.attach("pc-1").is_err());
    let alarm = |e: &heiiki_hss::Event| {
        matches!(
            e,
            heiiki_hss::Event::EquipmentRefused {
                why: "bound_elsewhere",
                ..
            }
        )
    };
    assert!(hss(&lab).any(alarm));
}

#[test]
fn a_sim_bound_to_the_first_equipment_stays_served_in_it() {
    let mut lab = lab(EquipmentCheck::Ask);
    let target = format!("/v1/subscribers/{}/equipment", lab.imsi("pc-1"));
    call(
        &mut lab,
        Method::Put,
        &target,
        r#"{"binding":"first_seen"}"#,
    );
    for _ in 0..2 {
        lab.attach("pc-1").unwrap();
        assert!(lab.detach("pc-1", false));
        lab.run_for(s(5));
    }
    let imei = call(&mut lab, Method::Get, &target, "")["binding"]["to"].clone();
    assert!(imei.is_string(), "{imei}");
}

/// TS 29.272 §5.2.4.1: after a reset the UE keeps its session and is registered anew when it is
/// next heard of; here, when it detaches.
#[test]
fn ts_29_272_5_2_4_1_a_reset_disturbs_nobody() {
    let mut lab = lab(EquipmentCheck::Off);
    lab.attach("pc-1").unwrap();
    let begun = call(&mut lab, Method::Post, "/v1/resets", r#"{"prefixes":[]}"#);
    assert_eq!(begun["requests"], 1);
    lab.run_for(s(5));
    let marked = |e: &heiiki_mme::Event| matches!(e, heiiki_mme::Event::HssReset { ues: 1, .. });
    assert!(mme(&lab).any(marked));
    assert_eq!(sessions(&mut lab, "pc-1").len(), 1);
    assert_works(&mut lab, "pc-1", "after a reset");
    assert!(lab.detach("pc-1", false));
    lab.run_for(s(5));
    assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
}
