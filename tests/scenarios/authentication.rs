//! SIMs that are not what they say, and sequence numbers out of step.

use heiiki::Link;
use heiiki::lab::{AttachError, Builder};
use heiiki::plan::Sim;
use heiiki::world::{Verdict, drop_nth, nth};
use heiiki_hss::{Event as HssEvent, Resynchronisation};
use heiiki_types::Key128;
use heiiki_ue_sim::{NasProtection, UeCommand};

use crate::prelude::*;

fn card(change: impl FnOnce(&mut Sim)) -> Builder {
    acme().sim("pc-1", "acme").with_sim(change)
}

/// What the resynchronisations at the HSS came to.
fn resynchronisations(lab: &heiiki::Lab) -> Vec<Resynchronisation> {
    let done = hss(lab).filter_map(|e| match e {
        HssEvent::AuthenticationInformation {
            resynchronisation, ..
        } => *resynchronisation,
        _ => None,
    });
    done.collect()
}

/// Goal: a wrong key shows as MAC failure of the UE, not as a wrong response. Method: a card with
/// another K, and one with another OPc.
#[test]
fn a_card_with_another_key_refuses_the_network() {
    let other = || Some(Key128::new([0x5a; 16]));
    let cards = [
        card(|sim| sim.card.k = other()),
        card(|sim| sim.card.opc = other()),
    ];
    for builder in cards {
        let mut lab = builder.build().unwrap();
        let error = lab.attach("pc-1").unwrap_err();
        assert_eq!(error, AttachError::NotGenuine { cause: 20 });
        lab.run_for(s(60));
        assert_eq!(nas(&lab, "AUTHENTICATION RESPONSE").len(), 0);
        let seen = |e: &heiiki_mme::Event| match e {
            heiiki_mme::Event::AuthenticationFailed { cause, .. } => Some(*cause),
            _ => None,
        };
        assert_eq!(mme(&lab).find_map(seen), Some(20));
        assert!(!mme(&lab).any(|e| matches!(e, heiiki_mme::Event::WrongResponse { .. })));
        assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
    }
}

/// Goal: a SIM that is ahead of the HSS resynchronises in exactly one extra round. Method: a card
/// with a higher SQN; challenges, tokens and the SEQ of the HSS are counted.
#[test]
fn a_stale_sqn_costs_exactly_one_extra_round() {
    let mut lab = card(|sim| sim.card.sqn = Some(100_000 << 5))
        .build()
        .unwrap();
    lab.attach("pc-1").unwrap();
    assert_eq!(nas(&lab, "AUTHENTICATION REQUEST").len(), 2);
    assert_eq!(nas(&lab, "AUTHENTICATION FAILURE").len(), 1);
    let [Resynchronisation::Raised { to: 100_000, .. }] = resynchronisations(&lab)[..] else {
        panic!("{:?}", resynchronisations(&lab));
    };
    assert_eq!(seq(&mut lab, "pc-1"), 100_001);
    lab.attach("pc-1").unwrap();
    assert_eq!(nas(&lab, "AUTHENTICATION REQUEST").len(), 3, "in step now");
}

/// Goal: a SIM that is further ahead than Delta is refused and alarmed, and the HSS stays where it
/// is. Method: a card that is 2^29 ahead.
#[test]
fn a_gap_beyond_delta_moves_nothing() {
    let mut lab = card(|sim| sim.card.sqn = Some((1 << 29) << 5))
        .build()
        .unwrap();
    let before = seq(&mut lab, "pc-1");
    lab.attach("pc-1").unwrap_err();
    let [Resynchronisation::BeyondDelta { usim, .. }] = resynchronisations(&lab)[..] else {
        panic!("{:?}", resynchronisations(&lab));
    };
    assert_eq!(usim, 1 << 29);
    assert_eq!(seq(&mut lab, "pc-1"), before + 1, "one vector went out");
}

/// AUTHENTICATION FAILURE, TS 24.301 §8.2.5, with cause #21 and an AUTS.
fn synch_failure(auts: [u8; 14]) -> Vec<u8> {
    [&[0x07, 0x5c, 0x15, 0x30, 0x0e], &auts[..]].concat()
}

/// An attach whose answer to the challenge is lost, and a synch failure with this AUTS instead.
fn answer_with(lab: &mut heiiki::Lab, pdu: Vec<u8>) {
    let from = nas(lab, "AUTHENTICATION REQUEST").len();
    let rule = drop_nth("AUTHENTICATION RESPONSE", 1);
    lab.world().add_rule(Link::S1Nas, rule);
    lab.command("pc-1", UeCommand::PowerOn);
    lab.command("pc-1", UeCommand::Attach);
    lab.run_for(ms(100));
    assert_eq!(nas(lab, "AUTHENTICATION REQUEST").len(), from + 1);
    let protection = NasProtection::AsIs;
    lab.command("pc-1", UeCommand::SendNas { pdu, protection });
}

/// Goal: a forged AUTS moves nothing. Method: synch failures that nobody with the key made, some
/// with every bit set; the SEQ of the HSS before and after.
#[test]
fn a_forged_auts_moves_nothing() {
    for auts in [[0; 14], [0xff; 14], *b"not a real one"] {
        let mut lab = one_pc();
        let before = seq(&mut lab, "pc-1");
        answer_with(&mut lab, synch_failure(auts));
        lab.run_for(s(5));
        assert_eq!(resynchronisations(&lab), [Resynchronisation::Forged]);
        assert_eq!(seq(&mut lab, "pc-1"), before + 1, "one vector went out");
        attach_patiently(&mut lab, "pc-1").unwrap();
        assert_works(&mut lab, "pc-1", "after the forgery");
    }
}

/// Goal: the test above can fail. Method: the same forgery while the HSS does not check AUTS.
#[test]
fn without_the_check_a_forged_auts_moves_the_sqn() {
    // Whatever the forgery says is within Delta for one seed or another.
    let moved = (0..20).any(|seed| {
        let builder = acme().sim("pc-1", "acme").seed(seed);
        let mut lab = builder.weaken(|p| p.auts_check = false).build().unwrap();
        answer_with(&mut lab, synch_failure([0; 14]));
        lab.run_for(s(5));
        resynchronisations(&lab)
            .iter()
            .any(|r| !matches!(r, Resynchronisation::Forged))
    });
    assert!(moved);
}

/// Goal: a replayed AUTS changes nothing. Method: the genuine token of an earlier round, on the
/// radio against a new challenge and doubled on its way to the HSS.
#[test]
fn a_replayed_auts_changes_nothing() {
    let mut lab = card(|sim| sim.card.sqn = Some(1_000 << 5)).build().unwrap();
    lab.attach("pc-1").unwrap();
    let token = nas(&lab, "AUTHENTICATION FAILURE").pop().unwrap();
    lab.command("pc-1", UeCommand::PowerOff);
    let before = seq(&mut lab, "pc-1");
    answer_with(&mut lab, token);
    lab.run_for(s(5));
    assert_eq!(seq(&mut lab, "pc-1"), before + 1, "one vector went out");
    assert_eq!(
        resynchronisations(&lab).last(),
        Some(&Resynchronisation::Forged)
    );

    let mut lab = card(|sim| sim.card.sqn = Some(1_000 << 5)).build().unwrap();
    let rule = nth(
        "Authentication-Information Request",
        2,
        Verdict::Duplicate(s(1)),
    );
    lab.world().add_rule(Link::S6a, rule);
    lab.attach("pc-1").unwrap();
    lab.run_for(s(2));
    let done = resynchronisations(&lab);
    assert!(
        matches!(done[..], [Resynchronisation::Raised { to: 1_000, .. }])
            || matches!(
                done[..],
                [
                    Resynchronisation::Raised { to: 1_000, .. },
                    Resynchronisation::Unchanged
                ]
            ),
        "{done:?}"
    );
    assert!(seq(&mut lab, "pc-1") <= 1_002);
}

/// Goal: an IMSI that the HSS does not know is refused without protection, for there is no key.
/// Method: a card of another network.
#[test]
fn an_unknown_imsi_is_refused_unprotected() {
    let mut lab = card(|sim| sim.card.stranger = true).build().unwrap();
    let refused = lab.attach("pc-1").unwrap_err();
    let AttachError::Rejected {
        cause: 8,
        protected: false,
        ..
    } = refused
    else {
        panic!("{refused}");
    };
    assert_eq!(nas(&lab, "AUTHENTICATION REQUEST").len(), 0);
    assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
}

/// Goal: who guesses the answer to the challenge is turned away. Method: the right answer is lost
/// and a wrong one is sent.
#[test]
fn a_wrong_response_is_rejected() {
    let mut lab = one_pc();
    // AUTHENTICATION RESPONSE, TS 24.301 §8.2.8, with eight zeros.
    let guess = [&[0x07, 0x53, 0x08], &[0; 8][..]].concat();
    answer_with(&mut lab, guess);
    lab.run_for(s(5));
    assert!(mme(&lab).any(|e| matches!(e, heiiki_mme::Event::WrongResponse { .. })));
    assert_eq!(nas(&lab, "AUTHENTICATION REJECT").len(), 1);
    assert_eq!(sessions(&mut lab, "pc-1").len(), 0);
}

/// Goal: no SQN is used twice across crashes of the HSS. Method: attach, crash and attach again,
/// twenty times; the card refuses whatever it has seen.
#[test]
fn no_sqn_is_used_twice_across_crashes() {
    let mut lab = one_pc();
    let mut last = 0;
    for round in 0..20 {
        attach_patiently(&mut lab, "pc-1").unwrap();
        let now = seq(&mut lab, "pc-1");
        assert!(now > last, "round {round}: {now} after {last}");
        last = now;
        lab.crash(heiiki::plan::NodeName::Hss).unwrap();
        lab.restart(heiiki::plan::NodeName::Hss).unwrap();
        lab.run_for(s(5));
    }
    assert_eq!(nas(&lab, "AUTHENTICATION FAILURE").len(), 0);
}
