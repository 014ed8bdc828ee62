use super::*;
use serde_json::{Value, json};

const K: &str = "465b5ce8b199b49faa5f0a2ee238a6bc";
const OPC: &str = "cd63cb71954a9f4e48a5994e37a02baf";

#[derive(Default)]
struct Taken {
    rows: Vec<(u64, Value)>,
    bad: Vec<String>,
    imsis: Vec<u64>,
}

impl Take for Taken {
    fn row(&mut self, line: u64, imsi: u64, json: &[u8]) -> io::Result<()> {
        self.rows
            .push((line, serde_json::from_slice(json).unwrap()));
        self.imsis.push(imsi);
        Ok(())
    }

    fn bad(&mut self, bad: Bad) {
        self.bad.push(bad.to_string());
    }
}

fn defaults() -> Defaults {
    Defaults {
        tenant: Some("red".to_owned()),
        group: None,
        apns: vec!["red.corp".parse().unwrap()],
    }
}

fn read_text(text: &str, form: Form, defaults: &Defaults) -> (Taken, Result<Notes, Stop>) {
    use core::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("heiiki-bulk-{}-{n}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let mut taken = Taken::default();
    let notes = read(&path, form, defaults, &mut taken);
    std::fs::remove_file(&path).unwrap();
    (taken, notes)
}

fn csv(text: &str) -> Taken {
    let (taken, notes) = read_text(text, Form::Csv, &defaults());
    notes.unwrap();
    taken
}

#[test]
fn a_vendor_s_file_is_taken_as_it_is() {
    let text = format!(
        "\u{feff}IMSI;ICCID;ACC;PIN1;PUK1;Ki;OPC;ADM1;KIC1\r\n\
         001010000000001;8988211000000000001;0001;1234;12345678;{K};{OPC};11111111;00\r\n"
    );
    let (taken, notes) = read_text(&text, Form::Csv, &defaults());
    assert_eq!(taken.bad, [""; 0]);
    let row = json!({ "imsi": "001010000000001", "k": K, "opc": OPC, "tenant": "red",
        "apns": [{ "apn": "red.corp" }] });
    assert_eq!(taken.rows, [(2, row)]);
    assert_eq!(taken.imsis, [1_001_010_000_000_001]);
    let ignored = notes.unwrap().ignored;
    assert_eq!(ignored, ["ICCID", "ACC", "PIN1", "PUK1", "ADM1", "KIC1"]);
}

#[test]
fn a_card_tool_s_file_is_taken_too() {
    let text = format!(
        "name,iccid,mcc,mnc,imsi,smsp,ki,opc,adm1\n\
         \"Magic, Inc\",898821,001,01,001010000000001,,{K},{OPC},1\n"
    );
    assert_eq!(csv(&text).rows.len(), 1);
}

#[test]
fn every_column_of_our_own_form() {
    let text = format!(
        "imsi\tk\top\tamf\tsqn\tmsisdn\ttenant\tgroup\tapn\tpdn\tstatic_ip\tstatic_ipv6\tqci\tarp\tapn_uplink\t\
         apn_downlink\tuplink\tdownlink\tbarring\taccess_restriction\tperiodic_update_s\tstate\n\
         001010000000002\t{K}\t{OPC}\tb9b9\t00000000ff20\t+819011112222\tblue\tphones\ta.corp b.corp\t\
         v4_v6\t- 10.0.0.2\t2001:db8:0:1::/64\t9 5\t8/+/- 1\t1000\t2Mbps\t1Gbps\t50Mbps\t2\t4\t3600\tstandby\n"
    );
    let taken = csv(&text);
    assert_eq!(taken.bad, [""; 0]);
    let arp = |level: u8, preempt: bool, preempted: bool| {
        json!({ "priority_level": level,
        "may_preempt": preempt, "may_be_preempted": preempted })
    };
    let ambr = json!({ "uplink_bps": 1000, "downlink_bps": 2_000_000 });
    let want = json!({
        "imsi": "001010000000002", "k": K, "op": OPC, "amf": "b9b9", "sqn": 65312,
        "msisdn": "819011112222", "tenant": "blue", "group": "phones",
        "apns": [
            { "apn": "a.corp", "pdn": "v4_v6", "static_ipv6": "2001:db8:0:1::/64", "qci": 9, "arp": arp(8, true, false), "ambr": ambr },
            { "apn": "b.corp", "pdn": "v4_v6", "static_ip": "10.0.0.2", "qci": 5,
              "arp": arp(1, false, true), "ambr": ambr },
        ],
        "ue_ambr": { "uplink_bps": 1_000_000_000, "downlink_bps": 50_000_000 },
        "barring": 2, "access_restriction": 4, "periodic_update_s": 3600, "state": "standby",
    });
    // Parts that are given once are for the first access point or for all.
    let mut got = taken.rows[0].1.clone();
    for apn in got["apns"].as_array_mut().unwrap() {
        apn["ambr"] = ambr.clone();
    }
    assert_eq!(got, want);
}

#[test]
fn every_bad_row_has_its_line_column_and_reason_and_no_digit_of_a_key() {
    let text = format!(
        "# cards of May\nimsi,ki,opc,static_ip,qci\n\
         00101000000000x,{K},{OPC},,\n\
         001010000000001,{short},{OPC},,\n\
         001010000000002,{K},,10.0.0.300,x\n\
         001010000000003,{K},{OPC}\n\
         001010000000004,\"{K},{OPC},,\n\
         001010000000005,{OPC}{K},{OPC},,9\n",
        short = &K[1..],
    );
    let taken = csv(&text);
    let all = taken.bad.join("\n");
    for part in [
        "line 3, imsi: an IMSI is 6 to 15 decimal digits",
        "line 4, k: a key of 16 octets is 32 hexadecimal digits",
        "line 5, static_ip: write an IPv4 address",
        "line 5, qci: write a number from 1 to 255",
        "line 6: the row has 3 fields, the head line has 5",
        "line 7: a quote is not closed",
        "line 8, k: a key",
    ] {
        assert!(all.contains(part), "{part} in:\n{all}");
    }
    assert!(!all.contains(&K[1..9]) && !all.contains(&OPC[..8]), "{all}");
    assert_eq!(taken.rows.len(), 0);
}

#[test]
fn a_head_line_that_is_a_row_shows_nothing_of_it() {
    let text = format!("001010000000001,{K},{OPC}\n");
    let (_, notes) = read_text(&text, Form::Csv, &defaults());
    let Err(Stop::Head(bad)) = notes else {
        panic!("it is no head line");
    };
    let all = format!("{bad:?}");
    assert!(all.contains("column 2") && !all.contains(&K[..8]), "{all}");
    for text in ["imsi,imsi\n", "ki,opc\n", "imsi,kk_nonsense\n"] {
        let (_, notes) = read_text(text, Form::Csv, &defaults());
        assert!(matches!(notes, Err(Stop::Head(_))), "{text}");
    }
}

#[test]
fn lines_of_json_and_what_an_export_has_beside_them() {
    let text = format!(
        "{{\"imsi\":\"001010000000001\",\"ki\":\"{K}\",\"opc\":\"{OPC}\",\"seq\":4,\"mme\":null,\
         \"apns\":[{{\"apn\":\"a\"}}]}}\n\
         {{\"imsi\":\"001010000000002\",\"k\":\"{K}\",\"opc\":\"{OPC}\",\"nonsense\":1}}\n\
         {K}\n"
    );
    let (taken, _) = read_text(&text, Form::JsonLines, &defaults());
    assert_eq!(taken.rows.len(), 1);
    assert_eq!(taken.rows[0].1["apns"], json!([{ "apn": "a" }]));
    assert_eq!(taken.bad.len(), 2, "{:?}", taken.bad);
    let all = taken.bad.join("\n");
    assert!(all.contains("line 2") && !all.contains(&K[..8]), "{all}");
}

#[test]
fn a_line_without_end_is_bad_and_the_next_one_is_read() {
    let text = format!(
        "imsi,k,opc\n{}\n001010000000001,{K},{OPC}\n",
        "x".repeat(1 << 20)
    );
    let taken = csv(&text);
    assert_eq!((taken.rows.len(), taken.bad.len()), (1, 1));
    assert!(taken.bad[0].contains("too long"), "{:?}", taken.bad);
}

#[test]
fn what_neither_file_nor_call_gives_is_missed() {
    let none = Defaults::default();
    let text = format!("imsi,k,opc\n001010000000001,{K},{OPC}\n");
    let (taken, _) = read_text(&text, Form::Csv, &none);
    let all = taken.bad.join("\n");
    assert!(
        all.contains("tenant: it is missing") && all.contains("apn: it is missing"),
        "{all}"
    );
}
