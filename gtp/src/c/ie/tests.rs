//! Values and octets of the elements whose forms the messages of the other tests do not show: put
//! together by hand from the figures of TS 29.274 §8, and read the same way by tshark 4.0.17.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::net::{Ipv4Addr, Ipv6Addr};

use heiiki_types::{Ambr, Apn, Arp, Ebi, Imei, Qci, Tac, Teid, to_hex};
use hex_literal::hex;
use proptest::prelude::*;

use super::*;

fn read<T: Ie>(octets: &[u8]) -> Result<T::Value, Fault> {
    T::decode(&mut Reader::new(octets))
}

/// Both ways; writing leaves alone what the buffer holds already.
fn corresponds<T: Ie>(value: &T::Value, octets: &[u8])
where
    T::Value: Debug + PartialEq,
{
    assert_eq!(read::<T>(octets).as_ref(), Ok(value));
    let mut out = vec![0xa5; 3];
    T::encode(value, &mut out);
    assert_eq!(out[..3], [0xa5; 3]);
    assert_eq!(to_hex(&out[3..]), to_hex(octets));
}

#[test]
fn f_teid_of_each_kind() {
    let v4 = Ipv4Addr::new(192, 0, 2, 1);
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let cases = [
        (FTeidAddr::V4(v4), &hex!("85 00000001 c0000201")[..]),
        (
            FTeidAddr::V6(v6),
            &hex!("45 00000001 20010db8000000000000000000000001"),
        ),
        (
            FTeidAddr::V4V6(v4, v6),
            &hex!("c5 00000001 c0000201 20010db8000000000000000000000001"),
        ),
    ];
    for (address, octets) in cases {
        let value = FTeid {
            interface: Interface::S5S8_PGW_GTPU,
            teid: Teid::new(1).unwrap(),
            address,
        };
        corresponds::<FTeid>(&value, octets);
    }
    // A length that the flags do not bear out must not read past the end.
    assert_eq!(read::<FTeid>(&hex!("85 00000001")), Err(Fault::Length));
    assert_eq!(
        read::<FTeid>(&hex!("c5 00000001 c0000201")),
        Err(Fault::Length)
    );
    assert_eq!(FTeidAddr::V4V6(v4, v6).ip(), v4);
    assert_eq!(FTeidAddr::V6(v6).ip(), v6);
}

#[test]
fn paa_of_each_kind() {
    let prefix: Ipv6Addr = "2001:db8:0:1::1".parse().unwrap();
    let (v4, length) = (Ipv4Addr::new(10, 20, 0, 2), 64);
    corresponds::<Paa>(&Paa::V4(v4), &hex!("01 0a140002"));
    corresponds::<Paa>(
        &Paa::V6 { prefix, length },
        &hex!("02 40 20010db8000000010000000000000001"),
    );
    corresponds::<Paa>(
        &Paa::V4V6 { v4, prefix, length },
        &hex!("03 40 20010db8000000010000000000000001 0a140002"),
    );
    corresponds::<Paa>(&Paa::NonIp, &hex!("04"));
    corresponds::<Paa>(&Paa::Ethernet, &hex!("05"));
    assert_eq!(read::<Paa>(&hex!("00")), Err(Fault::Value));
    assert_eq!(read::<Paa>(&hex!("06")), Err(Fault::Value));
}

#[test]
fn arp_bits_are_the_right_way_round() {
    let qos = |priority_level, may_preempt, may_be_preempted| BearerQos {
        mbr_uplink_kbps: 1,
        mbr_downlink_kbps: 0xff_ffff_ffff,
        gbr_uplink_kbps: 3,
        gbr_downlink_kbps: 256,
        ..BearerQos::non_gbr(
            Qci(1),
            Arp {
                priority_level,
                may_preempt,
                may_be_preempted,
            },
        )
    };
    let rates = hex!("01 0000000001 ffffffffff 0000000003 0000000100");
    for (value, arp) in [
        (qos(15, true, true), 0x3c),
        (qos(1, false, true), 0x44),
        (qos(2, true, false), 0x09),
    ] {
        corresponds::<BearerQos>(&value, &[&[arp][..], &rates].concat());
    }
    let none = [&[0x40][..], &rates].concat();
    assert_eq!(read::<BearerQos>(&none), Err(Fault::Value));
    assert_eq!(read::<BearerQos>(&none[..21]), Err(Fault::Length));
}

#[test]
fn mei_with_and_without_a_software_version() {
    let imei: Imei = "353490000000007".parse().unwrap();
    corresponds::<Mei>(&imei.into(), &hex!("53430900000000f7"));
    let value = Mei {
        imei: "35349000000000".parse().unwrap(),
        software_version: Some(12),
    };
    corresponds::<Mei>(&value, &hex!("5343090000000021"));
    assert_eq!(read::<Mei>(&hex!("53430900000000")), Err(Fault::Length));
    assert_eq!(read::<Mei>(&hex!("534309000000002a")), Err(Fault::Value));
}

#[test]
fn uli_skips_what_is_not_of_e_utran() {
    // CGI, SAI and RAI before, LAI after.
    let octets = hex!(
        "3f 00f11000010002 00f11000010003 00f110000104ff
         00f1100001 00f11000019b01 00f1100001"
    );
    let uli = read::<Uli>(&octets).unwrap();
    assert_eq!(uli.tai.unwrap().tac, Tac(1));
    assert_eq!(uli.ecgi.unwrap().eci, 0x19b01);
    corresponds::<Uli>(&uli, &hex!("18 00f1100001 00f11000019b01"));
    assert_eq!(read::<Uli>(&octets[..30]), Err(Fault::Length));
    corresponds::<Uli>(&Uli::default(), &[0]);
}

#[test]
fn cause_with_its_flags_and_offending_element() {
    let value = CauseIe {
        offending: Some((87, 2)),
        from_remote_node: true,
        bearer_context_error: true,
        pdn_connection_error: true,
        ..CauseIe::new(Cause::CONDITIONAL_IE_MISSING)
    };
    corresponds::<CauseIe>(&value, &hex!("67 07 57 0000 02"));
    corresponds::<CauseIe>(&Cause::SERVICE_DENIED.into(), &hex!("59 00"));
    assert_eq!(Cause(15).is_accepted(), Cause(64).is_accepted());
    assert!(Cause(16).is_accepted() && Cause(63).is_accepted());
    assert_eq!(Cause::SERVICE_DENIED.to_string(), "Service denied (89)");
    assert_eq!(Cause(200).to_string(), "cause 200");
}

#[test]
fn apn_labels() {
    let apn: Apn = "corp.example".parse().unwrap();
    corresponds::<AccessPointName>(&apn, b"\x04corp\x07example");
    for bad in [
        &b"\x04cor"[..],
        b"\x00",
        b"\x01a\x00",
        b"\x03a.b",
        b"\x01_",
        b"",
    ] {
        assert_eq!(read::<AccessPointName>(bad), Err(Fault::Value), "{bad:?}");
    }
}

#[test]
fn rates_are_rounded_up_to_kbps() {
    let mut out = Vec::new();
    let value = Ambr {
        uplink_bps: 1,
        downlink_bps: u64::MAX,
    };
    ApnAmbr::encode(&value, &mut out);
    assert_eq!(out, hex!("00000001 ffffffff"));
}

#[test]
fn indication_flags_have_their_places() {
    let flags = Indication::default()
        .with(IndicationFlag::HANDOVER)
        .with(IndicationFlag::SCOPE);
    corresponds::<Indication>(&flags, &hex!("20 02"));
    assert!(flags.has(IndicationFlag::SCOPE) && !flags.has(IndicationFlag::OPERATION));
    assert_eq!(
        read::<Indication>(&hex!("20")).unwrap(),
        Indication::default().with(IndicationFlag::HANDOVER)
    );
}

#[test]
fn bearer_identities_are_five_to_fifteen() {
    for value in 0..=255 {
        let expected = Ebi::new(value & 15).map_err(|_| Fault::Value);
        assert_eq!(read::<EpsBearerId>(&[value]), expected);
    }
}

fn again<T: Ie>(value: &T::Value) -> Result<T::Value, Fault> {
    let mut out = Vec::new();
    T::encode(value, &mut out);
    read::<T>(&out)
}

proptest! {
    #[test]
    fn any_f_teid_survives(interface in 0_u8..64, teid in 1_u32.., v4: u32, v6: Option<u128>) {
        let v4 = Ipv4Addr::from(v4);
        let address = v6.map_or(FTeidAddr::V4(v4), |v6| FTeidAddr::V4V6(v4, v6.into()));
        let interface = Interface(interface);
        let value = FTeid { interface, teid: Teid::new(teid).unwrap(), address };
        prop_assert_eq!(again::<FTeid>(&value), Ok(value));
    }

    #[test]
    fn any_identity_survives(imsi in "[0-9]{6,15}", msisdn in "[0-9]{3,15}", imei in "[0-9]{15}") {
        let imsi = imsi.parse().unwrap();
        prop_assert_eq!(again::<ImsiIe>(&imsi), Ok(imsi));
        let msisdn = msisdn.parse().unwrap();
        prop_assert_eq!(again::<MsisdnIe>(&msisdn), Ok(msisdn));
        let mei = imei.parse::<Imei>().unwrap().into();
        prop_assert_eq!(again::<Mei>(&mei), Ok(mei));
    }

    #[test]
    fn any_apn_survives(text in "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,3}") {
        let apn: Apn = text.parse().unwrap();
        prop_assert_eq!(again::<AccessPointName>(&apn), Ok(apn));
    }
}
