//! Orders of the operator, and the certificates of cuts.

use core::time::Duration;
use std::collections::BTreeMap;

use heiiki_types::{Imsi, Instant, Method};
use serde_json::{Value, json};

use super::report::{CERTIFICATE, CutReport, DirectionView, whole_micros};
use super::run::{Outcome, Run};
use super::title;
use crate::lab::{AdminOf, Cut, Network};
use crate::log::{Entry, NodeEvent};
use crate::observe::{Stamps, short};
use crate::plan::{NodeName, SimRef, Verb};

/// How long the end of a run waits for a cut to be clean.
const CLEAN: Duration = Duration::from_secs(5);
/// How long it waits for the UE's detach, which only the MME sees.
const DETACH: Duration = Duration::from_secs(5);

/// A cut whose certificate can still change.
#[derive(Clone, Debug)]
pub(super) struct OpenCut {
    pub(super) sim: SimRef,
    imsi: Imsi,
    certificate: Cut,
    /// The first entry of the log after the order was given.
    log_at: usize,
    /// Packets of the SIM's sessions when the order was answered, by session.
    at_answer: BTreeMap<u64, u64>,
}

impl<N: Network> Run<'_, N> {
    /// Has the operator act on SIMs.
    pub(super) fn operate(
        &mut self,
        ues: &[SimRef],
        verb: Verb,
        reason: &str,
        actor: &str,
        within: Duration,
    ) -> Outcome {
        match verb {
            Verb::DeleteSession => return self.delete_sessions(ues, actor),
            Verb::EmergencyCut => return self.emergency_cut(ues, reason, actor),
            _ => {}
        }
        let is_cut = is_cut(verb);
        self.close_cuts(|sim| ues.contains(&sim));
        if is_cut {
            self.watch_downlink(ues);
        }
        let mut outcome = Outcome::default();
        let mut done = Vec::new();
        for sim in ues {
            let body = json!({ "reason": reason, "actor": actor });
            match self.order(*sim, verb, &body.to_string(), within) {
                Ok(cut) if cut.is_done() => done.push(cut),
                Ok(cut) => {
                    let name = self.name(*sim);
                    outcome
                        .faults
                        .push(format!("{name}: the order is still {}", cut.verdict));
                }
                Err(why) => outcome.faults.push(format!("{}: {why}", self.name(*sim))),
            }
        }
        let slowest = |way: fn(&(Duration, Duration)) -> Duration| {
            done.iter()
                .filter_map(Cut::time_to_cut)
                .map(|t| way(&t))
                .max()
        };
        let (count, of) = (done.len(), ues.len());
        outcome.detail = match (slowest(|t| t.0), slowest(|t| t.1)) {
            (Some(up), Some(down)) if is_cut => {
                format!(
                    "{count}/{of} dark: uplink {}, downlink {}",
                    short(up),
                    short(down)
                )
            }
            _ if is_cut => format!("{count}/{of} dark"),
            _ if verb == Verb::Isolate => format!("{count}/{of} isolated"),
            _ => format!("{count}/{of} lifted"),
        };
        outcome
    }

    fn order(
        &mut self,
        sim: SimRef,
        verb: Verb,
        body: &str,
        within: Duration,
    ) -> Result<Cut, String> {
        let imsi = self.imsi(sim).ok_or("there is no such SIM")?;
        let log_at = self.lab.log().len();
        let target = format!("/v1/subscribers/{imsi}/{}", title::verb(verb));
        let response = self.lab.admin(AdminOf::Hss, Method::Post, &target, body);
        let text = String::from_utf8_lossy(&response.body).into_owned();
        if !(200..300).contains(&response.status) {
            return Err(format!("refused with status {}: {text}", response.status));
        }
        let cut: Cut = serde_json::from_str(&text).map_err(|e| format!("unreadable: {e}"))?;
        let at_answer = self.session_packets(imsi);
        let certificate = self
            .lab
            .follow(cut, within, Cut::is_done)
            .map_err(|e| e.to_string())?;
        if is_cut(verb) {
            let certificate = certificate.clone();
            self.cuts.push(OpenCut {
                sim,
                imsi,
                certificate,
                log_at,
                at_answer,
            });
        }
        Ok(certificate)
    }

    /// Cuts at the gateway alone: the HSS hears of it when it looks.
    fn emergency_cut(&mut self, ues: &[SimRef], reason: &str, actor: &str) -> Outcome {
        let mut outcome = Outcome::default();
        let mut cut = 0;
        for sim in ues {
            let Some(imsi) = self.imsi(*sim) else {
                continue;
            };
            let body = json!({ "imsi": imsi, "reason": reason, "actor": actor }).to_string();
            let target = "/v1/emergency-cut";
            let response = self.lab.admin(AdminOf::Pgw, Method::Post, target, &body);
            if response.status == 200 {
                cut += 1;
            } else {
                let why = String::from_utf8_lossy(&response.body);
                outcome.faults.push(format!("{}: {why}", self.name(*sim)));
            }
        }
        outcome.detail = format!("{cut}/{} cut at the gateway", ues.len());
        outcome
    }

    /// Ends sessions at the gateway, without a bar: the SIM may come back at once.
    fn delete_sessions(&mut self, ues: &[SimRef], actor: &str) -> Outcome {
        let mut outcome = Outcome::default();
        let mut ended = 0;
        for sim in ues {
            let Some(imsi) = self.imsi(*sim) else {
                continue;
            };
            let body = json!({ "actor": actor }).to_string();
            for session in self.session_counters(imsi) {
                let id = session.get("id").and_then(Value::as_u64).unwrap_or(0);
                let target = format!("/v1/sessions/{id}/delete");
                let response = self.lab.admin(AdminOf::Pgw, Method::Post, &target, &body);
                if response.status == 200 {
                    ended += 1;
                } else {
                    let why = String::from_utf8_lossy(&response.body);
                    outcome
                        .faults
                        .push(format!("{}: session {id}: {why}", self.name(*sim)));
                }
            }
        }
        outcome.detail = format!(
            "{ended} sessions of {} ended",
            title::sims(self.lab.plan(), ues)
        );
        outcome
    }

    /// Packets that the gateway has forwarded for each session of a SIM.
    fn session_packets(&mut self, imsi: Imsi) -> BTreeMap<u64, u64> {
        let sessions = self.session_counters(imsi);
        let packets = sessions.iter().filter_map(|session| {
            let count = |key: &str| session.pointer(&format!("/usage/{key}"))?.as_u64();
            let both = count("uplink_packets")? + count("downlink_packets")?;
            Some((session.get("id")?.as_u64()?, both))
        });
        packets.collect()
    }

    /// Takes the final certificates of the cuts of these SIMs.
    pub(super) fn close_cuts(&mut self, of: impl Fn(SimRef) -> bool) {
        let all = core::mem::take(&mut self.cuts);
        let (mine, others): (Vec<OpenCut>, _) = all.into_iter().partition(|cut| of(cut.sim));
        self.cuts = others;
        for mut cut in mine {
            self.stop_streams(&[cut.sim]);
            let settled = |c: &Cut| c.clean || c.verdict == "superseded";
            if let Some(latest) = self.latest(&cut) {
                let latest = self.lab.follow(latest, CLEAN, settled);
                cut.certificate = latest.unwrap_or(cut.certificate);
            }
            if cut.certificate.t2.is_some() && detached(self.lab.log(), &cut).is_none() {
                self.lab.wait(cut.log_at, DETACH, |entry| {
                    is_detached(entry, cut.imsi).then_some(())
                });
            }
            let report = self.certify(&cut);
            self.closed.push(report);
        }
    }

    /// The last cut of a SIM as it stands.
    pub(super) fn last_cut(&mut self, sim: SimRef) -> Option<CutReport> {
        if let Some(mut open) = self.cuts.iter().rfind(|cut| cut.sim == sim).cloned() {
            if let Some(latest) = self.latest(&open) {
                open.certificate = latest;
            }
            return Some(self.certify(&open));
        }
        let name = self.name(sim);
        self.closed.iter().rfind(|cut| cut.sim == name).cloned()
    }

    /// The certificate as it stands now; none while the HSS is down.
    fn latest(&mut self, cut: &OpenCut) -> Option<Cut> {
        if self.down.contains(&NodeName::Hss) {
            return None;
        }
        self.lab.cut(&cut.certificate.cut).ok()
    }

    /// The same in the words of the HSS.
    fn certificate(&mut self, id: &str) -> Value {
        if self.down.contains(&NodeName::Hss) {
            return Value::Null;
        }
        let response = self
            .lab
            .admin(AdminOf::Hss, Method::Get, &format!("/v1/cuts/{id}"), "");
        serde_json::from_slice(&response.body).unwrap_or_default()
    }

    /// When the cut of a SIM that is still open began.
    pub(super) fn t0(&self, sim: SimRef) -> Option<Instant> {
        self.cuts
            .iter()
            .rfind(|cut| cut.sim == sim)
            .map(|cut| cut.certificate.t0())
    }

    fn certify(&mut self, open: &OpenCut) -> CutReport {
        let cut = &open.certificate;
        let (stamps, sources) = stamps(cut, self.lab.log(), open);
        let packets_after_cut = self.packets_after(open);
        let certificate = self.certificate(&cut.cut);
        let micros = |stamp| cut.since_t0(stamp).map(whole_micros);
        let sim = self.name(open.sim);
        CutReport {
            imsi: open.imsi,
            verb: cut.verb.clone(),
            reason: cut.why.clone(),
            actor: cut.who.clone(),
            sources,
            time_to_cut_uplink_us: micros(cut.t5_uplink),
            time_to_cut_downlink_us: micros(cut.t5_downlink),
            packets_after_cut,
            dark: cut.dark,
            clean: stamps.clean().is_some() && cut.dark,
            uplink: self.view(&sim, "uplink", stamps.t0),
            downlink: self.view(&sim, "downlink", stamps.t0),
            // t6 is the MME's to see, and its event is at hand.
            not_observable: cut
                .not_observable
                .iter()
                .filter(|line| !(line.starts_with("t6") && stamps.t6.is_some()))
                .cloned()
                .collect(),
            certificate,
            stamps,
            sim,
        }
    }

    /// What the stream that ran at t0 saw in one direction.
    fn view(&self, sim: &str, direction: &str, t0: Instant) -> Option<DirectionView> {
        let streams = self.ended_streams.iter().rev();
        let mut streams = streams.filter(|s| s.sim == sim && s.direction == direction);
        let stream = streams.find(|s| s.began_us <= t0)?;
        let report = stream.report?;
        let relative = |at: Option<Instant>| at.map(|at| relative(t0, at));
        Some(DirectionView {
            interval: stream.interval,
            passed: report.answered,
            last_passed_sent_us: relative(report.last_answered_sent_at),
            last_received_us: relative(report.last_received_at),
        })
    }

    /// Packets that the gateway forwarded for the SIM after t5: none when it does not say when t5
    /// was. A session that was not there at t0, and that nobody allowed, counts in full.
    fn packets_after(&mut self, open: &OpenCut) -> Option<u64> {
        if self.down.contains(&NodeName::Pgw) {
            return None;
        }
        let cut = &open.certificate;
        let t5 = Instant::from_micros(cut.t5_uplink?.max(cut.t5_downlink?));
        let mut living = self.session_packets(open.imsi);
        let mut after = 0;
        let mut new = Vec::new();
        for entry in self.lab.log().get(open.log_at..).unwrap_or_default() {
            match &entry.event {
                NodeEvent::Pgw(heiiki_pgw::Event::SessionCreated { session, imsi, .. })
                    if *imsi == open.imsi =>
                {
                    new.push(u64::from(session.0));
                }
                NodeEvent::Pgw(heiiki_pgw::Event::SessionEnded {
                    session,
                    imsi,
                    usage,
                    ..
                }) if *imsi == open.imsi => {
                    let last = usage.last_uplink.max(usage.last_downlink);
                    if last.is_some_and(|last| last > t5) {
                        let all = usage.uplink_packets + usage.downlink_packets;
                        living.insert(u64::from(session.0), all);
                    }
                }
                _ => {}
            }
        }
        for (session, packets) in living {
            after += match open.at_answer.get(&session) {
                Some(before) => packets - before.min(&packets),
                None if new.contains(&session) => packets,
                // It ended between t5 and the answer, and something passed after t5.
                None => 1,
            };
        }
        Some(after)
    }
}

/// Whether a verb takes all service away.
const fn is_cut(verb: Verb) -> bool {
    matches!(verb, Verb::Suspend | Verb::Pause | Verb::Terminate)
}

/// Microseconds from t0 to a time, which may be before it.
pub(super) fn relative(t0: Instant, at: Instant) -> i64 {
    let after = i64::try_from(whole_micros(at.since(t0))).unwrap_or(i64::MAX);
    let before = i64::try_from(whole_micros(t0.since(at))).unwrap_or(i64::MAX);
    after - before
}

fn is_detached(entry: &Entry, imsi: Imsi) -> bool {
    matches!(
        &entry.event,
        NodeEvent::Mme(heiiki_mme::Event::Detached { imsi: whose, .. }) if *whose == imsi
    )
}

/// When the MME took the UE for detached.
fn detached(log: &[Entry], cut: &OpenCut) -> Option<Instant> {
    let log = log.get(cut.log_at..).unwrap_or_default();
    log.iter()
        .find(|entry| is_detached(entry, cut.imsi))
        .map(|entry| entry.at)
}

/// When the SIM was first refused after t0, and who says so.
fn first_refusal(log: &[Entry], cut: &OpenCut) -> Option<(Instant, &'static str)> {
    let t0 = cut.certificate.t0();
    let log = log.get(cut.log_at..).unwrap_or_default();
    log.iter().filter(|entry| entry.at >= t0).find_map(|entry| {
        let (whose, source) = match &entry.event {
            NodeEvent::Mme(heiiki_mme::Event::AttachRejected { imsi, .. }) => {
                (*imsi, "event of the MME: ATTACH REJECT")
            }
            NodeEvent::Pgw(heiiki_pgw::Event::BarredRequest { imsi, .. }) => {
                (Some(*imsi), "event of the gateway: barred request")
            }
            _ => return None,
        };
        (whose == Some(cut.imsi)).then_some((entry.at, source))
    })
}

/// Every stamp and where it comes from: the certificate, or else the lab's own events.
fn stamps(
    cut: &Cut,
    log: &[Entry],
    open: &OpenCut,
) -> (Stamps, BTreeMap<&'static str, &'static str>) {
    let mut sources = BTreeMap::from([("t0", CERTIFICATE)]);
    let mut of = |name, stamp: Option<u64>, other: Option<(Instant, &'static str)>| {
        let own = stamp.map(|at| (Instant::from_micros(at), CERTIFICATE));
        let (at, source) = own.or(other)?;
        sources.insert(name, source);
        Some(at)
    };
    let gone = detached(log, open).map(|at| (at, "event of the MME: detached"));
    let stamps = Stamps {
        t0: cut.t0(),
        t1: of("t1", cut.t1, None),
        t2: of("t2", cut.t2, None),
        t3: of("t3", cut.t3, None),
        t4: of("t4", cut.t4, None),
        t5_uplink: of("t5u", cut.t5_uplink, None),
        t5_downlink: of("t5d", cut.t5_downlink, None),
        t6: of("t6", cut.t6, gone),
        t7: of("t7", cut.t7, None),
        t8: of("t8", cut.t8, first_refusal(log, open)),
    };
    (stamps, sources)
}
