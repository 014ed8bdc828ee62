//! Pages, files and names.

use std::collections::BTreeMap;

use core::net::IpAddr;

use heiiki_ue_sim::{Event as UeEvent, ProbeOutcome, UeCommand};

use super::report::{ProbeRecord, TransferRecord};
use super::run::{Outcome, Run};
use super::target::Target;
use super::{probe, title};
use crate::lab::Network;
use crate::log::NodeEvent;
use crate::observe::short;
use crate::plan::{Destination, Expect, SimRef, Step};

/// The port of HTTP.
const HTTP: u16 = 80;

/// What came of a fetch.
#[derive(Clone, Debug)]
enum Fetched {
    Done {
        status: u16,
        bytes: u64,
        sha256: String,
        took_us: u64,
    },
    Failed {
        outcome: ProbeOutcome,
        bytes: u64,
        why: &'static str,
    },
}

impl<N: Network> Run<'_, N> {
    /// Fetches a page or file.
    pub(super) fn fetch(
        &mut self,
        step: &Step,
        ues: &[SimRef],
        host: &Destination,
        path: &str,
        expect: Expect,
    ) -> Outcome {
        let from = self.lab.log().len();
        let mut outcome = Outcome::default();
        let mut asked: BTreeMap<u64, (SimRef, Target)> = BTreeMap::new();
        for sim in ues {
            let targets = self.targets(*sim, host);
            if targets.is_empty() {
                outcome.unproved.push(self.nowhere(*sim, host));
            }
            for target in targets {
                let IpAddr::V4(dst) = target.address else {
                    continue;
                };
                let token = self.lab.token();
                let name = target.host.clone().unwrap_or_else(|| dst.to_string());
                let (port, path) = (target.port.unwrap_or(HTTP), path.to_owned());
                let get = UeCommand::HttpGet {
                    token,
                    dst,
                    port,
                    host: name,
                    path,
                };
                self.lab.network().command(sim.0, get);
                asked.insert(token, (*sim, target));
            }
        }
        let fetched = self.collect(from, step.within, asked.len(), |entry| {
            fetched(&asked, &entry.event)
        });
        let mut times = Vec::new();
        let (mut answered, of) = (0, asked.len());
        for (token, (sim, target)) in asked {
            let fetched = fetched.get(&token);
            let transfer = self.transfer(step, sim, &target, path, fetched);
            let is_right = transfer.is_right();
            answered += usize::from(is_right);
            times.extend(transfer.took_us.filter(|_| is_right));
            let met = match expect {
                Expect::Answered => is_right,
                Expect::Refused => transfer.status.is_none(),
                Expect::Any => true,
            };
            if !met {
                outcome.faults.push(fault(&transfer));
            }
            let host = title::destination(self.lab.plan(), host);
            self.probes
                .push(row(step, sim, &transfer, host, target.address, fetched));
            self.transfers.push(transfer);
        }
        times.sort_unstable();
        outcome.detail = match times.get(times.len() / 2) {
            Some(median) => {
                let median = short(core::time::Duration::from_micros(*median));
                format!("{answered}/{of} came with the right hash, median {median}")
            }
            None => format!("{answered}/{of} came"),
        };
        outcome
    }

    fn transfer(
        &mut self,
        step: &Step,
        sim: SimRef,
        target: &Target,
        path: &str,
        fetched: Option<&Fetched>,
    ) -> TransferRecord {
        let tenant = self.tenant(sim);
        let host = target
            .host
            .clone()
            .unwrap_or_else(|| target.address.to_string());
        let mut record = TransferRecord {
            line: step.line,
            source: self.name(sim),
            expected: self.expected(&tenant, target.address, path),
            tenant,
            url: format!("http://{host}{path}"),
            status: None,
            bytes: 0,
            took_us: None,
            sha256: None,
            why: None,
        };
        match fetched {
            Some(Fetched::Done {
                status,
                bytes,
                sha256,
                took_us,
            }) => {
                (record.status, record.bytes) = (Some(*status), *bytes);
                (record.sha256, record.took_us) = (Some(sha256.clone()), Some(*took_us));
            }
            Some(Fetched::Failed {
                outcome,
                bytes,
                why,
            }) => {
                record.bytes = *bytes;
                record.why = Some(format!("{}: {why}", probe::word(*outcome)));
            }
            None => record.why = Some("nothing came of it in time".to_owned()),
        }
        record
    }

    /// The hash of what the tenant's own host at this address has.
    fn expected(&mut self, tenant: &str, address: IpAddr, path: &str) -> Option<String> {
        let own = self.lab.plan().tenants.iter().find(|t| t.name == tenant)?;
        let host = own
            .hosts
            .iter()
            .find(|h| h.address == address)?
            .name
            .clone();
        self.content.sha256(tenant, &host, path)
    }

    /// Asks the access point's DNS server for a name.
    pub(super) fn look_up(
        &mut self,
        step: &Step,
        ues: &[SimRef],
        name: &str,
        expect: Expect,
    ) -> Outcome {
        let from = self.lab.log().len();
        let mut asked: BTreeMap<u64, SimRef> = BTreeMap::new();
        for sim in ues {
            let token = self.lab.token();
            let query = UeCommand::DnsQuery {
                token,
                name: name.to_owned(),
                server: None,
            };
            self.lab.network().command(sim.0, query);
            asked.insert(token, *sim);
        }
        let answers = self.collect(from, step.within, asked.len(), |entry| match &entry.event {
            NodeEvent::Ue {
                event:
                    UeEvent::DnsDone {
                        token,
                        outcome,
                        rcode,
                        addresses,
                    },
                ..
            } if asked.contains_key(token) => {
                Some((*token, (*outcome, *rcode, addresses.first().copied())))
            }
            _ => None,
        });
        let mut outcome = Outcome::default();
        let (mut found, of) = (0, asked.len());
        for (token, sim) in asked {
            let nothing = (ProbeOutcome::TimedOut, None, None);
            let (came, rcode, address) = answers.get(&token).copied().unwrap_or(nothing);
            let is_found = came.is_answered() && rcode == Some(0) && address.is_some();
            found += usize::from(is_found);
            let met = match expect {
                Expect::Answered => is_found,
                Expect::Refused => !is_found,
                Expect::Any => true,
            };
            let reason = match rcode {
                Some(code) if !is_found => Some(format!("dns_rcode_{code}")),
                _ => None,
            };
            if !met {
                let source = self.name(sim);
                let what = address.map_or_else(
                    || {
                        reason
                            .clone()
                            .unwrap_or_else(|| probe::word(came).to_owned())
                    },
                    |a| a.to_string(),
                );
                outcome.faults.push(format!("{source}: {name} gave {what}"));
            }
            let mut record = probe::record(step, sim, self.name(sim), format!("name:{name}"));
            "dns".clone_into(&mut record.via);
            record.outcome = if is_found { "answered" } else { "refused" };
            (record.reason, record.address) = (reason, None);
            self.probes.push(record);
        }
        outcome.detail = format!("{found}/{of} found an address");
        outcome
    }

    /// Why a destination has no address for a SIM.
    pub(super) fn nowhere(&self, sim: SimRef, to: &Destination) -> String {
        let to = title::destination(self.lab.plan(), to);
        format!("for {} there is no {to} at this moment", self.name(sim))
    }
}

fn fetched(asked: &BTreeMap<u64, (SimRef, Target)>, event: &NodeEvent) -> Option<(u64, Fetched)> {
    let NodeEvent::Ue { event, .. } = event else {
        return None;
    };
    let (token, fetched) = match event {
        UeEvent::HttpDone {
            token,
            status,
            bytes,
            sha256,
            took_us,
            ..
        } => {
            let sha256 = sha256.to_string();
            (
                *token,
                Fetched::Done {
                    status: *status,
                    bytes: *bytes,
                    sha256,
                    took_us: *took_us,
                },
            )
        }
        UeEvent::HttpFailed {
            token,
            outcome,
            bytes,
            why,
        } => (
            *token,
            Fetched::Failed {
                outcome: *outcome,
                bytes: *bytes,
                why,
            },
        ),
        _ => return None,
    };
    asked.contains_key(&token).then_some((token, fetched))
}

fn fault(transfer: &TransferRecord) -> String {
    let TransferRecord {
        source,
        url,
        status,
        bytes,
        why,
        ..
    } = transfer;
    match (status, transfer.is_intact()) {
        (Some(_), Some(false)) => {
            format!("{source}: {url} came with a wrong hash ({bytes} octets)")
        }
        (Some(status), _) => format!("{source}: {url} gave status {status}"),
        (None, _) => format!("{source}: {url}: {}", why.as_deref().unwrap_or("no answer")),
    }
}

/// The line of the matrix.
fn row(
    step: &Step,
    sim: SimRef,
    transfer: &TransferRecord,
    destination: String,
    address: IpAddr,
    fetched: Option<&Fetched>,
) -> ProbeRecord {
    let mut record = probe::record(step, sim, transfer.source.clone(), destination);
    "http".clone_into(&mut record.via);
    record.address = Some(address);
    record.outcome = match fetched {
        Some(Fetched::Done { .. }) => "answered",
        Some(Fetched::Failed { outcome, .. }) => probe::word(*outcome),
        None => "timed_out",
    };
    if transfer.is_intact() == Some(false) {
        record.reason = Some("wrong_hash".to_owned());
    }
    record
}
