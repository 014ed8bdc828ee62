//! Changes of a subscription, notifications and resets: TS 29.272 §5.2.2, §5.2.4 and §5.2.5.

use core::time::Duration;

use heiiki_diameter::s6a::{
    self, DeleteSubscriberDataRequest, InsertSubscriberDataRequest, NotifyAnswer, NotifyRequest,
    PgwIdentity, ResetRequest, ServiceSelection, SupportedFeatures, Terminal, alert_reason,
    dsr_flags, feature_list_1, nor_flags, ulr_flags,
};
use heiiki_diameter::{
    AnswerResult, ApplicationId, Avp, CommandCode, Message, ResultCode, dictionary,
};
use heiiki_types::{ConnId, Method};

use super::bench::{Bench, HSS, MME1, MME2, REALM, imsi};
use crate::event::Event;

impl Bench {
    /// Changes the number of a SIM, as a provisioning call would.
    fn renumber(&mut self, n: u32, msisdn: Option<&str>) {
        let before = self.hss.told(imsi(n));
        let subscriber = self.hss.subscribers.by_imsi_mut(imsi(n)).unwrap();
        subscriber.msisdn = msisdn.map(|m| m.parse().unwrap());
        self.hss.profile_changed(self.now, imsi(n), before.as_ref());
        self.hss.settle(self.now);
        self.drain();
    }

    fn answer(&mut self, conn: ConnId, request: &Message, host: &str, result: AnswerResult) {
        let mut answer = request.answer();
        let text = |def, value: &str| Avp::text(def, value);
        let session = request.session_id();
        answer
            .avps
            .extend(session.map(|id| text(&dictionary::SESSION_ID, id)));
        answer.avps.extend([
            result.to_avp(),
            text(&dictionary::ORIGIN_HOST, host),
            text(&dictionary::ORIGIN_REALM, REALM),
        ]);
        self.send(conn, answer);
    }

    fn notify(&mut self, conn: ConnId, request: &NotifyRequest) -> AnswerResult {
        self.send(conn, request.to_message());
        let message = self.receive(conn);
        NotifyAnswer::from_message(&message).unwrap().result
    }
}

fn nor(host: &str, n: u32) -> NotifyRequest {
    NotifyRequest {
        session_id: format!("{host};9;{n}"),
        origin_host: host.into(),
        origin_realm: REALM.into(),
        destination_host: Some(HSS.into()),
        destination_realm: REALM.into(),
        imsi: imsi(n),
        terminal: Terminal::default(),
        pgw: None,
        context: None,
        apn: None,
        alert_reason: None,
        ue_srvcc_capability: None,
        nor_flags: None,
        supported_features: Vec::new(),
        route_record: Vec::new(),
    }
}

fn pgw(address: &str) -> PgwIdentity {
    PgwIdentity {
        addresses: vec![address.parse().unwrap()],
        host: Some("pgw1.example".into()),
        realm: Some(REALM.into()),
    }
}

/// §5.2.2.1: a registered SIM's MME is told of the whole new profile, once, and not of no change.
#[test]
fn a_changed_subscription_is_inserted_at_the_mme() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.renumber(1, Some("819000000000"));
    assert_eq!(bench.try_receive(conn), None, "it is registered nowhere");
    bench.attach(conn, 1);
    bench.renumber(1, Some("819000000000"));
    assert_eq!(bench.try_receive(conn), None, "nothing has changed");
    bench.renumber(1, Some("819000000001"));
    let message = bench.receive(conn);
    let request = InsertSubscriberDataRequest::from_message(&message).unwrap();
    assert_eq!(request.destination_host, MME1);
    assert_eq!(request.imsi, imsi(1));
    let data = request.subscription;
    assert_eq!(data.msisdn, Some("819000000001".parse().unwrap()));
    assert!(data.apn_profile.unwrap().all_apn_included);
    bench.answer(conn, &message, MME1, AnswerResult::SUCCESS);
    bench.advance(Duration::from_mins(5));
    let idrs = |b: &Bench| {
        let sent = |e: &&Event| matches!(e, Event::UpdateSent { request: "idr", .. });
        b.events.iter().filter(sent).count()
    };
    assert_eq!(idrs(&bench), 1);
    assert_eq!(bench.hss.updates.len(), 0);
}

/// §5.2.2.2: what is withdrawn is deleted first, then the rest is sent.
#[test]
fn what_is_withdrawn_is_deleted_at_the_mme() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.renumber(1, None);
    let message = bench.receive(conn);
    let request = DeleteSubscriberDataRequest::from_message(&message).unwrap();
    assert_eq!(request.dsr_flags, dsr_flags::MSISDN);
    assert!(request.contexts.is_empty());
    bench.answer(conn, &message, MME1, AnswerResult::SUCCESS);
    let message = bench.receive(conn);
    let request = InsertSubscriberDataRequest::from_message(&message).unwrap();
    assert_eq!(request.subscription.msisdn, None);
    bench.answer(conn, &message, MME1, AnswerResult::SUCCESS);
    assert_eq!(bench.hss.updates.len(), 0);
    // A node that knows no such request gets the whole profile at once, and if it knows that
    // neither, nothing more.
    bench.renumber(1, Some("819000000002"));
    let message = bench.receive(conn);
    bench.answer(conn, &message, MME1, AnswerResult::SUCCESS);
    bench.renumber(1, None);
    for command in [
        CommandCode::DELETE_SUBSCRIBER_DATA,
        CommandCode::INSERT_SUBSCRIBER_DATA,
    ] {
        let message = bench.receive(conn);
        assert_eq!(message.command, command);
        let unsupported = ResultCode::COMMAND_UNSUPPORTED.into();
        bench.answer(conn, &message, MME1, unsupported);
    }
    assert_eq!(bench.hss.updates.len(), 0);
}

/// An update outlives silence, a lost connection and a crash, and says what is true then.
#[test]
fn an_update_is_sent_until_it_is_answered() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.renumber(1, Some("819000000001"));
    bench.receive(conn);
    bench.advance(Duration::from_secs(6));
    let message = bench.receive(conn);
    assert_eq!(message.command, CommandCode::INSERT_SUBSCRIBER_DATA);
    bench.hang_up(conn);
    bench.crash();
    let subscriber = bench.hss.subscribers.by_imsi_mut(imsi(1)).unwrap();
    subscriber.msisdn = Some("819000000009".parse().unwrap());
    let conn = bench.connect(MME1);
    let message = bench.receive(conn);
    let request = InsertSubscriberDataRequest::from_message(&message).unwrap();
    let msisdn = request.subscription.msisdn;
    assert_eq!(msisdn, Some("819000000009".parse().unwrap()));
    bench.answer(conn, &message, MME1, AnswerResult::SUCCESS);
    bench.crash();
    let conn = bench.connect(MME1);
    assert_eq!(bench.try_receive(conn), None);
}

/// A refusal is tried again a few times; the next location update brings the profile anyway.
#[test]
fn an_mme_that_refuses_is_not_asked_for_ever() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.renumber(1, Some("819000000001"));
    let mut asked = 0;
    for _ in 0..20 {
        while let Some(message) = bench.try_receive(conn) {
            asked += usize::from(message.command == CommandCode::INSERT_SUBSCRIBER_DATA);
            let result = match message.command {
                CommandCode::INSERT_SUBSCRIBER_DATA => ResultCode::UNABLE_TO_COMPLY.into(),
                _ => AnswerResult::SUCCESS,
            };
            bench.answer(conn, &message, MME1, result);
        }
        bench.advance(Duration::from_secs(20));
    }
    assert_eq!(asked, 8);
    assert_eq!(bench.hss.updates.len(), 0);
}

/// A location update voids what was still to be said, and Skip-Subscriber-Data is not heeded while
/// the MME does not know of a change (§7.3.7, bit 2).
#[test]
fn skip_subscriber_data_is_heeded_unless_something_changed() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let skip = |bench: &mut Bench| {
        let mut request = bench.ulr(conn, 1);
        request.ulr_flags = ulr_flags::S6A | ulr_flags::SKIP_SUBSCRIBER_DATA;
        bench.send(conn, request.to_message());
        let message = bench.receive(conn);
        let answer = s6a::UpdateLocationAnswer::from_message(&message).unwrap();
        assert!(answer.result.is_success());
        answer.subscription
    };
    assert_eq!(skip(&mut bench), None);
    bench.renumber(1, Some("819000000001"));
    bench.receive(conn);
    let data = skip(&mut bench).unwrap();
    assert_eq!(data.msisdn, Some("819000000001".parse().unwrap()));
    assert_eq!(bench.hss.updates.len(), 0);
    assert_eq!(skip(&mut bench), None);
}

/// §5.2.5.1: the gateway is kept, and told to the next MME.
#[test]
fn a_chosen_gateway_is_told_to_the_next_mme() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let mut request = nor(MME1, 1);
    request.pgw = Some(pgw("192.0.2.7"));
    request.context = Some(1);
    assert_eq!(bench.notify(conn, &request), AnswerResult::SUCCESS);
    bench.crash();
    let other = bench.connect(MME2);
    let answer = bench.update(other, 1);
    let profile = answer.subscription.unwrap().apn_profile.unwrap();
    assert_eq!(profile.apns[0].pgw, Some(pgw("192.0.2.7")));
    assert_eq!(profile.apns[0].pgw_allocation, Some(1));
    // By its name too, and another one replaces it.
    let mut request = nor(MME2, 1);
    request.pgw = Some(pgw("192.0.2.8"));
    request.apn = Some(ServiceSelection::Apn("corp.acme".parse().unwrap()));
    assert_eq!(bench.notify(other, &request), AnswerResult::SUCCESS);
    let answer = bench.update(other, 1);
    let profile = answer.subscription.unwrap().apn_profile.unwrap();
    assert_eq!(profile.apns[0].pgw, Some(pgw("192.0.2.8")));
}

#[test]
fn a_notification_is_refused_when_it_cannot_be_true() {
    let mut bench = Bench::new();
    let (conn, other) = (bench.connect(MME1), bench.connect(MME2));
    let request = nor(MME1, 99);
    assert_eq!(bench.notify(conn, &request), s6a::USER_UNKNOWN);
    let request = nor(MME1, 1);
    assert_eq!(bench.notify(conn, &request), s6a::UNKNOWN_SERVING_NODE);
    bench.attach(conn, 1);
    assert_eq!(bench.notify(conn, &request), AnswerResult::SUCCESS);
    let request = nor(MME2, 1);
    assert_eq!(bench.notify(other, &request), s6a::UNKNOWN_SERVING_NODE);
    for (context, apn) in [(Some(2), None), (None, Some("other")), (None, None)] {
        let mut request = nor(MME1, 1);
        request.pgw = Some(pgw("192.0.2.7"));
        request.context = context;
        request.apn = apn.map(|a: &str| ServiceSelection::Apn(a.parse().unwrap()));
        let refused = ResultCode::UNABLE_TO_COMPLY.into();
        assert_eq!(bench.notify(conn, &request), refused);
    }
    bench.purge(conn, 1);
    let request = nor(MME1, 1);
    assert_eq!(bench.notify(conn, &request), s6a::UNKNOWN_SERVING_NODE);
}

#[test]
fn an_alert_is_told() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    let told = |b: &Bench| {
        let last = b.events.last().unwrap();
        matches!(
            last,
            Event::Notified {
                reachable: true,
                ..
            }
        )
    };
    let mut request = nor(MME1, 1);
    request.alert_reason = Some(alert_reason::UE_PRESENT);
    bench.notify(conn, &request);
    assert!(told(&bench));
    let mut request = nor(MME1, 1);
    request.nor_flags = Some(nor_flags::S6A | nor_flags::UE_REACHABLE_FROM_MME);
    bench.notify(conn, &request);
    assert!(told(&bench));
    let request = nor(MME1, 1);
    bench.notify(conn, &request);
    assert!(!told(&bench));
}

/// §5.2.4.1: never after an ordinary start; when asked for, to every MME that is known, one by one.
#[test]
fn resets_are_paced_and_survive() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    bench.attach(conn, 1);
    bench.crash();
    let (conn, other) = (bench.connect(MME1), bench.connect(MME2));
    assert_eq!(
        bench.try_receive(conn),
        None,
        "a restart alone resets nothing"
    );
    let prefixes = ["00101".parse().unwrap(), "44020".parse().unwrap()];
    assert_eq!(bench.hss.reset_peers(bench.now, &prefixes), 4);
    bench.drain();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let here = [(conn, MME1), (other, MME2)];
        let mut found = Vec::new();
        for (conn, host) in here {
            while let Some(message) = bench.try_receive(conn) {
                found.push((conn, host, message));
            }
        }
        assert_eq!(found.len(), 1, "one a second");
        let (conn, host, message) = found.remove(0);
        let request = ResetRequest::from_message(&message).unwrap();
        assert_eq!(request.destination_host, host);
        assert_eq!(message.application, ApplicationId::S6A);
        seen.push((host, request.user_ids[0].to_string()));
        bench.answer(conn, &message, host, AnswerResult::SUCCESS);
        bench.advance(Duration::from_secs(1));
    }
    seen.sort();
    let (a, b) = ("00101".to_string(), "44020".to_string());
    assert_eq!(
        seen,
        [(MME1, a.clone()), (MME1, b.clone()), (MME2, a), (MME2, b)]
    );
    assert_eq!(bench.hss.resets.len(), 0);
    // One that is not answered is there after a crash.
    let call = bench.http(
        Method::Post,
        "/v1/resets",
        Some("admin"),
        br#"{"prefixes":[]}"#,
    );
    assert_eq!(bench.reply(call).unwrap().1["requests"], 2);
    bench.crash();
    let conn = bench.connect(MME2);
    let message = bench.receive(conn);
    let request = ResetRequest::from_message(&message).unwrap();
    assert_eq!(request.user_ids, []);
    bench.answer(conn, &message, MME2, AnswerResult::SUCCESS);
    assert_eq!(bench.hss.resets.len(), 1);
    let call = bench.http(
        Method::Post,
        "/v1/resets",
        Some("admin"),
        br#"{"prefixes":["x"]}"#,
    );
    assert_eq!(bench.reply(call).unwrap().0, 400);
}

/// TS 29.229 §7.2.1: features are answered when the request has some.
#[test]
fn features_are_answered() {
    let mut bench = Bench::new();
    let conn = bench.connect(MME1);
    assert_eq!(bench.update(conn, 1).supported_features, []);
    let mut request = bench.ulr(conn, 1);
    request.supported_features = vec![SupportedFeatures::list_1(u32::MAX)];
    bench.send(conn, request.to_message());
    let answer = s6a::UpdateLocationAnswer::from_message(&bench.receive(conn)).unwrap();
    let own = SupportedFeatures::in_list_1(&answer.supported_features).unwrap();
    assert_ne!(own & feature_list_1::ODB_ALL_APN, 0);
    assert_eq!(own & feature_list_1::UE_REACHABILITY_NOTIFICATION, 0);
}
