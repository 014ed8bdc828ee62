//! The shared store against a real PostgreSQL server: what only a shared store does.
//! `tests/postgres/with-server` starts one; see docs/ci.md.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

use core::ops::Range;
use core::time::Duration;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use heiiki_net::postgres::{Postgres, PostgresConfig, PostgresError, Report};
use heiiki_net::tls::{Connector, read_certificates};
use heiiki_types::{
    Guard, PersistSeq, Record, SharedInput, SharedOutput, StorageInput, StorageOutput,
};

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn ctl(arguments: &[&str]) -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server is told by the environment"
    )]
    let ctl = std::env::var("HEIIKI_POSTGRES_CTL").expect("run me by tests/postgres/with-server");
    let output = Command::new(ctl).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A database of its own for each test.
fn database(name: &str) -> String {
    ctl(&["sql", &format!("CREATE DATABASE {name}")]);
    #[expect(
        clippy::disallowed_methods,
        reason = "the server is told by the environment"
    )]
    let address = std::env::var("HEIIKI_POSTGRES").unwrap();
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

fn sql(address: &str, text: &str) -> String {
    let (_, name) = address.rsplit_once('/').unwrap();
    ctl(&["sql-in", name, text])
}

struct FrontEnd {
    store: Postgres,
    reports: Receiver<Report>,
}

fn config(address: &str, numbers: Range<u8>) -> PostgresConfig {
    PostgresConfig {
        address: address.parse().unwrap(),
        password: None,
        tls: None,
        numbers,
        patience: Duration::from_secs(5),
    }
}

fn open(address: &str, numbers: Range<u8>) -> Result<FrontEnd, PostgresError> {
    let (tx, reports) = channel();
    let store = Postgres::open(config(address, numbers), move |report| {
        let _ = tx.send(report);
    })?;
    Ok(FrontEnd { store, reports })
}

fn record(table: u8, key: &str, value: Option<&str>) -> Record {
    Record {
        table,
        key: key.into(),
        value: value.map(Into::into),
    }
}

fn changed(subject: &str) -> SharedInput {
    SharedInput::Changed {
        subject: subject.into(),
    }
}

impl FrontEnd {
    fn next(&self) -> Report {
        self.reports.recv_timeout(PATIENCE).unwrap()
    }

    fn refresh(&self, subject: &str) -> (u64, Vec<Record>) {
        self.store.share(SharedOutput::Refresh {
            token: 7,
            subject: subject.into(),
        });
        match self.next() {
            Report::Shared(SharedInput::Refreshed {
                token: 7,
                version,
                records,
            }) => (version, records),
            other => panic!("{other:?}"),
        }
    }

    fn guarded(&self, seq: u64, subject: &str, version: u64, records: Vec<Record>) {
        self.store.share(SharedOutput::Guarded {
            seq: PersistSeq(seq),
            guards: vec![Guard {
                subject: subject.into(),
                version: Some(version),
            }],
            records,
        });
    }

    fn expect(&self, report: impl Into<Report>) {
        assert_eq!(self.next(), report.into());
    }
}

fn persisted(seq: u64) -> Report {
    Report::Storage(StorageInput::Persisted {
        seq: PersistSeq(seq),
    })
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn a_write_that_was_decided_on_old_rows_is_refused() {
    let address = database("guards");
    let (a, b) = (
        open(&address, 0..16).unwrap(),
        open(&address, 16..32).unwrap(),
    );
    assert_eq!(a.refresh("001"), (0, vec![]));
    assert_eq!(b.refresh("001"), (0, vec![]));
    a.guarded(1, "001", 0, vec![record(3, "001", Some("lost"))]);
    a.expect(persisted(1));
    b.expect(changed("001"));
    let late = vec![
        record(3, "001", Some("active")),
        record(4, "001/x", Some("here")),
    ];
    b.guarded(1, "001", 0, late);
    b.expect(SharedInput::Conflict { seq: PersistSeq(1) });
    b.expect(persisted(1));
    // Nothing of the refused batch is there, and rows of another subject are not this one's.
    b.guarded(2, "0010", 0, vec![record(3, "0010", Some("other"))]);
    b.expect(persisted(2));
    a.expect(changed("0010"));
    assert_eq!(b.refresh("001"), (1, vec![record(3, "001", Some("lost"))]));
    let next = vec![record(3, "001", None), record(4, "001/x", Some("there"))];
    b.guarded(3, "001", 1, next);
    b.expect(persisted(3));
    a.expect(changed("001"));
    assert_eq!(
        a.refresh("001"),
        (2, vec![record(4, "001/x", Some("there"))])
    );
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn of_many_writers_with_one_version_exactly_one_wins() {
    let address = database("race");
    let ends: Vec<_> = (0..8_u8)
        .map(|n| open(&address, n..n + 1).unwrap())
        .collect();
    for round in 0..50_u64 {
        for (n, end) in ends.iter().enumerate() {
            let value = format!("{n}");
            end.guarded(
                round + 1,
                "001",
                round,
                vec![record(3, "001", Some(&value))],
            );
        }
        let mut won = Vec::new();
        for (n, end) in ends.iter().enumerate() {
            let mut conflict = false;
            loop {
                match end.next() {
                    Report::Shared(SharedInput::Conflict { seq }) if seq.0 == round + 1 => {
                        conflict = true;
                    }
                    Report::Storage(StorageInput::Persisted { seq }) if seq.0 == round + 1 => break,
                    Report::Shared(SharedInput::Changed { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            if !conflict {
                won.push(n);
            }
        }
        let value = sql(
            &address,
            "SELECT convert_from(value, 'UTF8') FROM heiiki_row",
        );
        let [winner] = won.as_slice() else {
            panic!("round {round}: {won:?}");
        };
        assert_eq!(value, winner.to_string());
    }
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn two_processes_never_have_the_same_number() {
    let address = database("numbers");
    let first = open(&address, 0..16).unwrap();
    for overlapping in [0..16, 0..11, 10..21, 15..16] {
        let refused = open(&address, overlapping.clone());
        assert!(
            matches!(refused, Err(PostgresError::NumberTaken(n)) if overlapping.contains(&n)),
            "{overlapping:?}"
        );
    }
    let _second = open(&address, 16..32).unwrap();
    drop(first);
    open(&address, 0..16).unwrap();
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn newer_tables_are_refused_and_known_ones_are_kept() {
    let address = database("schema");
    let end = open(&address, 0..32).unwrap();
    end.guarded(1, "001", 0, vec![record(1, "001", Some("kept"))]);
    end.expect(persisted(1));
    drop(end);
    sql(&address, "UPDATE heiiki_schema SET version = 99");
    let refused = open(&address, 0..32).map(|_| ()).unwrap_err();
    assert!(matches!(
        refused,
        PostgresError::NewerSchema { found: 99, .. }
    ));
    assert!(
        refused
            .to_string()
            .contains("run the version that wrote them")
    );
    sql(&address, "UPDATE heiiki_schema SET version = 1");
    let end = open(&address, 0..32).unwrap();
    assert_eq!(
        end.refresh("001"),
        (1, vec![record(1, "001", Some("kept"))])
    );
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts; stops it meanwhile"]
fn a_server_that_comes_back_is_used_again_and_nothing_is_missed() {
    let address = database("outage");
    let (a, b) = (
        open(&address, 0..16).unwrap(),
        open(&address, 16..32).unwrap(),
    );
    a.guarded(1, "001", 0, vec![record(3, "001", Some("before"))]);
    a.expect(persisted(1));
    b.expect(changed("001"));
    ctl(&["stop"]);
    for end in [&a, &b] {
        assert!(matches!(end.next(), Report::Trouble(_)));
        end.expect(SharedInput::Unavailable);
        // Void: nobody answers it, now or later.
        end.store.act(StorageOutput::Persist {
            seq: PersistSeq(2),
            records: vec![record(3, "001", Some("void"))],
        });
    }
    ctl(&["start"]);
    for end in [&a, &b] {
        loop {
            match end.next() {
                Report::Shared(SharedInput::Available) => break,
                Report::Trouble(_) | Report::Shared(SharedInput::Changed { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(
        a.refresh("001"),
        (1, vec![record(3, "001", Some("before"))])
    );
    // While one front end has no session, the other changes something: it is heard of later.
    let cut_off = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE \
                   application_name LIKE 'heiiki front end 16 %'";
    sql(&address, cut_off);
    a.guarded(3, "001", 1, vec![record(3, "001", Some("meanwhile"))]);
    a.expect(persisted(3));
    let mut heard = false;
    loop {
        match b.next() {
            Report::Shared(SharedInput::Available) => break,
            Report::Shared(SharedInput::Changed { subject }) => heard |= subject == b"001",
            _ => {}
        }
    }
    // The write may also have come after the new session had begun to listen.
    if !heard {
        b.expect(changed("001"));
    }
    assert_eq!(b.refresh("001").1, [record(3, "001", Some("meanwhile"))]);
}

#[test]
fn addresses_with_passwords_or_without_a_host_are_refused() {
    use heiiki_net::postgres::{Address, InvalidAddress};
    let parse = |text: &str| text.parse::<Address>();
    let local = [
        "postgresql://u@127.0.0.1:5433/d",
        "postgresql://u@[::1]/d",
        "host=/run/pg dbname=d",
    ];
    for text in local {
        assert!(parse(text).unwrap().is_local(), "{text}");
    }
    assert!(!parse("postgresql://u@10.0.0.1/d").unwrap().is_local());
    assert!(
        !parse("postgresql://u@127.0.0.1,10.0.0.1/d")
            .unwrap()
            .is_local()
    );
    let password = parse("postgresql://u:geheim@127.0.0.1/d");
    assert_eq!(password.unwrap_err(), InvalidAddress::Password);
    assert_eq!(
        parse("postgresql:///d").unwrap_err(),
        InvalidAddress::NoHost
    );
    assert!(matches!(
        parse("postgresql://u@h/d?x=y"),
        Err(InvalidAddress::Syntax(_))
    ));
}

/// How the server of the test is trusted: by its authority, with this name.
fn tls(name: &str) -> Connector {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server is told by the environment"
    )]
    let ca = std::env::var("HEIIKI_POSTGRES_CA").unwrap();
    Connector::new(read_certificates(ca.as_ref()).unwrap(), name).unwrap()
}

#[test]
#[ignore = "needs the PostgreSQL server that tests/postgres/with-server starts"]
fn sessions_over_tls_are_encrypted_and_the_server_is_the_one_named() {
    let address = database("over_tls");
    let sessions = |which: &str| {
        let query = format!(
            "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
             WHERE datname = 'over_tls' AND application_name LIKE 'heiiki%' AND {which}"
        );
        sql(&address, &query)
    };
    // The control: without TLS the server takes sessions too, and says that they are in the clear.
    let clear = open(&address, 0..16).unwrap();
    assert_eq!(
        (sessions("ssl"), sessions("NOT ssl")),
        ("0".into(), "2".into())
    );
    let begin = |connector| {
        let (tx, reports) = channel();
        let config = PostgresConfig {
            tls: Some(connector),
            ..config(&address, 16..32)
        };
        let store = Postgres::open(config, move |report| drop(tx.send(report)))?;
        Ok::<_, PostgresError>(FrontEnd { store, reports })
    };
    let end = begin(tls("localhost")).unwrap();
    assert_eq!(sessions("ssl AND version IN ('TLSv1.2', 'TLSv1.3')"), "2");
    assert_eq!(sessions("NOT ssl"), "2");
    end.guarded(1, "A", 0, vec![record(3, "A", Some("x"))]);
    end.expect(Report::Storage(StorageInput::Persisted {
        seq: PersistSeq(1),
    }));
    assert_eq!(end.refresh("A").0, 1);
    drop((end, clear));
    // A server with a certificate for another name is not this one.
    let refused = begin(tls("db-1.example")).err().unwrap().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}
