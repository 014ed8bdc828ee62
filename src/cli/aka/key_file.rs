//! Files with keys: a line `NAME = HEX` for each, from a file or the standard input, never from the
//! command line.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use heiiki_hss::auc::offline::Operator;
use heiiki_types::Key128;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;

/// Octets of the longest key file.
const LONGEST: usize = 4_096;

/// K, and OPc or OP.
pub(in crate::cli) fn keys(path: &Path) -> Result<(Key128, Operator), Failure> {
    let help = "a key file has two lines: `k = HEX`, and `opc = HEX` or `op = HEX`, each with 32 hexadecimal digits";
    read_file(path, help, parse)
}

/// CK and IK.
pub(super) fn session_keys(path: &Path) -> Result<(Key128, Key128), Failure> {
    let help = "the file has two lines: `ck = HEX` and `ik = HEX`, each with 32 hexadecimal digits";
    read_file(path, help, parse_session)
}

fn read_file<T>(
    path: &Path,
    help: &str,
    parse: impl FnOnce(&str) -> Result<T, Vec<String>>,
) -> Result<T, Failure> {
    let name = if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.to_string_lossy()
    };
    let text = if path.as_os_str() == "-" {
        read(io::stdin().lock())
    } else {
        File::open(path).and_then(read)
    };
    let text = text.map_err(|e| Failure::usage(format!("{name} cannot be read: {e}"), help))?;
    parse(&text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|m| format!("{name}{m}")).collect();
        Failure::usage(lines.join("\n       "), help)
    })
}

/// Reads into one buffer that is wiped; it never moves.
fn read(mut input: impl Read) -> io::Result<Zeroizing<String>> {
    let mut buffer = Zeroizing::new([0_u8; LONGEST]);
    let mut length = 0;
    loop {
        let room = buffer.get_mut(length..).unwrap_or_default();
        if room.is_empty() {
            return Err(io::Error::other("it is too long for a key file"));
        }
        match input.read(room)? {
            0 => break,
            n => length += n,
        }
    }
    let text = core::str::from_utf8(buffer.get(..length).unwrap_or_default());
    text.map(|t| Zeroizing::new(t.to_owned()))
        .map_err(io::Error::other)
}

/// K, and OPc or OP, or everything that is wrong with a file.
fn parse(text: &str) -> Result<(Key128, Operator), Vec<String>> {
    let ([k, opc, op], [has_k, has_opc, has_op], mut mistakes) = named(text, ["k", "opc", "op"]);
    if !has_k {
        mistakes.push(": k: this key is missing".to_owned());
    }
    if has_opc == has_op {
        let which = if has_op {
            "both are given: remove one"
        } else {
            "one of them is missing"
        };
        mistakes.push(format!(": opc, op: {which}"));
    }
    let operator = opc.map(Operator::Opc).or_else(|| op.map(Operator::Op));
    match (k, operator) {
        (Some(k), Some(operator)) if mistakes.is_empty() => Ok((k, operator)),
        _ => Err(mistakes),
    }
}

/// CK and IK, or everything that is wrong with a file.
fn parse_session(text: &str) -> Result<(Key128, Key128), Vec<String>> {
    let ([ck, ik], [has_ck, has_ik], mut mistakes) = named(text, ["ck", "ik"]);
    for (name, has) in [("ck", has_ck), ("ik", has_ik)] {
        if !has {
            mistakes.push(format!(": {name}: this key is missing"));
        }
    }
    match (ck, ik) {
        (Some(ck), Some(ik)) if mistakes.is_empty() => Ok((ck, ik)),
        _ => Err(mistakes),
    }
}

/// The keys of a text by their names, which of them are there at all, and everything that is wrong
/// with it as `:LINE: KEY: PROBLEM`. No value is repeated in a message: it may be most of a key.
fn named<const N: usize>(
    text: &str,
    names: [&str; N],
) -> ([Option<Key128>; N], [bool; N], Vec<String>) {
    let mut mistakes = Vec::new();
    let mut found = [const { None }; N];
    let mut seen = [0_usize; N];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            mistakes.push(format!(
                ":{number}: this is not a line of the form `{} = HEX`",
                names.first().unwrap_or(&"k")
            ));
            continue;
        };
        let name = name.trim();
        let place = names.iter().position(|n| n.eq_ignore_ascii_case(name));
        let slots = place.and_then(|p| Some((found.get_mut(p)?, seen.get_mut(p)?)));
        let Some((slot, seen)) = slots else {
            mistakes.push(format!(
                ":{number}: there is no such key; the keys are {}",
                names.join(", ")
            ));
            continue;
        };
        if *seen != 0 {
            mistakes.push(format!(":{number}: {name}: it is already in line {seen}"));
            continue;
        }
        *seen = number;
        match Key128::from_hex(value.trim().trim_matches('"')) {
            Ok(key) => *slot = Some(key),
            Err(error) => mistakes.push(format!(":{number}: {name}: {error}")),
        }
    }
    (found, seen.map(|line| line != 0), mistakes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: &str = "465b5ce8b199b49faa5f0a2ee238a6bc";

    fn mistakes(text: &str) -> Vec<String> {
        parse(text).err().unwrap_or_default()
    }

    #[test]
    fn a_key_file_has_comments_quotes_and_either_case() {
        for text in [
            format!("k = {K}\nopc = {K}\n"),
            format!(
                "# SIM 1\n\n  K=\"{}\"  # secret\nOP = {K}",
                K.to_uppercase()
            ),
        ] {
            assert!(parse(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn all_mistakes_are_told_and_no_digit_of_a_key() {
        let text = format!(
            "k = {}\nki = {K}\nnonsense\nopc = {K}\nop = {K}\nopc = {K}\n",
            &K[1..]
        );
        let mistakes = mistakes(&text);
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
        let all = mistakes.join("\n");
        for part in [
            ":1: k:",
            ":2:",
            ":3:",
            ":6: opc: it is already in line 4",
            "both are given",
        ] {
            assert!(all.contains(part), "{part} in {all}");
        }
        assert!(!all.contains("5b5c") && !all.contains("nonsense"), "{all}");
        assert_eq!(self::mistakes("").len(), 2);
    }

    #[test]
    fn an_endless_file_is_not_read_to_its_end() {
        assert!(read(io::repeat(b'#')).is_err());
    }
}
