use heiiki_types::{from_hex, to_hex};
use serde_json::{Value, json};

use super::*;
use crate::testing;

fn filter(text: &str, identifier: u8, precedence: u8) -> PacketFilter {
    PacketFilter {
        identifier,
        precedence,
        ..text.parse().unwrap()
    }
}

/// A filter in the form that the other implementation gives its reading.
fn component_values(component: &Component) -> Value {
    let octets = |o: &[u8]| Value::from(to_hex(o));
    let value = match component {
        Component::Ipv4Remote { address, mask } | Component::Ipv4Local { address, mask } => {
            json!([octets(&address.octets()), octets(&mask.octets())])
        }
        Component::Ipv6Remote { address, mask } => {
            json!([octets(&address.octets()), octets(&mask.octets())])
        }
        Component::Ipv6RemotePrefix { address, length }
        | Component::Ipv6LocalPrefix { address, length } => {
            json!([octets(&address.octets()), length])
        }
        Component::Protocol(protocol) => json!(protocol),
        Component::LocalPort(port) | Component::RemotePort(port) => json!(port),
        Component::LocalPortRange { low, high } | Component::RemotePortRange { low, high } => {
            json!([low, high])
        }
        Component::SecurityParameterIndex(index) => json!(index),
        Component::TypeOfService { value, mask } => json!([value, mask]),
        Component::FlowLabel(label) => json!(label),
    };
    json!([component.kind(), value])
}

fn values(tft: &Tft) -> Value {
    let direction = |d| match d {
        Direction::Unspecified => 0,
        Direction::Downlink => 1,
        Direction::Uplink => 2,
        Direction::Bidirectional => 3,
    };
    let filters: Vec<Value> = match &tft.operation {
        Operation::Delete(identifiers) => identifiers.iter().map(|i| json!([0, i])).collect(),
        other => other
            .filters()
            .iter()
            .map(|f| {
                let whole = Tft::new(Operation::Add(alloc::vec![f.clone()])).encode();
                let components: Vec<Value> = f.components.iter().map(component_values).collect();
                let length = whole.len() - 4;
                json!([
                    0,
                    direction(f.direction),
                    f.identifier,
                    f.precedence,
                    length,
                    components
                ])
            })
            .collect(),
    };
    let parameters = tft.parameters.iter().map(|p| match p {
        Parameter::AuthorizationToken(token) => json!([1, token.len(), to_hex(token)]),
        Parameter::FlowIdentifier { component, flow } => {
            json!([2, 4, format!("{component:04x}{flow:04x}")])
        }
        Parameter::PacketFilterIdentifiers(list) => json!([3, list.len(), to_hex(list)]),
    });
    let has = u8::from(!tft.parameters.is_empty());
    let mut all = json!([tft.operation.code(), has, filters.len(), filters]);
    if has == 1 {
        let list: Vec<Value> = parameters.collect();
        all.as_array_mut().unwrap().push(list.into());
    }
    all
}

#[test]
fn vectors_read_as_another_implementation_does_and_write_unchanged() {
    let samples = testing::tfts();
    assert_eq!(samples.len(), 12);
    for (sample, reading) in samples {
        let tft = Tft::decode(&sample.octets).unwrap();
        assert_eq!(values(&tft), reading, "{}", sample.name);
        assert_eq!(
            to_hex(&tft.encode()),
            to_hex(&sample.octets),
            "{}",
            sample.name
        );
    }
}

#[test]
fn spoiled_octets_never_panic_and_what_is_read_is_written_alike() {
    let corpus: Vec<Vec<u8>> = testing::tfts().into_iter().map(|(s, _)| s.octets).collect();
    let check = |octets: &[u8]| {
        if let Ok(tft) = Tft::decode(octets) {
            assert_eq!(Tft::decode(&tft.encode()), Ok(tft));
        }
    };
    testing::sweep(&corpus, check);
    testing::mutate(24_008, &corpus, check);
}

fn decode_kind(hex: &str) -> TftFaultKind {
    Tft::decode(&from_hex(hex).unwrap()).unwrap_err().kind
}

#[test]
fn syntactic_errors_in_the_operation_ts_24_301_6_4_3_4_b() {
    for hex in [
        "",             // nothing at all
        "20",           // create, no filters
        "60",           // add, no filters
        "80",           // replace, no filters
        "a0",           // delete, no filters
        "4130040103",   // delete existing, with a filter
        "c1",           // no operation, with a filter
        "c0",           // no operation, no parameters
        "e0",           // reserved
        "01",           // ignore, with a count
        "21",           // one filter said, none there
        "22300a023011", // two filters said, one there
        "21300a02301100",
        "a201",
        "d0030501", // a parameter that runs over the end
        "d00200",   // a flow identifier without its four octets
    ] {
        assert_eq!(decode_kind(hex), TftFaultKind::SyntacticOperation, "{hex}");
    }
    let fault = Tft::decode(&[0x20]).unwrap_err();
    assert_eq!(fault.cause().0, 75);
    assert_eq!(fault.cause_of_aggregate().0, 98);
}

#[test]
fn syntactic_errors_in_filters_ts_24_301_6_4_2_4_d() {
    for hex in [
        "21300a00",                                     // no components
        "21300a0131",                                   // reserved component
        "21300a0130",                                   // component without its value
        "21300a0430113011",                             // twice the protocol
        "21300a085000355100350036",                     // a remote port and a range
        "21300a084000354100350036",                     // a local port and a range
        "21300a1221fd00000000000000000000000000000081", // 129 bits of prefix
    ] {
        assert_eq!(decode_kind(hex), TftFaultKind::SyntacticFilter, "{hex}");
    }
    let fault = Tft::decode(&from_hex("21300a00").unwrap()).unwrap_err();
    assert_eq!(fault.cause().0, 77);
    assert_eq!(fault.cause_of_aggregate().0, 77);
}

#[test]
fn two_tokens_without_flows_are_a_semantic_error() {
    assert_eq!(
        decode_kind("d001010101010201"),
        TftFaultKind::SemanticOperation
    );
    // An unknown parameter is discarded.
    let tft = Tft::decode(&from_hex("d07f0101030100").unwrap()).unwrap();
    assert_eq!(
        tft.parameters,
        [Parameter::PacketFilterIdentifiers(alloc::vec![0])]
    );
}

fn apply(
    operation: Operation,
    kind: BearerKind,
    existing: Option<&[PacketFilter]>,
    others: &[u8],
) -> Result<Vec<u8>, u8> {
    let applied = Tft::new(operation).apply(kind, existing, others);
    applied
        .map(|filters| filters.iter().map(|f| f.identifier).collect())
        .map_err(|fault| fault.cause().0)
}

#[test]
fn a_new_bearer_takes_a_new_template_only_ts_24_301_6_4_2_4() {
    use BearerKind::Dedicated;
    let voice = || filter("udp remote-port 5004", 1, 10);
    let new = |filters: &[PacketFilter]| {
        apply(
            Operation::CreateNew(filters.to_vec()),
            Dedicated,
            None,
            &[7],
        )
    };
    assert_eq!(new(&[voice()]), Ok(alloc::vec![1]));
    assert_eq!(new(&[]), Err(75));
    // a) another operation
    let add = Operation::Add(alloc::vec![voice()]);
    assert_eq!(apply(add, Dedicated, None, &[]), Err(74));
    // c) a filter that nothing fits, and no filter for the uplink
    let reversed = PacketFilter {
        components: alloc::vec![Component::RemotePortRange { low: 2, high: 1 }],
        ..voice()
    };
    assert_eq!(new(&[reversed]), Err(76));
    assert_eq!(new(&[filter("down udp", 1, 10)]), Err(76));
    // d) identifiers and precedences that are not unique
    assert_eq!(new(&[voice(), filter("udp", 1, 11)]), Err(77));
    assert_eq!(new(&[voice(), filter("udp", 2, 10)]), Err(77));
    assert_eq!(new(&[filter("udp", 2, 7)]), Err(77));
}

#[test]
fn operations_on_existing_filters_ts_24_301_6_4_3_4() {
    use BearerKind::{Dedicated, Default};
    let has = [filter("udp", 1, 10), filter("tcp", 2, 11)];
    let has = Some(has.as_slice());
    let list = |identifier, precedence| alloc::vec![filter("icmp", identifier, precedence)];
    let add = Operation::Add(list(3, 12));
    assert_eq!(apply(add, Dedicated, has, &[]), Ok(alloc::vec![1, 2, 3]));
    let clash = Operation::Add(list(3, 10));
    assert_eq!(apply(clash, Dedicated, has, &[]), Err(77));
    let replace = Operation::Replace(list(2, 11));
    assert_eq!(apply(replace, Dedicated, has, &[]), Ok(alloc::vec![1, 2]));
    // What is not there is no error: the filter is added, or nothing is deleted.
    let replace = Operation::Replace(list(9, 13));
    assert_eq!(
        apply(replace, Dedicated, has, &[]),
        Ok(alloc::vec![1, 2, 9])
    );
    let delete = |i| Operation::Delete(alloc::vec![i]);
    assert_eq!(apply(delete(9), Dedicated, has, &[]), Ok(alloc::vec![1, 2]));
    assert_eq!(apply(delete(2), Dedicated, has, &[]), Ok(alloc::vec![1]));
    assert_eq!(
        apply(Operation::DeleteExisting, Dedicated, has, &[]),
        Err(74)
    );
    assert_eq!(
        apply(Operation::DeleteExisting, Default, has, &[]),
        Ok(Vec::new())
    );
    let all = Operation::Delete(alloc::vec![1, 2]);
    assert_eq!(apply(all, Dedicated, has, &[]), Ok(Vec::new()));
    let many: Vec<PacketFilter> = (3..16).map(|n| filter("icmp", n, n + 20)).collect();
    assert_eq!(
        apply(Operation::Add(many[..13].to_vec()), Dedicated, has, &[]).map(|f| f.len()),
        Ok(15)
    );
    let more: Vec<PacketFilter> = (2..16).map(|n| filter("icmp", n, n + 20)).collect();
    let mut more = more;
    more[0].identifier = 0;
    assert_eq!(apply(Operation::Add(more), Dedicated, has, &[]), Err(74));
}

#[test]
fn components_that_contradict_each_other_are_a_semantic_error() {
    let contradiction = |components: &[Component]| {
        let filter = PacketFilter {
            identifier: 0,
            direction: Direction::Uplink,
            precedence: 0,
            components: components.to_vec(),
        };
        filter.check().map_err(|f| f.cause().0)
    };
    let v4 = Component::Ipv4Remote {
        address: Ipv4Addr::new(10, 20, 0, 9),
        mask: Ipv4Addr::BROADCAST,
    };
    let spi = Component::SecurityParameterIndex(1);
    assert_eq!(contradiction(&[v4, Component::FlowLabel(1)]), Err(76));
    assert_eq!(
        contradiction(&[Component::Protocol(1), Component::RemotePort(1)]),
        Err(76)
    );
    assert_eq!(contradiction(&[Component::Protocol(6), spi]), Err(76));
    assert_eq!(contradiction(&[Component::RemotePort(1), spi]), Err(76));
    assert_eq!(contradiction(&[v4, Component::Protocol(50), spi]), Ok(()));
    assert_eq!(contradiction(&[v4, Component::LocalPort(1)]), Ok(()));
}

#[test]
fn a_filter_is_read_from_a_text() {
    // The text of the first vector.
    let (sample, _) = testing::tfts().remove(0);
    let tft = Tft::decode(&sample.octets).unwrap();
    let text = "both remote 10.20.0.9 udp remote-port 5004-5100 precedence 10";
    assert_eq!(tft.operation.filters(), [text.parse().unwrap()]);
    let texts = [
        "up tcp remote 10.20.0.0/16 local 10.45.0.2/32 local-port 502 precedence 1",
        "down protocol 50 spi 0xdeadbeef precedence 255",
        "both remote fd00:20::/64 local fd00:45:0:1::/64 flow 0x12345 precedence 0",
        "both tos 0xb8/0xfc precedence 3",
    ];
    for text in texts {
        assert_eq!(text.parse::<PacketFilter>().unwrap().to_string(), text);
    }
}

#[test]
fn a_text_that_is_no_filter_says_what_is_wrong() {
    for (text, says) in [
        ("", "needs a condition"),
        ("up", "needs a condition"),
        ("udp quickly", "`quickly`"),
        ("remote", "needs a value"),
        ("remote 10.20.0.1/16", "an address or a prefix"),
        ("remote-port 70000", "a port or a range"),
        ("remote-port 20-10", "ends before it begins"),
        ("udp tcp", "once"),
        ("remote-port 1 remote-port 2-3", "once"),
        ("remote 10.0.0.1 remote fd00::1", "one address on each side"),
        ("remote 10.0.0.1 local fd00::1", "IPv4 and on IPv6"),
        ("icmp remote-port 7", "ports of a protocol that has none"),
        ("tos 0x1ff", "an octet"),
        ("flow 0x100000", "20 bits"),
    ] {
        let error = text.parse::<PacketFilter>().unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
