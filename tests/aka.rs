//! `hss aka` against vectors of other implementations.
#![cfg(feature = "cli")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::tests_outside_test_module,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod command;

use command::{Done, Folder, run};
use serde_json::Value;

fn sets(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file["sets"].as_array().unwrap().clone()
}

fn text<'v>(set: &'v Value, name: &str) -> &'v str {
    set[name].as_str().unwrap()
}

fn json(done: &Done) -> Value {
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {}", done.out))
}

/// AUTN and AUTS by two implementations that agree, KASME by two others.
#[test]
fn autn_auts_and_kasme_are_those_of_other_implementations() {
    let folder = Folder::new("aka-vectors");
    let kdf: Value =
        serde_json::from_str(include_str!("../fixtures/vectors/kdf_eps.json")).unwrap();
    let chain = kdf["derived_chain"]["sets"].as_array().unwrap();
    let aka = sets(include_str!("../fixtures/vectors/usim_aka.json"));
    let mut checked = 0;
    // Every fourth set: each call is a process.
    for (set, keys) in aka.iter().zip(chain).step_by(4) {
        let file = folder.write(
            "sim.key",
            &format!("k = {}\nopc = {}\n", text(set, "k"), text(set, "opc")),
        );
        let rand = text(set, "rand");
        let with = |args: &[&str]| {
            run(
                "hss",
                &[&["aka"], args, &["--key-file", &file, "--json"]].concat(),
            )
        };

        let checked_autn =
            json(&with(&["check-autn", "--rand", rand, "--autn", text(set, "autn")]).exits(0));
        assert_eq!(
            (&checked_autn["genuine"], &checked_autn["sqn"]),
            (&Value::from(true), &set["sqn"])
        );
        assert_eq!(
            (&checked_autn["amf"], &checked_autn["separation"]),
            (&"8000".into(), &true.into())
        );
        let forged = flip(text(set, "autn"));
        let refused = json(&with(&["check-autn", "--rand", rand, "--autn", &forged]).exits(1));
        assert_eq!(refused["genuine"], false);

        let made =
            json(&with(&["auts", "make", "--rand", rand, "--sqn", text(set, "sqn")]).exits(0));
        assert_eq!(made["auts"], set["auts_for_sqn_ms_eq_sqn"]);
        let auts = text(set, "auts_for_sqn_ms_eq_sqn");
        let opened = json(&with(&["auts", "check", "--rand", rand, "--auts", auts]).exits(0));
        assert_eq!(
            (&opened["genuine"], &opened["sqn"]),
            (&Value::from(true), &set["sqn"])
        );
        let refused =
            json(&with(&["auts", "check", "--rand", rand, "--auts", &flip(auts)]).exits(1));
        assert_eq!(refused["genuine"], false);

        let session = folder.write(
            "session.key",
            &format!("ck = {}\nik = {}\n", text(set, "ck"), text(set, "ik")),
        );
        let autn = text(set, "autn");
        for hidden in [["--autn", autn], ["--sqn-xor-ak", &autn[..12]]] {
            let args = [
                &[
                    "aka",
                    "kasme",
                    "--plmn",
                    "00101",
                    "--key-file",
                    &session,
                    "--json",
                ][..],
                &hidden,
            ]
            .concat();
            let kasme = json(&run("hss", &args).exits(0));
            assert_eq!(kasme["kasme"], keys["KASME"]);
        }
        checked += 1;
    }
    assert!(checked >= 5, "{checked}");
}

/// The last digit changed.
fn flip(hex: &str) -> String {
    let (front, last) = hex.split_at(hex.len() - 1);
    format!("{front}{}", if last == "0" { "1" } else { "0" })
}

/// OPc of the published sets.
#[test]
fn opc_is_the_published_one() {
    let folder = Folder::new("aka-opc");
    for set in sets(include_str!("../fixtures/vectors/milenage_35208.json"))
        .iter()
        .step_by(5)
    {
        let file = folder.write(
            "op.key",
            &format!("k = {}\nop = {}\n", text(set, "K"), text(set, "OP")),
        );
        let done = run("hss", &["aka", "opc", "--key-file", &file]).exits(0);
        let digits = done.out.split_whitespace().nth(1).unwrap().to_owned();
        assert_eq!(digits, text(set, "OPc").to_lowercase());
    }
    let file = folder.write(
        "opc.key",
        "k = 00000000000000000000000000000000\nopc = 00000000000000000000000000000000\n",
    );
    run("hss", &["aka", "opc", "--key-file", &file])
        .exits(64)
        .says(&["OPc already"]);
    run(
        "hss",
        &["aka", "kasme", "--key-file", &file, "--plmn", "00101"],
    )
    .exits(64);
}
