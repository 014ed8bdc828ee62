//! `heiiki explain`.

use core::fmt::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::{Exit, Outcome};
use super::out;
use crate::file;
use crate::plan::{
    Action, Assert, AttachExpect, Cause, Direction, Egress, Expect, Figure, Lab, LinkRule,
    Scenario, SimRef, Step, UeToUe, Value, Via,
};
use crate::scenario::title;

/// Say in words what a scenario does and what must hold
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  heiiki explain fixtures/scenarios/lost-sim.toml
  heiiki explain fixtures/scenarios/lost-sim.toml --size full")]
pub(super) struct Explain {
    /// The scenario file
    #[arg(value_name = "SCENARIO.toml")]
    scenario: PathBuf,
    /// Whose counts and thresholds are told
    #[arg(long, value_enum, default_value_t = Size::Ci)]
    size: Size,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Size {
    Ci,
    Dev,
    Full,
}

pub(super) fn execute(args: &Explain) -> Outcome {
    let size = match args.size {
        Size::Ci => file::Size::Ci,
        Size::Dev => file::Size::Dev,
        Size::Full => file::Size::Full,
    };
    let scenario = file::load_scenario(&args.scenario, size)?;
    let mut text = String::new();
    // A string takes everything.
    let _ = explain(&scenario, out::style_of_output().width, &mut text);
    out::text(&text)?;
    Ok(Exit::Done)
}

fn explain(scenario: &Scenario, width: usize, out: &mut String) -> fmt::Result {
    writeln!(out, "{}", scenario.title)?;
    for paragraph in scenario
        .about
        .split("\n\n")
        .filter(|p| !p.trim().is_empty())
    {
        out.push('\n');
        wrap(paragraph, width, out);
    }
    writeln!(out, "\nThe network")?;
    network(&scenario.lab, out)?;
    writeln!(out, "\nWhat is done")?;
    for (number, step) in (1..).zip(&scenario.steps) {
        let at = step.at.as_secs_f64();
        writeln!(
            out,
            "  {number:>3}. from {at} s: {}",
            title::of_step(step, &scenario.lab)
        )?;
        let details = details(step, &scenario.lab);
        if !details.is_empty() {
            writeln!(out, "       {}", details.join("; "))?;
        }
    }
    writeln!(out, "\nWhat must hold at the end")?;
    for assert in &scenario.asserts {
        writeln!(out, "    - {}", statement(assert, &scenario.lab))?;
    }
    if !scenario.weakened.is_empty() {
        writeln!(
            out,
            "\nProtections that are off: {}",
            scenario.weakened.join(", ")
        )?;
    }
    Ok(())
}

/// Fills lines with the words of a text.
fn wrap(text: &str, width: usize, out: &mut String) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column != 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column != 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
}

fn network(lab: &Lab, out: &mut String) -> fmt::Result {
    for tenant in &lab.tenants {
        let prefixes: Vec<String> = tenant
            .prefixes
            .iter()
            .map(|p| {
                format!(
                    "{}{}",
                    p.prefix,
                    if p.owned_global {
                        " (global, owned)"
                    } else {
                        ""
                    }
                )
            })
            .collect();
        let mut parts = vec![prefixes.join(", ")];
        parts.extend(
            tenant
                .hosts
                .iter()
                .map(|h| format!("{} at {}", h.name, h.address)),
        );
        parts.push(match tenant.ue_to_ue {
            UeToUe::Deny => "its UEs do not reach each other".to_owned(),
            UeToUe::Allow => "its UEs reach each other".to_owned(),
        });
        writeln!(out, "    tenant {}: {}", tenant.name, parts.join("; "))?;
    }
    for apn in &lab.apns {
        let egress = match apn.egress {
            Egress::Closed => "closed",
            Egress::OpenLab => "opened for the positive control",
        };
        writeln!(
            out,
            "    access point {} of {}: addresses from {}, {egress}",
            apn.apn, apn.tenant, apn.pool
        )?;
    }
    let mut groups: Vec<(&str, &str, usize)> = Vec::new();
    for sim in &lab.sims {
        match groups.iter_mut().find(|(group, ..)| *group == sim.group) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((&sim.group, &sim.tenant, 1)),
        }
    }
    for (group, tenant, count) in groups {
        match count {
            1 => writeln!(out, "    a SIM {group} of {tenant}")?,
            _ => writeln!(
                out,
                "    {count} SIMs {group}-1 to {group}-{count} of {tenant}"
            )?,
        }
    }
    Ok(())
}

/// What a step's title leaves out.
fn details(step: &Step, lab: &Lab) -> Vec<String> {
    let who = |ues: &[SimRef]| (ues.len() > 1).then(|| format!("UEs: {}", names(ues, lab)));
    let mut details = Vec::new();
    match &step.action {
        Action::Attach {
            ues,
            apn,
            spread,
            expect,
        } => {
            details.extend(who(ues));
            details.extend(apn.as_ref().map(|apn| format!("they ask for {apn}")));
            if !spread.is_zero() {
                details.push(format!("spread over {} s", spread.as_secs_f64()));
            }
            details.push(attach_expect(*expect));
        }
        Action::Reattach { ues, expect, .. } => {
            details.extend(who(ues));
            details.push(attach_expect(*expect));
        }
        Action::Probe {
            ues, over, expect, ..
        } => {
            details.extend(who(ues));
            let over: Vec<String> = over.iter().map(|v: &Via| title::via(*v)).collect();
            details.push(format!("over {}", over.join(", ")));
            details.push(expectation(*expect).to_owned());
        }
        Action::HttpGet { ues, expect, .. }
        | Action::FileGet { ues, expect, .. }
        | Action::Dns { ues, expect, .. } => {
            details.extend(who(ues));
            details.push(expectation(*expect).to_owned());
        }
        Action::Ping {
            ues, count, expect, ..
        } => {
            details.extend(who(ues));
            details.push(format!("{count} times"));
            details.push(expectation(*expect).to_owned());
        }
        Action::ProbeStart { ues, every, .. } => {
            details.extend(who(ues));
            details.push(format!("one every {} ms", every.as_secs_f64() * 1_000.0));
        }
        Action::Operate { reason, actor, .. } => {
            details.push(format!("ordered by {actor}: {reason}"));
        }
        Action::Wait { time } => details.push(format!("for {} s", time.as_secs_f64())),
        Action::Expect(assert) => details.push(statement(assert, lab)),
        Action::Link {
            rule: LinkRule::Nth { fate, .. },
            ..
        } => details.push(format!("{fate:?}")),
        Action::Detach { .. }
        | Action::ProbeStop { .. }
        | Action::Crash(_)
        | Action::Restart(_)
        | Action::Link { .. } => {}
    }
    details
}

/// Whole groups by their names, then SIMs one by one, the first few of them.
fn names(ues: &[SimRef], lab: &Lab) -> String {
    /// SIMs that are named; more of them tell nobody anything.
    const NAMED: usize = 6;
    let sim = |ue: &SimRef| lab.sims.get(ue.0);
    let mut words: Vec<&str> = Vec::new();
    let mut singles: Vec<&str> = Vec::new();
    for ue in ues.iter().filter_map(sim) {
        let all = lab.sims.iter().filter(|s| s.group == ue.group).count();
        let here = ues
            .iter()
            .filter_map(sim)
            .filter(|s| s.group == ue.group)
            .count();
        if all == here && all > 1 {
            if !words.contains(&ue.group.as_str()) {
                words.push(&ue.group);
            }
        } else {
            singles.push(&ue.name);
        }
    }
    let more = singles.len().saturating_sub(NAMED);
    words.extend(singles.into_iter().take(NAMED));
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{}{more}", words.join(", "))
}

fn attach_expect(expect: AttachExpect) -> String {
    match expect {
        AttachExpect::Accepted => "must be accepted".to_owned(),
        AttachExpect::Any => "whatever comes of it".to_owned(),
        AttachExpect::Rejected { cause, protected } => {
            let cause = cause.map_or_else(String::new, |c| format!(" with {}", self::cause(c)));
            let protected = match protected {
                Some(true) => ", integrity-protected",
                Some(false) => ", without protection",
                None => "",
            };
            format!("must be refused{cause}{protected}")
        }
    }
}

const fn expectation(expect: Expect) -> &'static str {
    match expect {
        Expect::Answered => "must be answered",
        Expect::Refused => "must not be answered",
        Expect::Any => "whatever comes of it",
    }
}

fn cause(cause: Cause) -> String {
    match cause {
        Cause::Emm(number) => format!("EMM cause #{number}"),
        Cause::Esm(number) => format!("ESM cause #{number}"),
    }
}

fn statement(assert: &Assert, lab: &Lab) -> String {
    let value = match assert.value {
        Value::Count(count) => count.to_string(),
        Value::Time(time) => format!("{} s", time.as_secs_f64()),
        Value::Cause(number) => cause(number),
        Value::Flag(flag) => flag.to_string(),
        Value::Address(address) => address.to_string(),
    };
    let control = if assert.control {
        " (positive control)"
    } else {
        ""
    };
    let (name, of) = (figure(&assert.figure), subject(&assert.figure, lab));
    let op = title::op(assert.op);
    format!("{}: {name}{of} {op} {value}{control}", assert.name)
}

/// A figure as files write it.
const fn figure(figure: &Figure) -> &'static str {
    match figure {
        Figure::Attached { .. } => "attached",
        Figure::AttachRejects { .. } => "attach_rejects",
        Figure::RejectCause { .. } => "reject_cause",
        Figure::RejectProtected { .. } => "reject_protected",
        Figure::Address { .. } => "address",
        Figure::TimeToCut {
            direction: Direction::Uplink,
            ..
        } => "time_to_cut.uplink",
        Figure::TimeToCut {
            direction: Direction::Downlink,
            ..
        } => "time_to_cut.downlink",
        Figure::ProbeTimeToCut { .. } => "time_to_cut.probe",
        Figure::PacketsAfterCut { .. } => "packets_after_cut",
        Figure::ProbesAnswered { .. } => "probes.answered",
        Figure::ProbesRefused { .. } => "probes.refused",
        Figure::ProbesUnexplained => "probes.unexplained",
        Figure::TransfersIntact { .. } => "transfers.intact",
        Figure::TransfersCorrupt => "transfers.corrupt",
        Figure::SentinelPackets { .. } => "sentinel.packets",
        Figure::Drops { .. } => "drops",
        Figure::Events { .. } => "events",
    }
}

/// Whose figure it is.
fn subject(figure: &Figure, lab: &Lab) -> String {
    let one = |ue: &SimRef| Some(title::sims(lab, &[*ue]));
    let list = |ues: &Option<Vec<SimRef>>| ues.as_ref().map(|u| names(u, lab));
    let of = match figure {
        Figure::Attached { tenant }
        | Figure::TransfersIntact { tenant }
        | Figure::SentinelPackets { tenant }
        | Figure::Drops {
            tenant,
            reason: None,
        } => tenant.clone(),
        Figure::Drops {
            tenant,
            reason: Some(reason),
        } => {
            let tenant = tenant
                .as_ref()
                .map_or_else(String::new, |t| format!("{t}, "));
            Some(format!("{tenant}{reason}"))
        }
        Figure::AttachRejects { ues } => list(ues),
        Figure::ProbesAnswered { ues, to } | Figure::ProbesRefused { ues, to } => {
            let to = to
                .as_ref()
                .map(|t| format!("to {}", title::destination(lab, t)));
            let parts: Vec<String> = list(ues).into_iter().chain(to).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        }
        Figure::RejectCause { ue }
        | Figure::RejectProtected { ue }
        | Figure::Address { ue }
        | Figure::TimeToCut { ue, .. }
        | Figure::ProbeTimeToCut { ue }
        | Figure::PacketsAfterCut { ue } => one(ue),
        Figure::Events { event } => Some(event.clone()),
        Figure::ProbesUnexplained | Figure::TransfersCorrupt => None,
    };
    of.map_or_else(String::new, |of| format!(" ({of})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_lines() {
        let mut out = String::new();
        wrap("one two\n three  four", 9, &mut out);
        assert_eq!(out, "one two\nthree\nfour\n");
    }
}
