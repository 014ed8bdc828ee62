//! `hss aka`: the SIM authenticator as an offline tool.

mod check;
mod derive;
mod key_file;

use core::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use heiiki_hss::auc::offline::{Challenge, Outputs, vector};
use heiiki_hss::auc::sqn::Sqn;
use heiiki_types::{PlmnId, from_hex};
use zeroize::{Zeroize as _, Zeroizing};

use super::failure::{Exit, Outcome};
use super::out;
pub(super) use key_file::keys;

/// Compute what a SIM and an HSS compute, without either
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka vector --key-file sim.key --amf 8000 --sqn 000000000021 \\
      --rand 23553cbe9637a89d218ae64dae47bf35 --plmn 00101
  hss aka check-autn --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --autn 55f328b43577800059bcea576837152b
  hss aka auts check --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --auts ba853f3c123ccf44e93596e355c6
  hss aka opc --key-file sim.key")]
pub(super) struct Aka {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Vector(Vector),
    CheckAutn(check::CheckAutn),
    Auts(check::Auts),
    Opc(derive::Opc),
    Kasme(derive::Kasme),
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
    match aka.command {
        Command::Vector(args) => execute_vector(&args),
        Command::CheckAutn(args) => check::autn(&args),
        Command::Auts(args) => check::auts(args),
        Command::Opc(args) => derive::opc(&args),
        Command::Kasme(args) => derive::kasme(&args),
    }
}

/// A result in lines for a person, or as one JSON object. It may hold keys, so it is wiped.
fn write(json: bool, members: &[(&str, Zeroizing<String>, &str)]) -> Outcome {
    // Room for all, so that no half-written copy is left behind.
    let mut text = Zeroizing::new(String::with_capacity(1_024));
    for (place, (name, value, what)) in members.iter().enumerate() {
        let value = value.as_str();
        let _ = match (json, place) {
            (true, 0) => write!(text, "{{\"{name}\":{value}"),
            (true, _) => write!(text, ",\"{name}\":{value}"),
            (false, _) => writeln!(text, "{name:11} {}  {what}", value.trim_matches('"')),
        };
    }
    if json {
        text.push_str("}\n");
    }
    out::text(&text)?;
    Ok(Exit::Done)
}

/// Octets as a JSON text.
fn hex(octets: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(heiiki_types::to_hex(octets));
    Zeroizing::new(["\"", &digits, "\""].concat())
}

fn plain(value: impl core::fmt::Display) -> Zeroizing<String> {
    Zeroizing::new(value.to_string())
}

fn execute_vector(args: &Vector) -> Outcome {
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
