//! The equipment identity register: S13, and what it does at a location update.

use heiiki_diameter::s6a::{self, Terminal, UpdateLocationAnswer};
use heiiki_diameter::s13::{
    EQUIPMENT_UNKNOWN, EquipmentStatus, IdentityCheckAnswer, IdentityCheckRequest,
};
use heiiki_diameter::{AnswerResult, ApplicationId};
use heiiki_types::{ConnId, Method};
use serde_json::json;

use super::bench::{Bench, MME1, MME2, REALM, config, imsi, row};
use crate::event::Event;
use crate::{EquipmentPolicy, Otherwise};

const PHONE: &str = "35609204079301";
const OTHER: &str = "49015420323751";

type Checked = (AnswerResult, Option<EquipmentStatus>);

const WHITE: Checked = (AnswerResult::SUCCESS, Some(EquipmentStatus::WHITE));
const GREY: Checked = (AnswerResult::SUCCESS, Some(EquipmentStatus::GREY));
const BLACK: Checked = (AnswerResult::SUCCESS, Some(EquipmentStatus::BLACK));
const UNKNOWN: Checked = (EQUIPMENT_UNKNOWN, None);

impl Bench {
    fn check(
        &mut self,
        conn: ConnId,
        imei: Option<&str>,
        version: Option<&str>,
        n: u32,
    ) -> Checked {
        let request = IdentityCheckRequest {
            session_id: "mme1.example;5;1".into(),
            origin_host: MME1.into(),
            origin_realm: REALM.into(),
            destination_host: None,
            destination_realm: REALM.into(),
            terminal: Terminal {
                imei: imei.map(|i| i.parse().unwrap()),
                software_version: version.map(Into::into),
            },
            imsi: Some(imsi(n)),
            route_record: Vec::new(),
        };
        self.send(conn, request.to_message());
        let message = self.receive(conn);
        assert_eq!(message.application, ApplicationId::S13);
        let answer = IdentityCheckAnswer::from_message(&message).unwrap();
        (answer.result, answer.status)
    }

    fn put(&mut self, target: &str, body: &serde_json::Value) -> u16 {
        let body = serde_json::to_vec(body).unwrap();
        let call = self.http(Method::Put, target, Some("provisioner"), &body);
        self.reply(call).unwrap().0
    }

    fn update_in(&mut self, conn: ConnId, n: u32, imei: Option<&str>) -> AnswerResult {
        let mut request = self.ulr(conn, n);
        request.terminal_information = imei.map(|i| i.parse().unwrap());
        self.send(conn, request.to_message());
        let message = self.receive(conn);
        UpdateLocationAnswer::from_message(&message).unwrap().result
    }
}

fn refusing() -> Bench {
    let mut config = config();
    config.equipment = EquipmentPolicy {
        unknown: Otherwise::Refuse,
        absent: Otherwise::Refuse,
    };
    Bench::with(config, vec![row(1), row(2)])
}

#[test]
fn equipment_is_checked_against_the_lists() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), WHITE);
    assert_eq!(bench.check(conn, None, None, 1), WHITE);
    let list = |name: &str| json!({"list": name, "note": "as the police asked"});
    assert_eq!(bench.put("/v1/equipment/35609204", &list("grey")), 200);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), GREY);
    let target = format!("/v1/equipment/{PHONE}");
    assert_eq!(bench.put(&target, &list("black")), 200);
    assert_eq!(bench.check(conn, Some(PHONE), Some("01"), 1), BLACK);
    assert_eq!(bench.put(&format!("{target}42"), &list("white")), 200);
    assert_eq!(bench.check(conn, Some(PHONE), Some("42"), 1), WHITE);
    assert_eq!(bench.check(conn, Some(PHONE), Some("01"), 1), BLACK);
    // The lists survive, and are shown.
    bench.crash();
    let conn = bench.connect(MME1);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), BLACK);
    let shown = bench.get("/v1/equipment?limit=2");
    assert_eq!(shown["total"], 3);
    assert_eq!(shown["equipment"].as_array().unwrap().len(), 2);
    let next = shown["next"].as_str().unwrap().to_string();
    let rest = bench.get(&format!("/v1/equipment?after={next}"));
    assert_eq!(rest["equipment"].as_array().unwrap().len(), 1);
    let call = bench.http(Method::Delete, &target, Some("provisioner"), b"");
    assert_eq!(bench.replies[&call].status, 204);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), GREY);
    let call = bench.http(Method::Delete, &target, Some("provisioner"), b"");
    assert_eq!(bench.reply(call).unwrap().0, 404);
    assert_eq!(bench.put("/v1/equipment/12", &list("black")), 400);
    assert_eq!(bench.put(&target, &list("purple")), 400);
}

#[test]
fn what_no_list_names_is_the_policy_s() {
    let mut bench = refusing();
    let conn = bench.connect(MME1);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), UNKNOWN);
    assert_eq!(bench.check(conn, None, None, 1), UNKNOWN);
    let white = json!({"list": "white"});
    assert_eq!(bench.put("/v1/equipment/35609204", &white), 200);
    assert_eq!(bench.check(conn, Some(PHONE), None, 1), WHITE);
    // A location update without equipment is a matter for SIMs that are bound only.
    assert_eq!(bench.update_in(conn, 1, None), AnswerResult::SUCCESS);
}

#[test]
fn the_lists_have_a_limit() {
    let mut config = config();
    config.limits.equipment = 2;
    config.limits.equipment_ranges = 1;
    let mut bench = Bench::with(config, vec![row(1)]);
    let list = json!({"list": "black"});
    let range = "/v1/equipment/35609204000000-35609204000099";
    assert_eq!(bench.put(range, &list), 200);
    let another = "/v1/equipment/35609204000000-35609204000098";
    assert_eq!(bench.put(another, &list), 409);
    assert_eq!(bench.put("/v1/equipment/35609204", &list), 200);
    assert_eq!(bench.put("/v1/equipment/35609205", &list), 409);
    assert_eq!(bench.put("/v1/equipment/35609204", &list), 200);
}

#[test]
fn a_black_listed_device_is_refused_at_the_location_update() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let black = json!({"list": "black"});
    bench.put(&format!("/v1/equipment/{PHONE}"), &black);
    assert_eq!(bench.update_in(conn, 1, Some(PHONE)), s6a::USER_UNKNOWN);
    let told = |e: &Event| matches!(e, Event::EquipmentRefused { why: "black", .. });
    assert!(bench.events.iter().any(told));
    assert_eq!(bench.update_in(conn, 1, Some(OTHER)), AnswerResult::SUCCESS);
    assert_eq!(bench.update_in(conn, 1, None), AnswerResult::SUCCESS);
}

/// A SIM that stays where it is first seen: the binding is durable before the answer.
#[test]
fn a_sim_stays_in_the_device_that_it_is_first_seen_in() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    let target = format!("/v1/subscribers/{}/equipment", imsi(1));
    assert_eq!(bench.get(&target)["binding"], "any");
    assert_eq!(bench.put(&target, &json!({"binding": "first_seen"})), 200);
    assert_eq!(bench.update_in(conn, 1, None), AnswerResult::SUCCESS);
    assert_eq!(bench.update_in(conn, 1, Some(PHONE)), AnswerResult::SUCCESS);
    bench.crash();
    let conn = bench.connect(MME1);
    let shown = bench.get(&target);
    assert_eq!(shown["binding"]["to"], PHONE);
    assert_eq!(shown["seen"], PHONE);
    assert_eq!(bench.update_in(conn, 1, Some(OTHER)), s6a::USER_UNKNOWN);
    assert_eq!(bench.check(conn, Some(OTHER), None, 1), BLACK);
    assert_eq!(bench.check(conn, Some(OTHER), None, 2), WHITE);
    let with_check_digit = "356092040793015";
    let answer = bench.update_in(conn, 1, Some(with_check_digit));
    assert_eq!(answer, AnswerResult::SUCCESS);
    // Another MME is no way around it.
    let other = bench.connect(MME2);
    assert_eq!(bench.update_in(other, 1, Some(OTHER)), s6a::USER_UNKNOWN);
    assert_eq!(bench.put(&target, &json!({"binding": "any"})), 200);
    assert_eq!(
        bench.update_in(other, 1, Some(OTHER)),
        AnswerResult::SUCCESS
    );
}

#[test]
fn a_bound_sim_without_a_known_device_is_the_policy_s() {
    let mut bench = refusing();
    let conn = bench.connect(MME1);
    let target = format!("/v1/subscribers/{}/equipment", imsi(1));
    assert_eq!(bench.put(&target, &json!({"binding": {"to": PHONE}})), 200);
    assert_eq!(bench.update_in(conn, 1, None), s6a::USER_UNKNOWN);
    let told = |e: &Event| matches!(e, Event::EquipmentRefused { why: "absent", .. });
    assert!(bench.events.iter().any(told));
    assert_eq!(bench.update_in(conn, 2, None), AnswerResult::SUCCESS);
    assert_eq!(bench.put(&target, &json!({"binding": {"to": "12"}})), 400);
    let unknown = format!("/v1/subscribers/{}/equipment", imsi(99));
    assert_eq!(bench.put(&unknown, &json!({"binding": "any"})), 404);
}
