//! Keys that follow from others.

use std::path::PathBuf;

use clap::Args;
use heiiki_hss::auc::milenage;
use heiiki_hss::auc::offline::Operator;
use heiiki_nas::kdf;
use heiiki_types::PlmnId;

use super::{hex, key_file, octets, plmn, write};
use crate::cli::failure::{Failure, Outcome};

/// Compute OPc from K and OP
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka opc --key-file operator.key
  hss aka opc --key-file - --json < operator.key")]
pub(super) struct Opc {
    /// The file with the lines `k = HEX` and `op = HEX`; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// Compute KASME from CK and IK for a serving network, TS 33.401 §A.2
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hss aka kasme --key-file session.key --plmn 00101 --autn 55f328b43577800059bcea576837152b
  hss aka kasme --key-file session.key --plmn 00101 --sqn-xor-ak 55f328b43577 --json")]
pub(super) struct Kasme {
    /// The file with the lines `ck = HEX` and `ik = HEX`; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// The serving network: MCC and MNC, such as 00101
    #[arg(long, value_name = "PLMN", value_parser = plmn)]
    plmn: PlmnId,
    /// The AUTN of the challenge: SQN xor AK is its front
    #[arg(long, value_name = "HEX", value_parser = octets::<16>, required_unless_present = "sqn_xor_ak")]
    autn: Option<[u8; 16]>,
    /// SQN xor AK itself: 12 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = octets::<6>, conflicts_with = "autn")]
    sqn_xor_ak: Option<[u8; 6]>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

pub(super) fn opc(args: &Opc) -> Outcome {
    let (k, operator) = key_file::keys(&args.key_file)?;
    let Operator::Op(op) = operator else {
        let help = "give `op = HEX` instead of `opc = HEX`";
        return Err(Failure::usage("the file has OPc already", help));
    };
    let opc = milenage::opc(&k, &op);
    write(args.json, &[("opc", hex(opc.expose()), "")])
}

pub(super) fn kasme(args: &Kasme) -> Outcome {
    let (ck, ik) = key_file::session_keys(&args.key_file)?;
    let hidden = match (args.sqn_xor_ak, args.autn) {
        (Some(hidden), _) => hidden,
        (None, Some([s0, s1, s2, s3, s4, s5, ..])) => [s0, s1, s2, s3, s4, s5],
        (None, None) => return Err(Failure::usage("the AUTN is missing", "give --autn HEX")),
    };
    let kasme = kdf::kasme(&ck, &ik, args.plmn, hidden);
    write(
        args.json,
        &[("kasme", hex(kasme.expose()), "for the serving network")],
    )
}
