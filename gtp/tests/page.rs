//! `docs/pgw-s5.md` says of every element of every message what the gateway does with it. The page
//! is made from the presence rules, and held to them here.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

use core::fmt::Write as _;
use std::path::Path;

use heiiki_gtp::c::{ElementRule, KNOWN_TYPES, MessageType, element_rules};

const BEGIN: &str =
    "<!-- made from the presence rules: cargo test -p heiiki-gtp --test page -- --ignored -->\n";

/// A row of the specification.
struct Row<'a> {
    message: u8,
    table: &'a str,
    name: &'a str,
    ie: u8,
    instance: Option<u8>,
}

fn rows() -> Vec<Row<'static>> {
    let text = include_str!("../../fixtures/vectors/gtpv2_s5_elements.txt");
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').collect();
            let [message, table, name, ie, instance] = fields.as_slice() else {
                panic!("{line}");
            };
            Row {
                message: message.parse().unwrap(),
                table,
                name,
                ie: ie.parse().unwrap(),
                instance: instance.parse().ok(),
            }
        })
        .collect()
}

const fn state(rule: Option<&ElementRule>) -> &'static str {
    match rule {
        Some(rule) if rule.is_due => "supported, and refused without it",
        Some(_) => "supported",
        None => "ignored",
    }
}

/// Whether the table of the specification is that of a grouped element.
fn is_group(table: &str) -> bool {
    !table.ends_with("-1")
}

fn tables() -> String {
    let rows = rows();
    let mut page = String::from(BEGIN);
    for message in KNOWN_TYPES {
        let rules = element_rules(*message);
        let name = message.name().unwrap_or("?");
        let mut clause = "";
        let mut lines = String::new();
        let mut found = vec![false; rules.len()];
        for row in rows.iter().filter(|r| r.message == message.0) {
            let place = rules.iter().position(|rule| {
                rule.ie == row.ie
                    && Some(rule.instance) == row.instance
                    && rule.within.is_some() == is_group(row.table)
            });
            if let Some(place) = place {
                found[place] = true;
            }
            clause = row
                .table
                .rsplit_once('-')
                .map_or(clause, |(clause, _)| clause);
            let instance = row
                .instance
                .map_or_else(|| "any".to_owned(), |i| i.to_string());
            let rule = place.and_then(|p| rules.get(p));
            let within = if is_group(row.table) { "in it: " } else { "" };
            let (table, element, ie) = (row.table, row.name, row.ie);
            let state = state(rule);
            writeln!(
                lines,
                "| {table} | {within}{element} | {ie}, {instance} | {state} |"
            )
            .unwrap();
        }
        // Elements whose conditions name another interface, and which are read on S5/S8 too.
        for (rule, _) in rules.iter().zip(&found).filter(|(_, found)| !**found) {
            let within = if rule.within.is_some() { "in it: " } else { "" };
            let ElementRule {
                name, ie, instance, ..
            } = rule;
            let state = state(Some(rule));
            writeln!(lines, "| - | {within}{name} | {ie}, {instance} | {state} |").unwrap();
        }
        let at = if clause.is_empty() {
            String::new()
        } else {
            format!(", §{clause}")
        };
        write!(page, "\n### {name} ({}{at})\n\n", message.0).unwrap();
        if lines.is_empty() {
            page.push_str("A header alone.\n");
        } else {
            page.push_str(
                "| table | element | type, instance | the gateway |\n| --- | --- | --- | --- |\n",
            );
            page.push_str(&lines);
        }
    }
    page
}

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pgw-s5.md")
}

#[test]
fn the_page_is_what_the_rules_say() {
    let page = std::fs::read_to_string(page()).unwrap();
    let (_, made) = page.split_once(BEGIN).expect("the page has the made part");
    let told = format!("{BEGIN}{made}");
    assert!(
        told == tables(),
        "docs/pgw-s5.md is behind the presence rules: run \
         `cargo test -p heiiki-gtp --test page -- --ignored`"
    );
}

#[test]
fn every_message_of_the_rules_has_its_rows() {
    let rows = rows();
    for message in KNOWN_TYPES {
        let has = rows.iter().any(|r| r.message == message.0);
        assert!(
            has || *message == MessageType::VERSION_NOT_SUPPORTED,
            "{message}"
        );
    }
}

#[test]
#[ignore = "writes docs/pgw-s5.md"]
fn write_the_page() {
    let old = std::fs::read_to_string(page()).unwrap();
    let (head, _) = old.split_once(BEGIN).expect("the page has the made part");
    std::fs::write(page(), format!("{head}{}", tables())).unwrap();
}
