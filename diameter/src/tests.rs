//! The codec as a whole: other people's messages, and octets that are no messages.

use alloc::vec::Vec;

use heiiki_types::Rng;

use crate::s6a::{
    AuthenticationInformationAnswer, AuthenticationInformationRequest, CancelLocationAnswer,
    CancelLocationRequest, DeleteSubscriberDataAnswer, DeleteSubscriberDataRequest,
    InsertSubscriberDataAnswer, InsertSubscriberDataRequest, NotifyAnswer, NotifyRequest,
    PurgeUeAnswer, PurgeUeRequest, ResetAnswer, ResetRequest, UpdateLocationAnswer,
    UpdateLocationRequest,
};
use crate::s13::{IdentityCheckAnswer, IdentityCheckRequest};
use crate::samples::{corpus, crafted, own, python};
use crate::{Avp, CommandCode, Deframer, HEADER_LEN, Message, What, base, dictionary as d};

/// Reads octets in every way there is. Nothing may panic, and what decodes must survive.
fn read_all(octets: &[u8]) {
    let mut deframer = Deframer::default();
    deframer.push(octets);
    for frame in deframer {
        let _ = frame.map(|f| Message::decode(&f));
    }
    let _ = Message::decode_partial(octets);
    let Ok(message) = Message::decode(octets) else {
        return;
    };
    assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
    let _ = d::check(&message);
    let _ = alloc::format!("{message:?}");
    read_command(message);
}

fn read_command(mut message: Message) {
    macro_rules! survives {
        ($type:ty) => {
            if let Ok(value) = <$type>::from_message(&message) {
                assert_eq!(<$type>::from_message(&value.to_message()), Ok(value));
            }
        };
    }
    if let Ok(caps) = base::Capabilities::from_request(&message) {
        assert_eq!(
            base::Capabilities::from_request(&caps.to_request()),
            Ok(caps)
        );
    }
    survives!(base::CapabilitiesAnswer);
    survives!(base::DeviceWatchdogRequest);
    survives!(base::DeviceWatchdogAnswer);
    survives!(base::DisconnectPeerRequest);
    survives!(base::DisconnectPeerAnswer);
    // Once as what it says it is, once as every command.
    let own = (message.command, message.flags.request);
    for (command, request) in [own, (CommandCode(316), true), (CommandCode(316), false)] {
        (message.command, message.flags.request) = (command, request);
        survives!(AuthenticationInformationRequest);
        survives!(AuthenticationInformationAnswer);
        survives!(UpdateLocationRequest);
        survives!(UpdateLocationAnswer);
        survives!(CancelLocationRequest);
        survives!(CancelLocationAnswer);
        survives!(PurgeUeRequest);
        survives!(PurgeUeAnswer);
        survives!(InsertSubscriberDataRequest);
        survives!(InsertSubscriberDataAnswer);
        survives!(DeleteSubscriberDataRequest);
        survives!(DeleteSubscriberDataAnswer);
        survives!(NotifyRequest);
        survives!(NotifyAnswer);
        survives!(ResetRequest);
        survives!(ResetAnswer);
        survives!(IdentityCheckRequest);
        survives!(IdentityCheckAnswer);
    }
}

#[test]
fn messages_of_other_implementations_decode_and_encode_to_the_same_octets() {
    let samples = [crafted(), python()].concat();
    assert_eq!(samples.len(), 39);
    for (name, octets) in samples {
        let message = Message::decode(&octets).unwrap();
        assert_eq!(message.encode(), octets, "{name}");
        let unknown = d::check(&message).is_err();
        assert_eq!(unknown, name.contains("unknown mandatory"), "{name}");
        read_all(&octets);
    }
}

#[test]
fn every_truncation_returns() {
    for octets in corpus() {
        for end in 0..octets.len() {
            assert!(Message::decode(&octets[..end]).is_err());
            read_all(&octets[..end]);
            // The same with a header that believes in it.
            let mut short = octets[..end - end % 4].to_vec();
            if let Some(length) = short.get_mut(1..4) {
                length.copy_from_slice(&u32::try_from(end - end % 4).unwrap().to_be_bytes()[1..]);
            }
            read_all(&short);
        }
    }
}

#[test]
fn every_flipped_bit_returns() {
    for mut octets in corpus() {
        for bit in 0..8 * octets.len() {
            octets[bit / 8] ^= 1 << (bit % 8);
            read_all(&octets);
            octets[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// Changes one to four places of a message at random; its length is true again afterwards.
fn mutate(octets: &mut Vec<u8>, pick: &mut impl FnMut(usize) -> usize) {
    for _ in 0..=pick(3) {
        let at = HEADER_LEN + pick(octets.len() - HEADER_LEN);
        let word = at - at % 4;
        match pick(5) {
            0 => octets[at] = u8::try_from(pick(256)).unwrap(),
            1 => octets[at] ^= 1 << pick(8),
            2 => octets[at] = [0, 1, 0x7f, 0x80, 0xff][pick(5)],
            3 => {
                octets.drain(word..word + 4);
            }
            _ => {
                let words = 4 * (1 + pick(8));
                let copy: Vec<u8> = octets[word..].iter().take(words).copied().collect();
                octets.splice(word..word, copy);
            }
        }
        if octets.len() <= HEADER_LEN {
            break;
        }
    }
    let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
    octets[1..4].copy_from_slice(&length[1..]);
}

/// Reads `count` mutations of these messages. Tells how many of them still were messages.
fn read_mutations(corpus: &[Vec<u8>], seed: u64, count: usize) -> usize {
    let mut rng = Rng::from_seed(seed);
    let mut pick = |n: usize| usize::try_from(rng.below(n as u64)).unwrap();
    let mut decoded = 0;
    for _ in 0..count {
        let mut octets = corpus[pick(corpus.len())].clone();
        mutate(&mut octets, &mut pick);
        decoded += usize::from(Message::decode(&octets).is_ok());
        read_all(&octets);
    }
    decoded
}

#[test]
fn a_hundred_thousand_mutations_return() {
    let decoded = read_mutations(&corpus(), 6733, 100_000);
    // Most mutations must get past the header, or the test tests nothing.
    assert!(decoded > 20_000, "{decoded}");
}

/// The same for the commands that follow an attach, so that the many other messages do not take
/// their share.
#[test]
fn a_hundred_thousand_mutations_of_data_notify_reset_and_identity_return() {
    let later = 319..=324;
    let is_later = |octets: &Vec<u8>| {
        Message::decode(octets).is_ok_and(|m| m.command.0 != 321 && later.contains(&m.command.0))
    };
    let corpus: Vec<Vec<u8>> = corpus().into_iter().filter(is_later).collect();
    assert!(corpus.len() >= 20, "{}", corpus.len());
    let decoded = read_mutations(&corpus, 29_272, 100_000);
    assert!(decoded > 20_000, "{decoded}");
}

#[test]
fn header_by_hand() {
    // RFC 6733 §3, written out by hand.
    let octets = [
        1,
        0,
        0,
        32,
        0x80 | 0x40 | 0x10,
        0,
        1,
        0x3e,
        0x01,
        0,
        0,
        0x23,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        0,
        0,
        0,
        1,
        0x40,
        0,
        0,
        11,
        b'0',
        b'0',
        b'1',
        0,
    ];
    let message = Message::decode(&octets).unwrap();
    assert!(message.flags.request && message.flags.proxiable && message.flags.retransmit);
    assert!(!message.flags.error);
    assert_eq!(message.command, CommandCode::AUTHENTICATION_INFORMATION);
    assert_eq!(message.application, crate::ApplicationId::S6A);
    assert_eq!(message.hop_by_hop, 0x0102_0304);
    assert_eq!(message.end_to_end, 0x0506_0708);
    assert_eq!(message.text(&d::USER_NAME), Some("001"));
    assert_eq!(message.encode(), octets);
}

#[test]
fn reserved_bits_and_padding_are_ignored() {
    let mut octets = Message::encode(&own()[0].1);
    octets[4] |= 0x0f;
    octets[HEADER_LEN + 4] |= 0x1f;
    let plain = Message::decode(&octets).unwrap();
    assert_eq!(plain, own()[0].1);
    // "heiiki" has two octets of padding.
    let at = octets.windows(6).position(|w| w == b"heiiki").unwrap() + 6;
    octets[at] = 0xaa;
    assert_eq!(Message::decode(&octets).unwrap(), own()[0].1);
}

#[test]
fn lengths_that_lie() {
    let error = |octets: &[u8]| Message::decode(octets).unwrap_err();
    let mut octets = own()[2].1.encode();
    octets[3] += 1;
    let length = u32::try_from(octets.len()).unwrap();
    assert_eq!(error(&octets).what, What::MessageLength(length + 1));
    octets[3] -= 1;
    octets[0] = 2;
    assert_eq!(error(&octets).what, What::Version(2));
    octets[0] = 1;
    // The AVP is longer than the message, shorter than its header, and shorter with a vendor.
    for (flags, length) in [(0x40, 0xff), (0x40, 7), (0xc0, 11)] {
        octets[HEADER_LEN + 4] = flags;
        octets[HEADER_LEN + 7] = length;
        let what = What::AvpLength(u32::from(length));
        let at = u32::try_from(HEADER_LEN).unwrap();
        assert_eq!(error(&octets), crate::DecodeError { at, what });
        let partial = Message::decode_partial(&octets).unwrap();
        let (_, failed) = partial.fault.unwrap();
        assert_eq!(failed.code, d::ORIGIN_HOST.code);
        // The least data of a DiameterIdentity; nothing for what is not in the dictionary.
        let least: &[u8] = if flags == 0x40 { &[0] } else { &[] };
        assert_eq!(failed.data, least);
    }
}

#[test]
fn padding_may_be_missing_at_the_end_of_a_group_only() {
    let mut group = Avp::group(&d::PROXY_INFO, &[Avp::text(&d::PROXY_HOST, "a")]);
    assert_eq!(group.data.len(), 12);
    group.data.truncate(9);
    let members: Vec<_> = group.members().map(|m| m.unwrap().to_owned()).collect();
    assert_eq!(members, [Avp::text(&d::PROXY_HOST, "a")]);
}

#[test]
fn groups_have_a_depth() {
    let nest = |depth: usize| {
        let mut avp = Avp::u32(&d::ITEM_NUMBER, 1);
        for _ in 0..depth {
            avp = Avp::group(&d::AMBR, &[avp]);
        }
        let mut message = own()[0].1.clone();
        message.avps.push(avp);
        d::check(&message)
    };
    assert_eq!(nest(d::MAX_DEPTH), Ok(()));
    let error = nest(d::MAX_DEPTH + 1).unwrap_err();
    assert_eq!(error.result, crate::ResultCode::INVALID_AVP_VALUE);
    // As deep as a message can be: 64 KiB of nothing but headers.
    assert!(nest(5000).is_err());
}

#[test]
fn more_avps_than_allowed() {
    let mut message = own()[2].1.clone();
    message.avps = vec![Avp::u32(&d::ORIGIN_STATE_ID, 1); crate::MAX_AVPS];
    assert!(Message::decode(&message.encode()).is_ok());
    message.avps.push(Avp::u32(&d::ORIGIN_STATE_ID, 1));
    let error = Message::decode(&message.encode()).unwrap_err();
    assert_eq!(error.what, What::TooManyAvps);
}

#[test]
fn a_stream_is_cut_wherever_it_breaks() {
    let stream: Vec<u8> = corpus().concat();
    for chunk in [1, 3, 7, 64, 1000, stream.len()] {
        let mut deframer = Deframer::default();
        let mut out = Vec::new();
        for part in stream.chunks(chunk) {
            deframer.push(part);
            out.extend(deframer.by_ref().map(|f| f.unwrap()));
        }
        assert_eq!(out, corpus());
    }
}

#[test]
fn a_broken_stream_stays_broken() {
    let good = own()[0].1.encode();
    let what = |octets: &[u8], max: usize| {
        let mut deframer = Deframer::new(max);
        deframer.push(octets);
        let error = deframer.next().unwrap().unwrap_err();
        deframer.push(&good);
        assert_eq!(deframer.next(), None);
        error.what
    };
    assert_eq!(what(b"GET / HTTP/1.1\r\n", 4096), What::Version(b'G'));
    assert_eq!(what(&[3], 4096), What::Version(3));
    assert_eq!(what(&[1, 0, 0, 16], 4096), What::MessageLength(16));
    assert_eq!(what(&[1, 0, 0, 21], 4096), What::MessageLength(21));
    let long = u32::try_from(good.len()).unwrap();
    assert_eq!(what(&good, good.len() - 4), What::MessageTooLong(long));
}

#[test]
fn debug_prints_no_key() {
    let message = crate::samples::aia().to_message();
    let text = alloc::format!("{message:?} {:?}", crate::samples::aia());
    assert!(text.contains("Authentication-Info(1413/10415"), "{text}");
    assert!(text.contains("Origin-Host"), "{text}");
    // XRES is 20 21 22 ..., KASME 40 41 42 ...; in any notation.
    for secret in [
        "20, 21", "2021", "32, 33", "40, 41", "4041", "64, 65", "@AB",
    ] {
        assert!(!text.contains(secret), "{text}");
    }
    let kasme = Avp::octets(&d::KASME, [0x41; 32]);
    assert_eq!(alloc::format!("{kasme:?}"), "KASME(1450/10415, 32 octets)");
    let unknown = Avp {
        code: 99_999,
        ..kasme
    };
    assert_eq!(alloc::format!("{unknown:?}"), "Avp(99999/10415, 32 octets)");
}

mod property {
    use proptest::prelude::*;

    use super::*;
    use crate::{ApplicationId, Flags};

    fn avp() -> impl Strategy<Value = Avp> {
        let parts = (
            any::<u32>(),
            any::<Option<u32>>(),
            any::<[bool; 2]>(),
            proptest::collection::vec(any::<u8>(), 0..40),
        );
        parts.prop_map(|(code, vendor, [mandatory, protected], data)| Avp {
            code,
            vendor,
            mandatory,
            protected,
            data: data.into(),
        })
    }

    fn message() -> impl Strategy<Value = Message> {
        let header = (any::<[bool; 4]>(), 0_u32..1 << 24, any::<[u32; 3]>());
        let avps = proptest::collection::vec(avp(), 0..12);
        (header, avps).prop_map(|((bits, command, ids), avps)| {
            let [request, proxiable, error, retransmit] = bits;
            let [application, hop_by_hop, end_to_end] = ids;
            Message {
                flags: Flags {
                    request,
                    proxiable,
                    error,
                    retransmit,
                },
                command: CommandCode(command),
                application: ApplicationId(application),
                hop_by_hop,
                end_to_end,
                avps,
            }
        })
    }

    proptest! {
        #[test]
        fn any_message_survives(message in message()) {
            let octets = message.encode();
            prop_assert_eq!(octets.len() % 4, 0);
            prop_assert_eq!(Message::decode(&octets), Ok(message));
        }

        #[test]
        fn any_group_survives(members in proptest::collection::vec(avp(), 0..6)) {
            let group = Avp::group(&d::PROXY_INFO, &members);
            let read: Vec<Avp> = group.members().map(|m| m.unwrap().to_owned()).collect();
            prop_assert_eq!(read, members);
        }

        #[test]
        fn any_octets_return(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_all(&octets);
        }
    }
}
