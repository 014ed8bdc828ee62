//! `hss aka vector`: the SIM authenticator as an offline tool.

use core::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use heiiki_hss::auc::offline::{Challenge, Operator, Outputs, vector};
use heiiki_hss::auc::sqn::Sqn;
use heiiki_types::{Key128, PlmnId, from_hex};
use zeroize::{Zeroize as _, Zeroizing};

use super::failure::{Exit, Failure, Outcome};
use super::out;

/// Compute what a SIM and an HSS compute, without either
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka vector --key-file sim.key --amf 8000 --sqn 000000000021 \\
      --rand 23553cbe9637a89d218ae64dae47bf35 --plmn 00101
  hss aka --help")]
pub(super) struct Aka {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Vector(Vector),
}

/// Print every function of Milenage for one challenge, with AUTN and KASME
///
/// The key file has a line `k = HEX` and a line `opc = HEX` or `op = HEX`; `#` begins a comment.
/// Keys are never taken from the command line, where every user of the machine could read them. The
/// output holds keys too: f3 is CK, f4 is IK.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka vector --key-file sim.key --amf 8000 --sqn 000000000021 \\
      --rand 23553cbe9637a89d218ae64dae47bf35 --plmn 00101
  decrypt sim.key.gpg | hss aka vector --key-file - --amf b9b9 --sqn ff9bb4d0b607 \\
      --rand 23553cbe9637a89d218ae64dae47bf35 --plmn 00101 --json")]
struct Vector {
    /// The file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Authentication management field, used as it is: 4 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<2>)]
    amf: [u8; 2],
    /// Sequence number, IND included: 12 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<6>)]
    sqn: [u8; 6],
    /// Random challenge: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<16>)]
    rand: [u8; 16],
    /// The serving network, for KASME: MCC and MNC, such as 00101
    #[arg(long, value_name = "PLMN", value_parser = plmn)]
    plmn: PlmnId,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn octets<const N: usize>(text: &str) -> Result<[u8; N], String> {
    let octets = from_hex(text).ok().and_then(|o| o.try_into().ok());
    octets.ok_or_else(|| format!("write {} hexadecimal digits", 2 * N))
}

fn plmn(text: &str) -> Result<PlmnId, String> {
    text.parse().map_err(|e| format!("{e}"))
}

pub(super) fn execute(aka: Aka) -> Outcome {
    let Command::Vector(args) = aka.command;
    let (k, operator) = keys(&args.key_file)?;
    let sqn = Sqn::from_octets(args.sqn);
    let challenge = Challenge {
        k,
        operator,
        amf: args.amf,
        sqn,
        rand: args.rand,
        plmn: args.plmn,
    };
    let mut outputs = vector(&challenge);
    let text = if args.json {
        json(&outputs)
    } else {
        lines(&outputs)
    };
    wipe(&mut outputs);
    out::text(&text)?;
    Ok(Exit::Done)
}

fn json(outputs: &Outputs) -> Zeroizing<String> {
    // Room for all, so that no half-written copy is left behind; texts always serialise.
    let mut text = Vec::with_capacity(1_024);
    let _ = serde_json::to_writer(&mut text, outputs);
    text.push(b'\n');
    Zeroizing::new(String::from_utf8(text).unwrap_or_default())
}

fn lines(outputs: &Outputs) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(1_024));
    for (name, value, what) in [
        ("f1", &outputs.f1, "MAC-A"),
        ("f1star", &outputs.f1star, "MAC-S"),
        ("f2", &outputs.f2, "RES"),
        ("f3", &outputs.f3, "CK"),
        ("f4", &outputs.f4, "IK"),
        ("f5", &outputs.f5, "AK"),
        ("f5star", &outputs.f5star, "AK of a resynchronisation"),
        ("autn", &outputs.autn, "SQN xor AK, AMF, MAC-A"),
        ("kasme", &outputs.kasme, "for the serving network"),
    ] {
        let _ = writeln!(text, "{name:6}  {value}  {what}");
    }
    text
}

fn wipe(outputs: &mut Outputs) {
    let Outputs {
        f1,
        f1star,
        f2,
        f3,
        f4,
        f5,
        f5star,
        autn,
        kasme,
    } = outputs;
    for text in [f1, f1star, f2, f3, f4, f5, f5star, autn, kasme] {
        text.zeroize();
    }
}

/// Octets of the longest key file.
const LONGEST: usize = 4_096;

fn keys(path: &std::path::Path) -> Result<(Key128, Operator), Failure> {
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
    let text = text.map_err(|e| {
        let help = "give a file with the lines `k = HEX` and `opc = HEX`, or `-`";
        Failure::usage(format!("{name} cannot be read: {e}"), help)
    })?;
    parse(&text).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(|m| format!("{name}{m}")).collect();
        let help = "a key file has two lines: `k = HEX`, and `opc = HEX` or `op = HEX`, each with 32 hexadecimal digits";
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

/// The keys of a file, or everything that is wrong with it as `:LINE: KEY: PROBLEM`. No value is
/// repeated in a message: it may be most of a key.
fn parse(text: &str) -> Result<(Key128, Operator), Vec<String>> {
    let mut mistakes = Vec::new();
    let mut found: [Option<Key128>; 3] = [None, None, None];
    let names = ["k", "opc", "op"];
    let mut seen = [0_usize; 3];
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            mistakes.push(format!(
                ":{number}: this is not a line of the form `k = HEX`"
            ));
            continue;
        };
        let name = name.trim();
        let place = names.iter().position(|n| n.eq_ignore_ascii_case(name));
        let slots = place.and_then(|p| Some((found.get_mut(p)?, seen.get_mut(p)?)));
        let Some((slot, seen)) = slots else {
            mistakes.push(format!(
                ":{number}: there is no such key; the keys are k, opc and op"
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
    let [has_k, has_opc, has_op] = seen.map(|line| line != 0);
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
    let [k, opc, op] = found;
    let operator = opc.map(Operator::Opc).or_else(|| op.map(Operator::Op));
    match (k, operator) {
        (Some(k), Some(operator)) if mistakes.is_empty() => Ok((k, operator)),
        _ => Err(mistakes),
    }
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
