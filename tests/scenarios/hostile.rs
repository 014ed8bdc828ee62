//! A UE that means harm to another one.

use heiiki::Lab;
use heiiki_types::Guti;
use heiiki_ue_sim::{Event as UeEvent, NasProtection, UeCommand};

use crate::prelude::*;

/// A victim with a session, and Mallory, whose UE is on but not attached.
fn scene() -> (Lab, Guti, core::net::Ipv4Addr) {
    let builder = acme().sim("victim", "acme").sim("mallory", "acme");
    let mut lab = builder.build().unwrap();
    let ip = lab.attach("victim").unwrap().ip;
    let guti = ue(&lab, "victim").find_map(|e| match e {
        UeEvent::Attached { guti, .. } => *guti,
        _ => None,
    });
    lab.command("mallory", UeCommand::PowerOn);
    lab.run_for(ms(100));
    (lab, guti.unwrap(), ip)
}

fn send(lab: &mut Lab, sim: &str, pdu: Vec<u8>, protection: NasProtection) {
    lab.command(sim, UeCommand::SendNas { pdu, protection });
    lab.run_for(s(1));
}

/// The victim noticed nothing: same session, no detach, and its page comes.
fn assert_untouched(lab: &mut Lab, ip: core::net::Ipv4Addr, what: &str) {
    assert_eq!(sessions(lab, "victim"), [ip], "{what}");
    let gone =
        ue(lab, "victim").any(|e| matches!(e, UeEvent::Detached { .. } | UeEvent::BearerReleased));
    assert!(!gone, "{what}: the victim is detached");
    assert_works(lab, "victim", what);
}

/// EPS mobile identity, a GUTI: TS 24.301 §9.9.3.12.
fn guti_identity(guti: Guti) -> Vec<u8> {
    let mut octets = vec![11, 0xf6];
    octets.extend(guti.plmn.octets());
    octets.extend(guti.mme_group_id.to_be_bytes());
    octets.push(guti.mme_code);
    octets.extend(guti.m_tmsi.to_be_bytes());
    octets
}

/// EPS mobile identity, an IMSI of fifteen digits.
fn imsi_identity(imsi: &str) -> Vec<u8> {
    let digits: Vec<u8> = imsi.bytes().map(|b| b - b'0').collect();
    let mut octets = vec![8, digits[0] << 4 | 0x09];
    octets.extend(digits[1..].chunks(2).map(|pair| pair[1] << 4 | pair[0]));
    octets
}

/// DETACH REQUEST, TS 24.301 §8.2.11.2: EPS detach, with or without power-off, key set 0.
fn detach(switch_off: bool, identity: &[u8]) -> Vec<u8> {
    let kind = if switch_off { 0x09 } else { 0x01 };
    [&[0x07, 0x45, kind], identity].concat()
}

/// Goal: nobody detaches another. Method: plain detaches in the name of the victim, by GUTI and by
/// IMSI, with and without power-off, from a connection of Mallory's.
#[test]
fn a_forged_detach_is_ignored() {
    let (mut lab, guti, ip) = scene();
    let imsi = imsi_identity(&lab.imsi("victim").to_string());
    for identity in [guti_identity(guti), imsi] {
        for switch_off in [false, true] {
            let pdu = detach(switch_off, &identity);
            send(&mut lab, "mallory", pdu, NasProtection::AsIs);
            assert_untouched(&mut lab, ip, "a detach of Mallory's");
        }
    }
}

/// Goal: the same from within: an attached Mallory detaches nobody but himself. Method: the forged
/// detach under Mallory's own keys, and the victim's own with a wrong MAC.
#[test]
fn a_detach_counts_for_its_own_connection_alone() {
    let (mut lab, guti, ip) = scene();
    lab.attach("mallory").unwrap();
    let pdu = detach(false, &guti_identity(guti));
    send(&mut lab, "mallory", pdu.clone(), NasProtection::Current);
    assert_untouched(&mut lab, ip, "under Mallory's keys");
    for protection in [NasProtection::WrongMac, NasProtection::AsIs] {
        send(&mut lab, "victim", pdu.clone(), protection);
        assert_untouched(&mut lab, ip, "on the victim's connection without its keys");
    }
}

/// Goal: the tests above can fail. Method: integrity is not checked, and the plain detach on the
/// victim's connection works.
#[test]
fn without_integrity_a_forged_detach_works() {
    let builder = acme()
        .sim("victim", "acme")
        .weaken(|p| p.nas_integrity = false);
    let mut lab = builder.build().unwrap();
    lab.attach("victim").unwrap();
    let imsi = imsi_identity(&lab.imsi("victim").to_string());
    send(&mut lab, "victim", detach(true, &imsi), NasProtection::AsIs);
    lab.run_for(s(5));
    assert_eq!(sessions(&mut lab, "victim").len(), 0);
}

/// Goal: an attach in the victim's name harms it only once it is proved. Method: Mallory replays
/// the victim's own ATTACH REQUEST and cannot answer the challenge.
#[test]
fn an_attach_in_the_victims_name_changes_nothing_before_the_proof() {
    let (mut lab, _, ip) = scene();
    let request = nas(&lab, "ATTACH REQUEST").remove(0);
    let challenges = nas(&lab, "AUTHENTICATION REQUEST").len();
    send(&mut lab, "mallory", request, NasProtection::AsIs);
    assert_eq!(nas(&lab, "AUTHENTICATION REQUEST").len(), challenges + 1);
    assert_untouched(&mut lab, ip, "while the challenge is open");
    // AUTHENTICATION RESPONSE with a guess.
    let guess = [&[0x07, 0x53, 0x08], &[0x11; 8][..]].concat();
    send(&mut lab, "mallory", guess, NasProtection::AsIs);
    lab.run_for(s(60));
    assert_untouched(&mut lab, ip, "after the wrong answer");
    lab.attach("mallory").unwrap();
    assert_works(&mut lab, "mallory", "with his own SIM");
    assert_untouched(&mut lab, ip, "at the end");
}

/// Goal: a replayed protected message does nothing. Method: Mallory, and then the victim's own
/// connection, send what the victim sent under its keys before.
#[test]
fn replayed_messages_do_nothing() {
    let (mut lab, _, ip) = scene();
    let uplink = [
        "SECURITY MODE COMPLETE",
        "ATTACH COMPLETE",
        "AUTHENTICATION RESPONSE",
    ];
    let recorded: Vec<Vec<u8>> = uplink.iter().flat_map(|name| nas(&lab, name)).collect();
    assert_eq!(recorded.len(), 3);
    for pdu in recorded {
        for sim in ["mallory", "victim"] {
            send(&mut lab, sim, pdu.clone(), NasProtection::AsIs);
            assert_untouched(&mut lab, ip, sim);
        }
    }
}

/// Goal: a protected detach of the victim's cannot be kept and used later. Method: its genuine
/// DETACH REQUEST is replayed after it came back.
#[test]
fn a_recorded_detach_is_of_no_use_later() {
    let (mut lab, ..) = scene();
    assert!(lab.detach("victim", false));
    let detach = nas(&lab, "DETACH REQUEST").remove(0);
    lab.run_for(s(1));
    let ip = lab.attach("victim").unwrap().ip;
    for sim in ["mallory", "victim"] {
        send(&mut lab, sim, detach.clone(), NasProtection::AsIs);
        assert_eq!(sessions(&mut lab, "victim"), [ip], "{sim}");
        assert_works(&mut lab, "victim", sim);
    }
}

/// Goal: no octets of a UE stop the network. Method: noise and cut-off messages from Mallory, as
/// they are and under valid keys.
#[test]
fn noise_stops_nobody() {
    let (mut lab, _, ip) = scene();
    lab.attach("mallory").unwrap();
    let mut rng = heiiki_types::Rng::from_seed(8);
    let sent = nas(&lab, "ATTACH REQUEST");
    for n in 0..300_usize {
        let mut pdu = if n % 3 == 0 {
            rng.octets::<24>().to_vec()
        } else {
            sent[n % sent.len()].clone()
        };
        let at = usize::try_from(rng.below(pdu.len() as u64)).unwrap();
        pdu[at] ^= 1 << rng.below(8);
        pdu.truncate(at + 3);
        let protection = if n % 2 == 0 {
            NasProtection::AsIs
        } else {
            NasProtection::Current
        };
        lab.command("mallory", UeCommand::SendNas { pdu, protection });
        lab.run_for(ms(20));
    }
    lab.run_for(s(60));
    assert_untouched(&mut lab, ip, "after the noise");
    attach_patiently(&mut lab, "mallory").unwrap();
}
