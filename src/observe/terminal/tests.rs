use super::*;

fn row(at: u64, mark: Mark, title: &str, detail: &str) -> String {
    let row = TimelineRow {
        at: Duration::from_millis(at),
        mark,
        title: title.into(),
        detail: detail.into(),
    };
    row.render(Style::PLAIN)
}

#[test]
fn rows_are_aligned() {
    let rows = [
        row(
            0,
            Mark::Pass,
            "Everybody attaches",
            "11 of 11, slowest 84.200 ms",
        ),
        row(
            22_000,
            Mark::Fail,
            "The help desk suspends the lost SIM",
            "no answer",
        ),
        row(
            25_000,
            Mark::Note,
            "The other company, another notebook and the Internet",
            "24 probes",
        ),
    ];
    let want = "   \
   0.000 s  ok    Everybody attaches                          11 of 11, slowest 84.200 ms
  22.000 s  FAIL  The help desk suspends the lost SIM         no answer
  25.000 s  -     The other company, another notebook and the Internet
                  24 probes
";
    assert_eq!(rows.concat(), want);
}

fn summary() -> Summary {
    let at = |us: u64| Some(Instant::from_micros(22_000_000 + us));
    let stamps = Stamps {
        t0: Instant::from_micros(22_000_000),
        t1: at(1_204),
        t2: at(12),
        t3: at(8_113),
        t4: at(96),
        t5_uplink: at(110),
        t5_downlink: at(140),
        t6: at(9_000),
        t7: at(300),
        t8: at(4_011_000),
    };
    let row = |name: &str, verdict, seen: &str, wanted: &str| AssertionRow {
        name: name.into(),
        verdict,
        seen: seen.into(),
        wanted: wanted.into(),
    };
    Summary {
        title: "A lost SIM goes dark".into(),
        verdict: Verdict::Inconclusive,
        seed: 1,
        size: "ci".into(),
        clock: "virtual".into(),
        run_time: Duration::from_millis(33_250),
        owned_global: Vec::new(),
        weakened: vec!["bar".into()],
        assertions: vec![
            row("uplink is cut", Verdict::Pass, "110 us", "<= 1 s"),
            row("control", Verdict::Inconclusive, "0", "> 0"),
        ],
        cuts: vec![CutReport {
            sim: "red-1".into(),
            imsi: "001010000000001".into(),
            verb: "suspend".into(),
            reason: "left on a train".into(),
            actor: "help desk".into(),
            stamps,
            packets_after: Some(0),
            probe: Some(ProbeView {
                interval: Duration::from_millis(10),
                last_answer: None,
            }),
            not_observable: vec!["other-pgw".into()],
        }],
        out: "heiiki-out/lost-sim-1".into(),
    }
}

#[test]
fn the_verdict_names_every_stamp() {
    let want = r#"
The cut of red-1 (IMSI 001010000000001): suspend by help desk, "left on a train"

  t0   the call is authenticated and parsed               0 us
  t1   the commit is durable                          1.204 ms
  t2   CLR handed to the transport                       12 us
  t3   CLA received                                   8.113 ms
  t4   the bar is installed                              96 us
  t5u  last worker past its boundary, uplink            110 us
  t5d  last worker past its boundary, downlink          140 us
  t6   detach accepted, or given up                   9.000 ms
  t7   accounting stopped                               300 us
  t8   first refusal                                   4.011 s

  time to cut: uplink 110 us, downlink 140 us
  seen by a probe every 10.000 ms: no answer after t0
  dark after 1.204 ms, clean after 9.000 ms, packets after the cut: 0
  at gateway other-pgw the cut is not observable

  ok    uplink is cut  110 us  <= 1 s
  ?     control             0  > 0

  protection `bar` was off
INCONCLUSIVE  1 of 2 assertions hold; 33.250 s of virtual time, seed 1, size ci
evidence in heiiki-out/lost-sim-1
"#;
    assert_eq!(summary().render(Style::PLAIN), want);
}

#[test]
fn what_was_not_seen_is_not_claimed() {
    let mut summary = summary();
    for cut in &mut summary.cuts {
        cut.stamps.t5_downlink = None;
        cut.stamps.t8 = None;
        cut.packets_after = None;
    }
    let text = summary.render(Style::PLAIN);
    assert!(text.contains("downlink not observed"), "{text}");
    assert!(text.contains("dark after not observed"), "{text}");
    assert!(text.contains("none seen"), "{text}");
    assert!(
        text.contains("packets after the cut: not observed"),
        "{text}"
    );
}

#[test]
fn colour_adds_nothing_but_colour() {
    let coloured = Style {
        colour: true,
        ..Style::PLAIN
    };
    let mut text = summary().render(coloured);
    assert!(text.contains("\x1b[33;1mINCONCLUSIVE\x1b[0m"));
    while let Some(start) = text.find('\x1b') {
        let end = start + text[start..].find('m').unwrap();
        text.replace_range(start..=end, "");
    }
    assert_eq!(text, summary().render(Style::PLAIN));
}
