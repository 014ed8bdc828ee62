use alloc::vec::Vec;

use heiiki_mme::s1::Message;
use heiiki_nas::emm::{self, EmmCause, NetworkDetachType};
use heiiki_nas::esm::{self, Body};
use heiiki_nas::security::{SecurityHeader, peek_header};
use heiiki_nas::{EpsMobileIdentity, GprsTimer2, IdentityType, Ksi, MobileIdentity, Plain};
use heiiki_types::{Rng, from_hex};

use super::*;
use crate::NasProtection;
use crate::RejectTolerance;
use crate::bed::{Bed, profile, pti};
use crate::enb::Input;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn an_attach_by_imsi_then_by_guti_under_the_kept_context() {
    let mut bed = Bed::new();
    let request = bed.request();
    let imsi = "001010000000001".parse().unwrap();
    assert_eq!(request.identity, EpsMobileIdentity::Imsi(imsi));
    assert_eq!(request.ksi, Ksi::NO_KEY);
    bed.authenticate();
    bed.security_mode();
    bed.esm_information(pti(&request));
    bed.accept(pti(&request));
    assert_eq!(bed.ue().state(), EmmState::Registered);
    assert_eq!(bed.ue().timer(Timer::T3410), None);

    bed.command(UeCommand::Detach { switch_off: false });
    let emm::Message::DetachRequestFromUe(detach) = bed.uplink_emm() else {
        panic!();
    };
    assert!(!detach.switch_off);
    assert_eq!(detach.identity, EpsMobileIdentity::Guti(bed.guti()));
    bed.send(&emm::Message::DetachAccept);
    assert_eq!(bed.event(), Event::BearerReleased);
    assert!(matches!(
        bed.event(),
        Event::Detached {
            by_network: false,
            ..
        }
    ));
    bed.release();
    assert_eq!(bed.event(), Event::ConnectionReleased);
    assert!(bed.ue().stack().is_none());

    // The next one is protected, not ciphered, and may be accepted without a new challenge.
    bed.command(UeCommand::Attach);
    let header = match bed.s1.front() {
        Some(Message::InitialUeMessage { nas, .. }) => peek_header(nas).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(header.security_header, SecurityHeader::Integrity);
    assert_eq!(header.sequence_number, Some(4));
    let request = bed.take_request();
    assert_eq!(request.identity, EpsMobileIdentity::Guti(bed.guti()));
    assert_eq!(request.ksi, bed.ksi);
    bed.accept(pti(&request));
    assert!(bed.ue().stack().is_some());
}

#[test]
fn a_wrong_key_is_a_mac_failure_and_the_ue_leaves_when_nobody_explains() {
    let mut bed = Bed::new();
    bed.request();
    bed.milenage = heiiki_hss::auc::milenage::Milenage::new(
        &heiiki_types::Key128::new([9; 16]),
        &heiiki_types::Key128::new([0x22; 16]),
    );
    let challenge = bed.challenge();
    bed.send_plain(&challenge);
    assert_eq!(bed.event(), Event::AuthenticationFailed { cause: 20 });
    let expected = emm::AuthenticationFailure {
        cause: EmmCause::MAC_FAILURE,
        auts: None,
    };
    assert_eq!(
        bed.uplink_emm(),
        emm::Message::AuthenticationFailure(expected)
    );
    assert_eq!(bed.ue().timer(Timer::T3410), None);
    assert!(bed.ue().timer(Timer::T3418).is_some());
    bed.pass(20 * SECOND);
    assert_eq!(
        bed.event(),
        Event::AttachFailed {
            why: "authentication"
        }
    );
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    assert!(matches!(
        bed.event(),
        Event::RetryScheduled { timer: "T3411", .. }
    ));
    bed.pass(10 * SECOND);
    bed.take_request();
}

#[test]
fn three_refused_challenges_in_a_row_end_the_attempt() {
    let mut bed = Bed::new();
    bed.request();
    for (i, amf) in [[0x80, 0], [0, 0], [0x80, 0]].into_iter().enumerate() {
        let seq = [0, 1, 0][i];
        let challenge = bed.challenge_with([7; 16], seq, amf);
        bed.send_plain(&challenge);
        let cause = [21, 26, 21][i];
        assert_eq!(bed.event(), Event::AuthenticationFailed { cause });
        assert!(matches!(
            bed.uplink_emm(),
            emm::Message::AuthenticationFailure(_)
        ));
    }
    assert_eq!(
        bed.event(),
        Event::AttachFailed {
            why: "authentication"
        }
    );
}

#[test]
fn a_stale_number_yields_a_token_that_the_network_can_open() {
    let mut bed = Bed::new();
    bed.attach();
    let (rand, stale) = ([0x55; 16], bed.seq - 1);
    let challenge = bed.challenge_with(rand, stale, [0x80, 0]);
    bed.send(&challenge);
    assert_eq!(bed.event(), Event::AuthenticationFailed { cause: 21 });
    let emm::Message::AuthenticationFailure(failure) = bed.uplink_emm() else {
        panic!();
    };
    let auts = failure.auts.unwrap();
    let sqn_ms = bed
        .milenage
        .f5star(&rand)
        .xor(auts[..6].try_into().unwrap());
    let [_, _, expected @ ..] = (stale << 5).to_be_bytes();
    assert_eq!(sqn_ms, expected);
    assert_eq!(bed.milenage.f1star(&rand, sqn_ms, [0, 0]), auts[6..]);
    assert!(bed.ue().timer(Timer::T3420).is_some());
    // A fresh one is answered, and stops the wait.
    let challenge = bed.challenge();
    bed.send(&challenge);
    assert_eq!(bed.event(), Event::Authenticated);
    assert!(bed.ue().timer(Timer::T3420).is_none());
}

#[test]
fn the_synch_failure_pauses_t3410_until_the_network_is_believed() {
    let mut bed = Bed::new();
    bed.request();
    let challenge = bed.challenge_with([1; 16], 0, [0x80, 0]);
    bed.send_plain(&challenge);
    assert_eq!(bed.ue().timer(Timer::T3410), None);
    bed.event();
    bed.uplink();
    bed.authenticate();
    assert!(bed.ue().timer(Timer::T3410).is_some());
}

#[test]
fn a_repeated_challenge_has_the_same_answer() {
    let mut bed = Bed::new();
    bed.request();
    let challenge = bed.challenge();
    bed.send_plain(&challenge);
    let first = bed.uplink();
    assert_eq!(bed.event(), Event::Authenticated);
    bed.send_plain(&challenge);
    assert_eq!(bed.uplink(), first);
    bed.no_event();
    // After T3416 it is a stale one.
    bed.pass(Duration::from_millis(14_999));
    bed.no_event();
    let mut bed = Bed::with({
        let mut p = profile();
        p.timers = p.timers.with(Timer::T3410, 60 * SECOND);
        p
    });
    bed.request();
    let challenge = bed.challenge();
    bed.send_plain(&challenge);
    bed.pass(30 * SECOND);
    bed.send_plain(&challenge);
    assert_eq!(bed.event(), Event::Authenticated);
    assert_eq!(bed.event(), Event::AuthenticationFailed { cause: 21 });
}

fn refused_command(alter: impl FnOnce(&mut emm::SecurityModeCommand)) -> EmmCause {
    let mut bed = Bed::new();
    bed.request();
    bed.authenticate();
    let mut command = bed.command_message();
    alter(&mut command);
    bed.send_command(command);
    let emm::Message::SecurityModeReject(reject) = bed.uplink_emm() else {
        panic!();
    };
    let cause = reject.cause.0;
    assert_eq!(bed.event(), Event::SecurityModeRejected { cause });
    assert!(bed.ue().security_context().is_none());
    reject.cause
}

#[test]
fn security_modes_that_the_ue_does_not_take() {
    let mismatch = EmmCause::SECURITY_CAPABILITIES_MISMATCH;
    assert_eq!(refused_command(|c| c.eia = 0), mismatch);
    assert_eq!(refused_command(|c| c.eia = 1), mismatch);
    assert_eq!(refused_command(|c| c.eea = 3), mismatch);
    assert_eq!(
        refused_command(|c| c.replayed_capability.eea = 0x80),
        mismatch
    );
    assert_eq!(
        refused_command(|c| c.replayed_capability.eia |= 0x80),
        mismatch
    );
    assert_eq!(
        refused_command(|c| c.replayed_capability.gea = Some(1)),
        mismatch
    );
    let unspecified = EmmCause::SECURITY_MODE_REJECTED;
    assert_eq!(
        refused_command(|c| c.ksi = Ksi::new(5).unwrap()),
        unspecified
    );
    // EEA0 under keys for EEA2 still has a right MAC: KNASint does not depend on it.
    let mut bed = Bed::new();
    bed.request();
    bed.authenticate();
    let mut command = bed.command_message();
    command.eea = 0;
    bed.send_command(command);
    assert_eq!(bed.event(), Event::SecurityModeCompleted { eea: 0, eia: 2 });
}

#[test]
fn a_security_mode_with_a_wrong_mac_is_refused() {
    let mut bed = Bed::new();
    bed.request();
    bed.authenticate();
    let other = bed.challenge_with([0xee; 16], 99, [0x80, 0]);
    let kasme = bed.kasme.replace(Key256::new([1; 32]));
    let command = bed.command_message();
    bed.send_command(command);
    assert_eq!(bed.event(), Event::SecurityModeRejected { cause: 24 });
    bed.uplink();
    // The UE still waits for the true one.
    bed.kasme = kasme;
    bed.security_mode();
    let _ = other;
}

#[test]
fn a_repeated_security_mode_is_answered_again_but_a_replayed_one_is_not() {
    let mut bed = Bed::new();
    bed.request();
    bed.authenticate();
    bed.security_mode();
    let command = emm::Message::SecurityModeCommand(bed.command_message()).encode();
    let context = bed.context.as_mut().unwrap();
    let header = SecurityHeader::IntegrityNewContext;
    let pdu = context
        .protect(Direction::Downlink, header, &command)
        .unwrap();
    bed.downlink(pdu.clone());
    assert!(matches!(
        bed.uplink_emm(),
        emm::Message::SecurityModeComplete(_)
    ));
    bed.event();
    bed.downlink(pdu);
    assert_eq!(bed.event(), Event::SecurityModeRejected { cause: 24 });
}

#[test]
fn a_request_that_was_altered_on_the_way_is_sent_again() {
    let mut bed = Bed::new();
    bed.request();
    bed.authenticate();
    let mut command = bed.command_message();
    command.hash_mme = Some([0; 8]);
    command.imeisv_request = true;
    bed.send_command(command);
    let emm::Message::SecurityModeComplete(complete) = bed.uplink_emm() else {
        panic!();
    };
    assert_eq!(complete.replayed_nas.as_ref(), Some(&bed.request));
    assert_eq!(complete.imeisv, Some("3569380356438001".parse().unwrap()));
}

#[test]
fn a_protected_reject_of_the_sim_lasts_until_the_power_is_cut() {
    for cause in [3, 6, 7, 8] {
        let mut bed = Bed::new();
        bed.secured();
        bed.reject(cause, true);
        assert!(matches!(
            bed.event(),
            Event::AttachRejected { cause: c, protected: true, .. } if c == cause
        ));
        let why = Restriction::UsimInvalid;
        assert_eq!(bed.event(), Event::Restricted { why, until: None });
        assert_eq!(
            (bed.ue().guti(), bed.ue().security_context().is_some()),
            (None, false)
        );
        bed.release();
        bed.event();
        bed.pass(1_440 * MINUTE);
        bed.no_event();
        bed.command(UeCommand::Attach);
        assert_eq!(bed.event(), Event::AttachNotStarted { why });
        bed.silent();
        bed.command(UeCommand::PowerOff);
        assert_eq!(bed.event(), Event::Power { on: false });
        bed.command(UeCommand::PowerOn);
        assert_eq!(bed.event(), Event::Power { on: true });
        bed.request();
    }
}

#[test]
fn an_unprotected_reject_of_the_sim_is_forgotten_after_t3247_a_few_times() {
    let mut bed = Bed::new();
    bed.command(UeCommand::Attach);
    for round in 0..4 {
        bed.take_request();
        bed.reject(8, false);
        assert!(matches!(
            bed.event(),
            Event::AttachRejected {
                cause: 8,
                protected: false,
                ..
            }
        ));
        let Event::Restricted { why, until } = bed.event() else {
            panic!();
        };
        bed.release();
        bed.event();
        if round == 3 {
            // The counter is at its end: the message is believed.
            assert_eq!((why, until), (Restriction::UsimInvalid, None));
            bed.pass(120 * MINUTE);
            bed.no_event();
            return;
        }
        assert_eq!(why, Restriction::T3247);
        let wait = until.unwrap().since(bed.now);
        assert!((30 * MINUTE..60 * MINUTE).contains(&wait), "{wait:?}");
        bed.command(UeCommand::Attach);
        assert_eq!(bed.event(), Event::AttachNotStarted { why });
        bed.until_event();
        assert_eq!(bed.now, until.unwrap());
        assert_eq!(bed.event(), Event::RestrictionLifted);
    }
}

#[test]
fn a_release_8_ue_believes_an_unprotected_reject() {
    let mut bed = Bed::with({
        let mut p = profile();
        p.reject_tolerance = RejectTolerance::Rel8;
        p
    });
    bed.request();
    bed.reject(8, false);
    bed.event();
    let why = Restriction::UsimInvalid;
    assert_eq!(bed.event(), Event::Restricted { why, until: None });
    assert_eq!(bed.ue().timer(Timer::T3247), None);
}

#[test]
fn a_success_resets_what_was_forgiven() {
    let mut bed = Bed::new();
    bed.command(UeCommand::Attach);
    for _ in 0..3 {
        bed.take_request();
        bed.reject(3, false);
        bed.release();
        bed.events.clear();
        bed.until_event();
        assert_eq!(bed.event(), Event::RestrictionLifted);
    }
    let request = bed.take_request();
    bed.authenticate();
    bed.security_mode();
    bed.accept(pti(&request));
    bed.command(UeCommand::PowerOff);
    bed.s1.clear();
    bed.command(UeCommand::PowerOn);
    bed.events.clear();
    bed.request();
    bed.reject(3, false);
    bed.event();
    assert!(matches!(
        bed.event(),
        Event::Restricted {
            why: Restriction::T3247,
            ..
        }
    ));
}

#[test]
fn congestion_with_a_protected_timer_is_obeyed_to_the_second() {
    let mut bed = Bed::new();
    bed.secured();
    let mut reject = emm::AttachReject::new(EmmCause::CONGESTION);
    reject.t3346 = Some(GprsTimer2::from_duration(5 * MINUTE));
    bed.send_reject(reject, true);
    assert!(matches!(
        bed.event(),
        Event::AttachRejected {
            cause: 22,
            protected: true,
            back_off_s: Some(300),
            ..
        }
    ));
    let why = Restriction::T3346;
    let until = Some(bed.now + 5 * MINUTE);
    assert_eq!(bed.event(), Event::Restricted { why, until });
    bed.release();
    bed.event();
    bed.command(UeCommand::Attach);
    assert_eq!(bed.event(), Event::AttachNotStarted { why });
    // Neither does cutting the power help.
    bed.command(UeCommand::PowerOff);
    bed.command(UeCommand::PowerOn);
    bed.events.clear();
    bed.pass(Duration::from_secs(299));
    bed.no_event();
    bed.pass(SECOND);
    assert_eq!(bed.event(), Event::RestrictionLifted);
    bed.take_request();
}

#[test]
fn congestion_without_a_mac_has_a_drawn_timer() {
    let mut bed = Bed::new();
    bed.request();
    let mut reject = emm::AttachReject::new(EmmCause::CONGESTION);
    reject.t3346 = Some(GprsTimer2::from_duration(180 * MINUTE));
    bed.send_reject(reject, false);
    bed.event();
    let Event::Restricted {
        why: Restriction::T3346,
        until,
    } = bed.event()
    else {
        panic!();
    };
    let wait = until.unwrap().since(bed.now);
    assert!((15 * MINUTE..30 * MINUTE).contains(&wait), "{wait:?}");
}

#[test]
fn congestion_without_a_timer_is_an_ordinary_failure() {
    for t3346 in [
        None,
        Some(GprsTimer2::DEACTIVATED),
        Some(GprsTimer2::from_octet(0)),
    ] {
        let mut bed = Bed::new();
        bed.request();
        let mut reject = emm::AttachReject::new(EmmCause::CONGESTION);
        reject.t3346 = t3346;
        bed.send_reject(reject, false);
        assert!(matches!(
            bed.event(),
            Event::AttachRejected {
                back_off_s: None,
                ..
            }
        ));
        assert!(matches!(
            bed.event(),
            Event::RetryScheduled { timer: "T3411", .. }
        ));
    }
}

#[test]
fn five_failures_make_the_ue_forget_its_guti_and_wait_for_t3402() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::Attach);
    assert_eq!(bed.event(), Event::BearerReleased);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    for attempt in 0..5 {
        let request = bed.take_request();
        let by_guti = matches!(request.identity, EpsMobileIdentity::Guti(_));
        assert!(by_guti, "attempt {attempt}");
        bed.reject(17, false);
        bed.event();
        bed.release();
        let Event::RetryScheduled { timer, at } = bed.event() else {
            panic!();
        };
        bed.event();
        let (name, wait) = if attempt < 4 {
            ("T3411", 10 * SECOND)
        } else {
            ("T3402", 12 * MINUTE)
        };
        assert_eq!((timer, at.since(bed.now)), (name, wait));
        bed.pass(wait);
    }
    let request = bed.take_request();
    assert!(matches!(request.identity, EpsMobileIdentity::Imsi(_)));
}

#[test]
fn an_esm_failure_names_its_cause_and_a_protected_t3402_is_used() {
    let mut bed = Bed::new();
    let pti = bed.secured();
    let body = Body::PdnConnectivityReject(esm::PdnConnectivityReject::new(esm::EsmCause(27)));
    let mut reject = emm::AttachReject::new(EmmCause::ESM_FAILURE);
    reject.esm_container = Some(esm::Message { ebi: 0, pti, body }.encode());
    reject.t3402 = Some(GprsTimer2::from_duration(MINUTE));
    bed.send_reject(reject, true);
    assert_eq!(
        bed.event(),
        Event::AttachRejected {
            cause: 19,
            esm_cause: Some(27),
            protected: true,
            back_off_s: None
        }
    );
    assert!(matches!(
        bed.event(),
        Event::RetryScheduled { timer: "T3411", .. }
    ));
    bed.release();
    bed.event();
    bed.pass(10 * SECOND);
    bed.take_request();
    // #95 and its like count as five attempts at once.
    bed.reject(95, false);
    bed.event();
    let Event::RetryScheduled { timer: "T3402", at } = bed.event() else {
        panic!();
    };
    assert_eq!(at.since(bed.now), MINUTE);
}

#[test]
fn forbidden_areas_and_networks_depend_on_the_mac() {
    for (cause, protected, why) in [
        (11, true, Restriction::Forbidden),
        (11, false, Restriction::T3247),
        (12, true, Restriction::Forbidden),
        (15, false, Restriction::T3247),
        (14, true, Restriction::Forbidden),
    ] {
        let mut bed = Bed::new();
        bed.secured();
        if !protected {
            bed = Bed::new();
            bed.request();
        }
        bed.reject(cause, protected);
        bed.event();
        let Event::Restricted { why: told, .. } = bed.event() else {
            panic!();
        };
        assert_eq!(told, why, "#{cause} {protected}");
    }
}

#[test]
fn an_attach_without_an_answer_ends_with_t3410() {
    let mut bed = Bed::new();
    bed.request();
    bed.pass(15 * SECOND);
    assert_eq!(bed.event(), Event::AttachFailed { why: "t3410" });
    assert!(matches!(
        bed.event(),
        Event::RetryScheduled { timer: "T3411", .. }
    ));
    // The MME never named the connection, so there is nothing to ask it for. Its late answer is
    // for a connection that is gone.
    bed.silent();
    bed.send_plain(&emm::Message::AuthenticationReject);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    bed.no_event();
}

#[test]
fn a_manual_ue_tries_only_when_told() {
    let mut bed = Bed::with({
        let mut p = profile();
        p.auto_retry = false;
        p
    });
    bed.request();
    bed.pass(15 * SECOND);
    assert_eq!(bed.event(), Event::AttachFailed { why: "t3410" });
    bed.pass(60 * MINUTE);
    bed.no_event();
    bed.request();
    bed.command(UeCommand::Attach);
    let why = Restriction::Busy;
    assert_eq!(bed.event(), Event::AttachNotStarted { why });
}

#[test]
fn an_authentication_reject_counts_only_when_expected_or_protected() {
    let mut bed = Bed::new();
    bed.request();
    bed.send_plain(&emm::Message::AuthenticationReject);
    assert!(matches!(bed.event(), Event::NasDropped { .. }));
    bed.authenticate();
    bed.send_plain(&emm::Message::AuthenticationReject);
    assert_eq!(
        bed.event(),
        Event::AuthenticationRejected { protected: false }
    );
    assert!(matches!(
        bed.event(),
        Event::Restricted {
            why: Restriction::T3247,
            ..
        }
    ));

    let mut bed = Bed::new();
    bed.secured();
    bed.send(&emm::Message::AuthenticationReject);
    assert_eq!(
        bed.event(),
        Event::AuthenticationRejected { protected: true }
    );
    assert!(matches!(
        bed.event(),
        Event::Restricted {
            why: Restriction::UsimInvalid,
            ..
        }
    ));
}

#[test]
fn forged_and_replayed_messages_move_nothing() {
    let mut bed = Bed::new();
    bed.attach();
    let detach = emm::Message::DetachRequestToUe(emm::DetachRequestToUe {
        detach_type: NetworkDetachType::ReattachNotRequired,
        cause: Some(EmmCause(8)),
    });
    // Plain, though security is on.
    bed.send_plain(&detach);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "not protected"
        }
    );
    bed.reject(8, false);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "not protected"
        }
    );
    // With a MAC of somebody else.
    let mut pdu = bed.protect(&detach.encode());
    pdu[2] ^= 1;
    bed.downlink(pdu);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "integrity check failed"
        }
    );
    // An old message again.
    let pdu = bed.protect(
        &emm::Message::IdentityRequest(emm::IdentityRequest {
            identity_type: IdentityType::IMSI,
        })
        .encode(),
    );
    bed.downlink(pdu.clone());
    bed.uplink();
    bed.downlink(pdu);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "integrity check failed"
        }
    );
    // Protected but not ciphered.
    let context = bed.context.as_mut().unwrap();
    let header = SecurityHeader::Integrity;
    let pdu = context
        .protect(Direction::Downlink, header, &detach.encode())
        .unwrap();
    bed.downlink(pdu);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "not ciphered"
        }
    );
    assert_eq!(bed.ue().state(), EmmState::Registered);
    bed.silent();

    // Before security is on, a plain detach is no better.
    let mut bed = Bed::new();
    bed.request();
    bed.send_plain(&detach);
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "needs protection"
        }
    );
    assert_eq!(bed.ue().state(), EmmState::RegisteredInitiated);
}

#[test]
fn identities_by_whoever_asks() {
    let mut bed = Bed::new();
    bed.request();
    let ask = |identity_type| emm::Message::IdentityRequest(emm::IdentityRequest { identity_type });
    bed.send_plain(&ask(IdentityType::IMEI));
    assert_eq!(
        bed.event(),
        Event::NasDropped {
            why: "needs protection"
        }
    );
    bed.send_plain(&ask(IdentityType::IMSI));
    let imsi = bed.ue().usim().imsi();
    let answer = |identity| emm::Message::IdentityResponse(emm::IdentityResponse { identity });
    assert_eq!(bed.uplink_emm(), answer(MobileIdentity::Imsi(imsi)));
    bed.authenticate();
    bed.security_mode();
    let imeisv = "3569380356438001".parse().unwrap();
    for (wanted, identity) in [
        (IdentityType::IMEISV, MobileIdentity::Imeisv(imeisv)),
        (IdentityType::TMSI, MobileIdentity::NoIdentity),
        (IdentityType(6), MobileIdentity::NoIdentity),
    ] {
        bed.send(&ask(wanted));
        assert_eq!(bed.uplink_emm(), answer(identity));
    }
}

fn network_detach(kind: NetworkDetachType, cause: Option<u8>) -> Bed {
    let mut bed = Bed::new();
    bed.attach();
    let request = emm::DetachRequestToUe {
        detach_type: kind,
        cause: cause.map(EmmCause),
    };
    bed.send(&emm::Message::DetachRequestToUe(request));
    assert_eq!(bed.uplink_emm(), emm::Message::DetachAccept);
    bed
}

#[test]
fn the_network_detaches_and_wants_the_ue_back() {
    let mut bed = network_detach(NetworkDetachType::ReattachRequired, Some(8));
    assert_eq!(bed.event(), Event::BearerReleased);
    let expected = Event::Detached {
        by_network: true,
        reattach: true,
        cause: None,
    };
    assert_eq!(bed.event(), expected);
    bed.no_event();
    bed.release();
    assert_eq!(bed.event(), Event::ConnectionReleased);
    let request = bed.take_request();
    assert_eq!(request.identity, EpsMobileIdentity::Guti(bed.guti()));
    // Or the network forgets to release: T3440.
    let mut bed = network_detach(NetworkDetachType::ReattachRequired, None);
    bed.events.clear();
    bed.pass(10 * SECOND);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    bed.take_request();
}

#[test]
fn the_network_detaches_for_good() {
    let mut bed = network_detach(NetworkDetachType::ReattachNotRequired, None);
    assert_eq!(bed.event(), Event::BearerReleased);
    let expected = Event::Detached {
        by_network: true,
        reattach: false,
        cause: None,
    };
    assert_eq!(bed.event(), expected);
    bed.release();
    bed.event();
    bed.pass(60 * MINUTE);
    bed.no_event();
    // Told again, the UE agrees again; told to come, it comes with its old GUTI.
    let request = bed.request();
    assert_eq!(request.identity, EpsMobileIdentity::Guti(bed.guti()));

    let mut bed = network_detach(NetworkDetachType::ReattachNotRequired, Some(8));
    bed.event();
    let expected = Event::Detached {
        by_network: true,
        reattach: false,
        cause: Some(8),
    };
    assert_eq!(bed.event(), expected);
    let why = Restriction::UsimInvalid;
    assert_eq!(bed.event(), Event::Restricted { why, until: None });
    bed.release();
    bed.event();
    bed.command(UeCommand::Attach);
    assert_eq!(bed.event(), Event::AttachNotStarted { why });
    assert_eq!(bed.ue().guti(), None);

    // #2 concerns circuit-switched services alone.
    let mut bed = network_detach(NetworkDetachType::ReattachNotRequired, Some(2));
    bed.no_event();
    assert_eq!(bed.ue().state(), EmmState::Registered);
    let _ = bed.secured_again();
}

impl Bed {
    /// The context still works.
    fn secured_again(&mut self) -> Plain {
        self.send(&emm::Message::IdentityRequest(emm::IdentityRequest {
            identity_type: IdentityType::IMSI,
        }));
        self.uplink_message()
    }
}

#[test]
fn a_detach_is_sent_five_times() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::Detach { switch_off: false });
    for _ in 0..5 {
        assert!(matches!(
            bed.uplink_emm(),
            emm::Message::DetachRequestFromUe(_)
        ));
        bed.silent();
        bed.pass(15 * SECOND);
    }
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    assert_eq!(bed.event(), Event::BearerReleased);
    assert!(matches!(bed.event(), Event::Detached { .. }));
    bed.pass(60 * MINUTE);
    bed.silent();
}

#[test]
fn a_ue_that_is_switched_off_says_so_once() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::Detach { switch_off: true });
    let emm::Message::DetachRequestFromUe(detach) = bed.uplink_emm() else {
        panic!();
    };
    assert!(detach.switch_off);
    assert!(matches!(
        bed.event(),
        Event::Detached {
            by_network: false,
            ..
        }
    ));
    assert_eq!(bed.event(), Event::BearerReleased);
    assert_eq!(bed.event(), Event::Power { on: false });
    bed.send(&emm::Message::DetachAccept);
    bed.no_event();
    bed.release();
    bed.command(UeCommand::Attach);
    let why = Restriction::SwitchedOff;
    assert_eq!(bed.event(), Event::AttachNotStarted { why });
    bed.command(UeCommand::PowerOn);
    bed.event();
    // Context and GUTI were kept.
    assert_eq!(bed.request().ksi, bed.ksi);
}

#[test]
fn a_pulled_battery_loses_the_context_but_not_the_guti() {
    let mut bed = Bed::new();
    bed.attach();
    bed.command(UeCommand::PowerOff);
    let Some(Message::UeContextReleaseRequest { .. }) = bed.s1.pop_front() else {
        panic!();
    };
    bed.events.clear();
    bed.command(UeCommand::PowerOn);
    bed.event();
    let request = bed.request();
    assert_eq!(request.identity, EpsMobileIdentity::Guti(bed.guti()));
    assert_eq!(request.ksi, Ksi::NO_KEY);
}

#[test]
fn a_bearer_taken_away_by_esm_ends_the_registration() {
    let mut bed = Bed::new();
    bed.attach();
    let deactivate = |ebi| {
        let request = esm::DeactivateEpsBearerContextRequest::new(esm::EsmCause(36));
        let body = Body::DeactivateEpsBearerContextRequest(request);
        esm::Message { ebi, pti: 0, body }.encode()
    };
    let pdu = bed.protect(&deactivate(6));
    bed.downlink(pdu);
    let Plain::Esm(status) = bed.uplink_message() else {
        panic!();
    };
    assert_eq!(
        status.body,
        Body::EsmStatus(esm::EsmStatus {
            cause: esm::EsmCause(43)
        })
    );
    let pdu = bed.protect(&deactivate(5));
    bed.downlink(pdu);
    let Plain::Esm(accept) = bed.uplink_message() else {
        panic!();
    };
    assert!(matches!(
        accept.body,
        Body::DeactivateEpsBearerContextAccept(_)
    ));
    assert_eq!(bed.event(), Event::BearerReleased);
    assert!(matches!(
        bed.uplink_emm(),
        emm::Message::DetachRequestFromUe(_)
    ));
}

#[test]
fn an_accept_without_a_bearer_makes_the_ue_leave() {
    let mut bed = Bed::new();
    let pti = bed.secured();
    // Of another transaction.
    let accept = bed.accept_message(pti + 1);
    bed.send(&accept);
    assert_eq!(bed.event(), Event::AttachFailed { why: "esm" });
    assert!(matches!(
        bed.uplink_emm(),
        emm::Message::DetachRequestFromUe(_)
    ));
    assert!(bed.ue().stack().is_none());
}

#[test]
fn a_repeated_accept_is_completed_again() {
    let mut bed = Bed::new();
    let pti = bed.secured();
    bed.accept(pti);
    let accept = bed.accept_message(pti);
    bed.send(&accept);
    assert!(matches!(bed.uplink_emm(), emm::Message::AttachComplete(_)));
    bed.no_event();
}

#[test]
fn a_lost_connection_ends_an_attach_but_not_a_registration() {
    let mut bed = Bed::new();
    bed.request();
    bed.release();
    assert_eq!(bed.event(), Event::ConnectionReleased);
    assert_eq!(bed.event(), Event::AttachFailed { why: "released" });
    let mut bed = Bed::new();
    bed.attach();
    bed.release();
    assert_eq!(bed.event(), Event::ConnectionReleased);
    assert_eq!(bed.ue().state(), EmmState::Registered);
    assert!(bed.ue().stack().is_some());
}

#[test]
fn the_lab_may_send_anything_in_the_name_of_a_ue() {
    let mut bed = Bed::new();
    bed.attach();
    let pdu = from_hex("0755").unwrap();
    let send = |pdu: &[u8], protection| UeCommand::SendNas {
        pdu: pdu.to_vec(),
        protection,
    };
    bed.command(send(&pdu, NasProtection::AsIs));
    assert_eq!(bed.uplink(), pdu);
    bed.command(send(&pdu, NasProtection::Current));
    let sent = bed.uplink();
    let context = bed.context.as_mut().unwrap();
    assert_eq!(
        context.unprotect(Direction::Uplink, &sent).unwrap().plain,
        pdu
    );
    bed.command(send(&pdu, NasProtection::WrongMac));
    let sent = bed.uplink();
    let context = bed.context.as_mut().unwrap();
    assert!(context.unprotect(Direction::Uplink, &sent).is_err());
}

#[test]
fn traffic_without_a_bearer_is_answered_at_once() {
    let mut bed = Bed::new();
    let dst = crate::bed::HOST;
    bed.command(UeCommand::Ping { token: 4, dst });
    let outcome = ProbeOutcome::NoBearer;
    assert_eq!(bed.event(), Event::PingDone { token: 4, outcome });
}

#[test]
fn a_ue_at_rest_is_small() {
    assert!(size_of::<Ue>() <= 768, "{}", size_of::<Ue>());
}

#[test]
fn no_downlink_nas_octets_panic() {
    let mut rng = Rng::from_seed(3);
    let mut seen = alloc::collections::BTreeSet::new();
    // Beds in each stage of an attach, renewed now and then; the corpus is what the network would
    // say.
    for round in 0..2_000 {
        let mut bed = Bed::new();
        match round % 4 {
            0 | 1 => {
                bed.request();
            }
            2 => {
                bed.secured();
            }
            _ => bed.attach(),
        }
        for _ in 0..50 {
            let pdu = mutated(&mut bed, &mut rng);
            bed.downlink(pdu);
            bed.now += Duration::from_millis(rng.below(200));
            if rng.chance(0.02) {
                bed.pass(SECOND);
            }
            let names = bed.events.drain(..).map(|e| name(&e));
            seen.extend(names);
            bed.s1.clear();
        }
    }
    assert!(seen.len() >= 12, "{seen:?}");
}

fn name(event: &Event) -> String {
    let value = serde_json::to_value(event).unwrap();
    value["event"].as_str().unwrap().into()
}

fn mutated(bed: &mut Bed, rng: &mut Rng) -> Vec<u8> {
    let kind = rng.below(9);
    let mut pdu = sample(bed, kind);
    for _ in 0..rng.below(4) {
        let i = usize::try_from(rng.below(pdu.len() as u64)).unwrap();
        pdu[i] ^= rng.octets::<1>()[0];
    }
    if rng.chance(0.2) {
        let len = 1 + rng.below(pdu.len() as u64);
        pdu.truncate(usize::try_from(len).unwrap());
    }
    if bed.context.is_some() && rng.chance(0.7) {
        pdu = bed.protect(&pdu);
    }
    pdu
}

/// A downlink message of one kind.
fn sample(bed: &mut Bed, kind: u64) -> Vec<u8> {
    let plain = match kind {
        0 => bed.challenge(),
        1 => emm::Message::SecurityModeCommand(bed.command_message()),
        2 => bed.accept_message(1),
        3 => emm::Message::AttachReject(emm::AttachReject::new(EmmCause(8))),
        4 => emm::Message::DetachRequestToUe(emm::DetachRequestToUe {
            detach_type: NetworkDetachType::ReattachRequired,
            cause: Some(EmmCause(8)),
        }),
        5 => emm::Message::IdentityRequest(emm::IdentityRequest {
            identity_type: IdentityType::IMSI,
        }),
        6 => emm::Message::DetachAccept,
        7 => {
            let body = Body::EsmInformationRequest;
            return esm::Message {
                ebi: 0,
                pti: 1,
                body,
            }
            .encode();
        }
        _ => return from_hex("37a8a82a3200075d010005f0f0c04070c14f08a35e5f5912506ad4").unwrap(),
    };
    plain.encode()
}

#[test]
fn events_are_flat_json_with_a_name() {
    let event = Event::PingDone {
        token: 1,
        outcome: ProbeOutcome::Prohibited {
            code: 13,
            from: crate::bed::HOST,
        },
    };
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event":"ping_done","token":1,"outcome":"prohibited","code":13,"from":"10.20.1.1"}"#
    );
    let event = Event::AttachRejected {
        cause: 8,
        esm_cause: None,
        protected: true,
        back_off_s: None,
    };
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event":"attach_rejected","cause":8,"esm_cause":null,"protected":true,"back_off_s":null}"#
    );
}

#[test]
fn a_deregistered_ue_ignores_what_it_did_not_ask_for() {
    let mut bed = Bed::new();
    bed.enb_ue_id = 1 << 20;
    let challenge = bed.challenge();
    bed.input(Input::S1(Message::DownlinkNasTransport {
        enb_ue_id: 1 << 20,
        mme_ue_id: 1,
        nas: challenge.encode(),
    }));
    // There is no connection at all.
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { .. })
    ));
    bed.no_event();
}

#[test]
fn a_connection_that_nobody_released_is_not_used_again() {
    let mut bed = Bed::new();
    bed.attach();
    let old = bed.enb_ue_id;
    bed.command(UeCommand::Detach { switch_off: true });
    bed.uplink();
    bed.command(UeCommand::PowerOn);
    bed.events.clear();
    bed.command(UeCommand::Attach);
    assert!(matches!(
        bed.s1.pop_front(),
        Some(Message::UeContextReleaseRequest { enb_ue_id, .. }) if enb_ue_id == old
    ));
    bed.take_request();
    assert_ne!(bed.enb_ue_id, old);
}

#[test]
fn a_lost_radio_link_ends_an_attempt() {
    let mut bed = Bed::new();
    bed.request();
    bed.command(UeCommand::LoseRadio);
    assert_eq!(bed.event(), Event::ConnectionReleased);
    assert_eq!(bed.event(), Event::AttachFailed { why: "released" });
    bed.event();
    bed.command(UeCommand::LoseRadio);
    bed.no_event();
}

#[test]
fn a_repeated_detach_is_agreed_to_again() {
    let mut bed = network_detach(NetworkDetachType::ReattachRequired, None);
    bed.events.clear();
    let request = emm::DetachRequestToUe {
        detach_type: NetworkDetachType::ReattachRequired,
        cause: None,
    };
    bed.send(&emm::Message::DetachRequestToUe(request));
    assert_eq!(bed.uplink_emm(), emm::Message::DetachAccept);
    bed.no_event();
}
