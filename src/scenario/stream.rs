//! Steady streams of probes, from a UE and to it.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::BTreeMap;

use heiiki_types::Instant;
use heiiki_ue_sim::{Event as UeEvent, StreamReport, UeCommand};

use super::operate::relative;
use super::report::{StreamRecord, around_t0};
use super::run::{Outcome, Run};
use crate::lab::{DownlinkStream, Network};
use crate::log::NodeEvent;
use crate::plan::{Destination, SimRef};

/// The UE's port for downlink probes: below the range of its own flows.
const SINK: u16 = 4_747;
/// Downlink probes are at least this close: whatever still passes after a cut is to be seen, and
/// between gateway and MME that is a matter of milliseconds.
const CLOSE: Duration = Duration::from_millis(1);
/// How long both directions are watched before an order is given.
const LEAD: Duration = Duration::from_millis(50);
/// How long a UE may take to report a stream.
const REPORT: Duration = Duration::from_secs(5);

/// A stream under way.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) sim: SimRef,
    token: u64,
    host: Ipv4Addr,
    every: Duration,
    began: Instant,
    log_at: usize,
    downlink: Option<Downlink>,
}

/// The other direction.
#[derive(Debug)]
struct Downlink {
    number: u64,
    token: u64,
    every: Duration,
    began: Instant,
}

impl<N: Network> Run<'_, N> {
    /// Starts a stream to a host that echoes.
    pub(super) fn start_streams(
        &mut self,
        ues: &[SimRef],
        to: &Destination,
        every: Duration,
    ) -> Outcome {
        self.stop_streams(ues);
        let mut outcome = Outcome::default();
        let mut started = 0;
        for sim in ues {
            let target = self
                .targets(*sim, to)
                .into_iter()
                .find_map(|t| match t.address {
                    IpAddr::V4(host) => Some(host),
                    IpAddr::V6(_) => None,
                });
            let Some(host) = target else {
                outcome.unproved.push(self.nowhere(*sim, to));
                continue;
            };
            if !self.imsi(*sim).is_some_and(|i| self.ledger.ue(i).attached) {
                outcome
                    .unproved
                    .push(format!("{} is not attached", self.name(*sim)));
                continue;
            }
            let (began, log_at) = (self.lab.now(), self.lab.log().len());
            let token = self.lab.start_stream(&self.name(*sim), host, every);
            let downlink = None;
            self.streams.push(Stream {
                sim: *sim,
                token,
                host,
                every,
                began,
                log_at,
                downlink,
            });
            started += 1;
        }
        outcome.detail = format!(
            "{started} started, a packet every {}",
            crate::observe::short(every)
        );
        outcome
    }

    /// Starts the other direction for those of the UEs that have a stream, and watches it flow.
    pub(super) fn watch_downlink(&mut self, ues: &[SimRef]) {
        let mut streams = core::mem::take(&mut self.streams);
        let mut started = false;
        for stream in streams
            .iter_mut()
            .filter(|s| ues.contains(&s.sim) && s.downlink.is_none())
        {
            stream.downlink = self.start_downlink(stream);
            started |= stream.downlink.is_some();
        }
        self.streams = streams;
        if started {
            self.lab.run_for(LEAD);
        }
    }

    fn start_downlink(&mut self, stream: &Stream) -> Option<Downlink> {
        self.read_log();
        let to = self.ledger.ue(self.imsi(stream.sim)?).address?;
        let tenant = self.tenant(stream.sim);
        let tenants = self.lab.plan().tenants.iter().enumerate();
        let (tenant, hosts) = tenants
            .filter(|(_, t)| t.name == tenant)
            .map(|(n, t)| (n, &t.hosts))
            .next()?;
        let own = hosts.iter().any(|h| h.address == IpAddr::V4(stream.host));
        let first = hosts.iter().find_map(|h| match h.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        let from = if own { stream.host } else { first? };
        let every = stream.every.min(CLOSE);
        let began = self.lab.now();
        let token = self.lab.listen(&self.name(stream.sim), SINK);
        let down = DownlinkStream {
            tenant,
            from,
            to,
            port: SINK,
            every,
        };
        let number = self.lab.network().start_downlink(&down);
        Some(Downlink {
            number,
            token,
            every,
            began,
        })
    }

    /// Stops the streams of these UEs, both directions, and keeps what they saw.
    pub(super) fn stop_streams(&mut self, ues: &[SimRef]) -> Outcome {
        let all = core::mem::take(&mut self.streams);
        let (mine, others) = all.into_iter().partition(|s| ues.contains(&s.sim));
        self.streams = others;
        let mine: Vec<Stream> = mine;
        if mine.is_empty() {
            return Outcome::note("there was no stream");
        }
        let reports = self.reports(&mine);
        let (mut sent, mut answered, mut down) = (0, 0, None);
        let mut last = String::new();
        for stream in &mine {
            let report = reports.get(&stream.token).copied();
            let answer = report.and_then(|r| r.last_received_at);
            if let (Some(t0), Some(answer)) = (self.t0(stream.sim), answer) {
                last = format!(", last answer {}", around_t0(relative(t0, answer)));
            }
            sent += report.map_or(0, |r| r.sent);
            answered += report.map_or(0, |r| r.answered);
            self.ended_streams.push(self.record(
                stream,
                "uplink",
                stream.every,
                stream.began,
                report,
            ));
            if let Some(downlink) = &stream.downlink {
                let report = reports.get(&downlink.token).copied();
                down = Some(down.unwrap_or(0) + report.map_or(0, |r| r.answered));
                let (every, began) = (downlink.every, downlink.began);
                self.ended_streams
                    .push(self.record(stream, "downlink", every, began, report));
            }
        }
        let down = down.map_or_else(String::new, |n| format!("; {n} came down"));
        Outcome::note(format!("{sent} sent, {answered} answered{last}{down}"))
    }

    fn record(
        &self,
        stream: &Stream,
        direction: &'static str,
        interval: Duration,
        began_us: Instant,
        report: Option<StreamReport>,
    ) -> StreamRecord {
        let (sim, host) = (self.name(stream.sim), stream.host.into());
        StreamRecord {
            sim,
            direction,
            host,
            interval,
            began_us,
            report,
        }
    }

    /// What streams and sinks saw, by token. A UE that lost its bearer has reported already.
    fn reports(&mut self, streams: &[Stream]) -> BTreeMap<u64, StreamReport> {
        let mut waiting: BTreeMap<u64, SimRef> = BTreeMap::new();
        for stream in streams {
            waiting.insert(stream.token, stream.sim);
            if let Some(downlink) = &stream.downlink {
                self.lab.network().stop_downlink(downlink.number);
                waiting.insert(downlink.token, stream.sim);
            }
        }
        let from = streams.iter().map(|s| s.log_at).min().unwrap_or(0);
        let log = self.lab.log().get(from..).unwrap_or_default();
        let mut done: BTreeMap<u64, StreamReport> = log
            .iter()
            .filter_map(|entry| report(&entry.event))
            .collect();
        done.retain(|token, _| waiting.contains_key(token));
        waiting.retain(|token, _| !done.contains_key(token));
        // A UE without a bearer knows none of its streams: it is not worth waiting for.
        self.read_log();
        waiting.retain(|_, sim| self.imsi(*sim).is_some_and(|i| self.ledger.ue(i).attached));
        let from = self.lab.log().len();
        for (token, sim) in &waiting {
            self.lab
                .network()
                .command(sim.0, UeCommand::StopStream { token: *token });
        }
        done.extend(self.collect(from, REPORT, waiting.len(), |entry| {
            report(&entry.event).filter(|(token, _)| waiting.contains_key(token))
        }));
        done
    }
}

fn report(event: &NodeEvent) -> Option<(u64, StreamReport)> {
    match event {
        NodeEvent::Ue {
            event: UeEvent::StreamDone { token, report },
            ..
        } => Some((*token, *report)),
        _ => None,
    }
}
