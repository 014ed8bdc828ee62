//! Checking what a network sends to a SIM, and making and checking what a SIM answers.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use heiiki_hss::auc::auts as token;
use heiiki_hss::auc::milenage::Milenage;
use heiiki_hss::auc::offline::Operator;
use heiiki_hss::auc::sqn::Sqn;
use heiiki_types::constant_time_eq;

use super::{hex, key_file, octets, plain, write};
use crate::cli::failure::{Exit, Failure, Outcome};

/// Check an AUTN as a USIM would, and show what is in it
///
/// Exit code 0 when its MAC is that of this SIM, 1 when it is not. Whether the sequence number is
/// fresh only the card can tell: its number is shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka check-autn --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --autn 55f328b43577800059bcea576837152b --json")]
pub(super) struct CheckAutn {
    /// The file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Random challenge: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<16>)]
    rand: [u8; 16],
    /// What came with it: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<16>)]
    autn: [u8; 16],
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// Make or check the token with which a SIM asks for resynchronisation
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka auts make --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --sqn ff9bb4d0b607
  hss aka auts check --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --auts ba853f3c123ccf44e93596e355c6")]
pub(super) struct Auts {
    #[command(subcommand)]
    command: AutsCommand,
}

#[derive(Debug, Subcommand)]
enum AutsCommand {
    Make(Make),
    Check(Check),
}

/// Make the AUTS of a SIM whose highest accepted number is this one
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka auts make --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --sqn ff9bb4d0b607 --json")]
struct Make {
    /// The file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The challenge that it answers: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<16>)]
    rand: [u8; 16],
    /// The SIM's sequence number, IND included: 12 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<6>)]
    sqn: [u8; 6],
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// Check an AUTS as an HSS would, and show the SIM's number
///
/// Exit code 0 when this SIM made it for this challenge, 1 when it did not.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka auts check --key-file sim.key --rand 23553cbe9637a89d218ae64dae47bf35 \\
      --auts ba853f3c123ccf44e93596e355c6 --json")]
struct Check {
    /// The file with K and OPc or OP; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The challenge that it answers: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<16>)]
    rand: [u8; 16],
    /// The token: 28 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<14>)]
    auts: [u8; 14],
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

fn sim(path: &std::path::Path) -> Result<Milenage, Failure> {
    let (k, operator) = key_file::keys(path)?;
    Ok(match operator {
        Operator::Opc(opc) => Milenage::new(&k, &opc),
        Operator::Op(op) => Milenage::from_op(&k, &op),
    })
}

pub(super) fn autn(args: &CheckAutn) -> Outcome {
    let sim = sim(&args.key_file)?;
    let [s0, s1, s2, s3, s4, s5, a0, a1, mac @ ..] = args.autn;
    let (_, _, _, ak) = sim.f2345(&args.rand);
    let sqn = Sqn::from_octets(ak.xor([s0, s1, s2, s3, s4, s5]));
    let expected = sim.f1(&args.rand, sqn.octets(), [a0, a1]);
    let genuine = constant_time_eq(&expected, &mac);
    write(
        args.json,
        &[
            ("genuine", plain(genuine), "whether the MAC is this SIM's"),
            ("sqn", hex(&sqn.octets()), "SEQ and IND"),
            ("seq", plain(sqn.seq()), ""),
            ("ind", plain(sqn.ind()), ""),
            ("amf", hex(&[a0, a1]), ""),
            (
                "separation",
                plain(a0 & 0x80 != 0),
                "whether it is for E-UTRAN",
            ),
            ("mac", hex(&mac), "f1 of whoever made it"),
        ],
    )?;
    Ok(if genuine { Exit::Done } else { Exit::Failed })
}

pub(super) fn auts(args: Auts) -> Outcome {
    match args.command {
        AutsCommand::Make(args) => make(&args),
        AutsCommand::Check(args) => check(&args),
    }
}

fn make(args: &Make) -> Outcome {
    let sim = sim(&args.key_file)?;
    let auts = token::seal(&sim, &args.rand, Sqn::from_octets(args.sqn));
    let [.., m0, m1, m2, m3, m4, m5, m6, m7] = auts;
    write(
        args.json,
        &[
            ("auts", hex(&auts), "SQN xor f5star, f1star"),
            ("f1star", hex(&[m0, m1, m2, m3, m4, m5, m6, m7]), "MAC-S"),
            (
                "f5star",
                hex(sim.f5star(&args.rand).expose()),
                "AK of a resynchronisation",
            ),
        ],
    )
}

fn check(args: &Check) -> Outcome {
    let opened = token::open(&sim(&args.key_file)?, &args.rand, &args.auts);
    let Ok(sqn) = opened else {
        let why = "whether this SIM made it for this challenge";
        write(args.json, &[("genuine", plain(false), why)])?;
        return Ok(Exit::Failed);
    };
    write(
        args.json,
        &[
            (
                "genuine",
                plain(true),
                "this SIM made it for this challenge",
            ),
            ("sqn", hex(&sqn.octets()), "the highest that it accepted"),
            ("seq", plain(sqn.seq()), ""),
            ("ind", plain(sqn.ind()), ""),
        ],
    )
}
