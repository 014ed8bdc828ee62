//! The parts about the user plane.

use core::time::Duration;

use heiiki_net::clock::nanos;

use super::sgw::{Session, Sgw};
use super::stage::{HOST, Stage, failed};
use super::tcp::{self, Way};
use super::traffic::{IMIX, Load, Plane};
use super::{Bench, Checked, Part, Plan, float, must, say};
use crate::cli::bench::server::{Folder, Server};
use crate::cli::bench::table::Row;
use crate::cli::failure::Failure;

/// The size that most figures are about: octets of inner packets.
const WHOLE: usize = 1_400;
/// Packets a session of a downlink run, for each second of it: more than can come.
const A_SECOND: u64 = 20_000;
/// How long counters must stand still before they count.
const STILL: Duration = Duration::from_millis(20);

/// A gateway with its sessions, and what was measured of it.
pub(super) struct Run<'a> {
    pub(super) bench: &'a Bench,
    pub(super) plan: &'a Plan,
    pub(super) stage: Stage,
    pub(super) sgw: Sgw,
    pub(super) plane: Plane,
    pub(super) folder: &'a Folder,
    pub(super) rows: &'a mut Vec<Row>,
    pub(super) checked: &'a mut Checked,
    /// The client port of the last connections.
    pub(super) port: u16,
}

/// One run uplink.
#[derive(Clone, Copy, Debug, Default)]
struct Up {
    /// Packets passed on, a second.
    rate: f64,
    /// Nanoseconds of the receiver's processor for one.
    cost: f64,
    /// The share that was lost, in hundredths.
    lost: f64,
    gigabits: f64,
}

impl Run<'_> {
    pub(super) fn all(&mut self) -> Result<(), Failure> {
        let session = self.session()?;
        self.plane.echo(session)?;
        if self.bench.wants(Part::Uplink) {
            self.uplinks("uplink, 1,400 octets, sender with GSO", &[WHOLE], true)?;
            self.uplinks("uplink, 1,400 octets, a call a packet", &[WHOLE], false)?;
        }
        if self.bench.wants(Part::Imix) {
            self.uplinks("uplink, simple IMIX, sender with GSO", &IMIX, true)?;
        }
        if self.bench.nowhere.is_some() {
            return Ok(());
        }
        if self.bench.wants(Part::Downlink) {
            self.downlinks("downlink, 1,400 octets", 1_400)?;
        }
        if self.bench.wants(Part::Imix) {
            self.downlinks("downlink, simple IMIX", 0)?;
        }
        if self.bench.wants(Part::Tcp) {
            for (way, one, many) in [
                (
                    Way::Down,
                    "TCP from the segment, one flow",
                    "TCP from the segment, many flows",
                ),
                (
                    Way::Up,
                    "TCP into the segment, one flow",
                    "TCP into the segment, many flows",
                ),
            ] {
                self.flows(one, way, 1)?;
                self.flows(many, way, self.plan.flows)?;
            }
        }
        Ok(())
    }

    fn session(&self) -> Result<Session, Failure> {
        let first = self.sgw.sessions.first().copied();
        first.ok_or_else(|| failed("there is no session"))
    }

    /// As much as there can be, then nine parts in ten of what passed, beside a process that only
    /// receives.
    fn uplinks(&mut self, what: &'static str, sizes: &[usize], cut: bool) -> Result<(), Failure> {
        let mut figures: [Vec<f64>; 7] = Default::default();
        for run in 0..self.plan.runs {
            say(format_args!("{what} ({})", run + 1));
            let time = self.plan.time;
            let most = self.up(sizes, cut, None, time)?;
            let bare = self.bare(sizes, cut, time / 2)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is positive and small"
            )]
            let rate = (most.rate * 0.95) as u64;
            let gentle = self.up(sizes, cut, Some(rate.max(1)), time)?;
            let values = [
                most.rate / 1e3,
                most.gigabits,
                most.cost,
                bare.rate / 1e3,
                bare.cost,
                most.rate / bare.rate,
                gentle.lost,
            ];
            for (figure, value) in figures.iter_mut().zip(values) {
                figure.push(value);
            }
        }
        let names = [
            (what, "kpps"),
            ("  of inner packets", "Gbps"),
            ("  processor time of the gateway for one", "ns"),
            ("  a loop that only receives", "kpps"),
            ("  its processor time for one", "ns"),
            ("  rate by that loop's", "times"),
            ("  lost at 95 % of the rate", "%"),
        ];
        for ((name, unit), values) in names.into_iter().zip(figures) {
            self.rows.push(Row::new(name, unit, values));
        }
        Ok(())
    }

    fn load<'a>(
        &self,
        sizes: &'a [usize],
        cut: bool,
        rate: Option<u64>,
        time: Duration,
    ) -> Load<'a> {
        Load {
            sizes,
            time,
            rate,
            cut,
            to: self.bench.nowhere.unwrap_or(HOST),
        }
    }

    fn up(
        &mut self,
        sizes: &[usize],
        cut: bool,
        rate: Option<u64>,
        time: Duration,
    ) -> Result<Up, Failure> {
        let session = self.session()?;
        let is_counted = self.bench.nowhere.is_none();
        let before = self.stage.passed(self.folder)?;
        let sunk = if is_counted {
            self.plane.ask_sink(session)?
        } else {
            (0, 0)
        };
        let asked = self.stage.passed(self.folder)?;
        let cpu = self.stage.server.cpu().unwrap_or(0);
        let start = nanos();
        let load = self.load(sizes, cut, rate, time);
        let sent = self.plane.uplink(own(&self.sgw, self.plan), load);
        let (after, end) = self.still(asked)?;
        let cpu = self.stage.server.cpu().unwrap_or(0).saturating_sub(cpu);
        let passed = after[0] - asked[0];
        must(after[2] == before[2], "the gateway refused packets")?;
        must(
            passed > 0 && passed <= sent.packets,
            "it passed on what was not sent",
        )?;
        if is_counted {
            let now = self.plane.ask_sink(session)?;
            must(
                now.0 - sunk.0 == passed,
                format_args!("passed {passed}, the sink has {}", now.0 - sunk.0),
            )?;
        }
        self.checked.uplink += passed;
        let seconds = float(end - start) / 1e9;
        Ok(Up {
            rate: float(passed) / seconds,
            cost: float(cpu) / float(passed),
            lost: 100.0 * float(sent.packets - passed) / float(sent.packets),
            gigabits: float(sent.octets) / float(sent.packets) * float(passed) * 8.0
                / seconds
                / 1e9,
        })
    }

    /// Waits until the counters stand still; when they did.
    fn still(&self, mut last: [u64; 3]) -> Result<([u64; 3], u64), Failure> {
        let mut at = nanos();
        loop {
            let now = self.stage.passed(self.folder)?;
            if now == last && nanos() - at > u64::try_from(STILL.as_nanos()).unwrap_or(0) {
                return Ok((now, at));
            }
            if now != last {
                (last, at) = (now, nanos());
            }
        }
    }

    /// The same traffic to a process that only receives, on the gateway's core.
    fn bare(&mut self, sizes: &[usize], cut: bool, time: Duration) -> Result<Up, Failure> {
        let address = self.stage.gateway(0).to_string();
        let args = ["drain", address.as_str()];
        let server = Server::start("bench-pgw", &args, self.bench.pgw_core, &self.folder.path)?;
        let address = server.address("address")?;
        let mut plane = Plane::open(self.stage.sgw(0), address)?;
        let session = self.session()?;
        let sunk = plane.ask_sink(session)?;
        let cpu = server.cpu().unwrap_or(0);
        let start = nanos();
        let load = Load {
            to: HOST,
            ..self.load(sizes, cut, None, time)
        };
        let sent = plane.uplink(own(&self.sgw, self.plan), load);
        let now = plane.ask_sink(session)?;
        let seconds = float(nanos() - start) / 1e9;
        let cpu = server.cpu().unwrap_or(0).saturating_sub(cpu);
        let got = now.0 - sunk.0;
        Ok(Up {
            rate: float(got) / seconds,
            cost: float(cpu) / float(got.max(1)),
            lost: 100.0 * float(sent.packets.saturating_sub(got)) / float(sent.packets.max(1)),
            gigabits: 0.0,
        })
    }

    fn flows(&mut self, what: &'static str, way: Way, count: usize) -> Result<(), Failure> {
        let (mut rates, mut costs) = (Vec::new(), Vec::new());
        for run in 0..self.plan.runs {
            say(format_args!("{what} ({})", run + 1));
            let sessions = self.sgw.sessions.get(..count).unwrap_or_default();
            let cpu = self.stage.server.cpu().unwrap_or(0);
            self.port = self.port.wrapping_add(1).max(10_000);
            let ran = tcp::run(&mut self.plane, sessions, way, self.plan.time, self.port)?;
            let cpu = self.stage.server.cpu().unwrap_or(0).saturating_sub(cpu);
            rates.push(ran.0 * 8.0 / 1e9);
            costs.push(float(cpu) / float(ran.1.max(1)) * 1_400.0);
        }
        self.rows.push(Row::new(what, "Gbps", rates));
        let name = "  processor time of the gateway for 1,400 octets";
        self.rows.push(Row::new(name, "ns", costs));
        Ok(())
    }

    fn downlinks(&mut self, what: &'static str, size: u16) -> Result<(), Failure> {
        let mut figures: [Vec<f64>; 4] = Default::default();
        let sessions = u64::try_from(self.plan.sessions).unwrap_or(1);
        let millis = u64::try_from(self.plan.time.as_millis()).unwrap_or(0);
        let each = (A_SECOND * 100 / sessions * millis / 1_000).clamp(10, 4_000_000);
        let each = u32::try_from(each).unwrap_or(10);
        for run in 0..self.plan.runs {
            say(format_args!("{what} ({})", run + 1));
            let before = self.stage.passed(self.folder)?;
            let cpu = self.stage.server.cpu().unwrap_or(0);
            let came = self
                .plane
                .downlink(own(&self.sgw, self.plan), (each, size, 0))?;
            let cpu = self.stage.server.cpu().unwrap_or(0).saturating_sub(cpu);
            let (after, _) = self.still(before)?;
            let passed = after[1] - before[1];
            must(came.late == 0, "packets of a session were reordered")?;
            must(came.strange == 0, "packets came that nobody asked for")?;
            let wanted = u64::from(each) * sessions;
            must(
                passed == wanted,
                format_args!("passed {passed} of {wanted}"),
            )?;
            must(
                came.packets + came.lost == wanted,
                "lost ones do not add up",
            )?;
            self.checked.downlink += came.packets;
            let seconds = float(came.nanos.max(1)) / 1e9;
            let values = [
                float(came.packets) / seconds / 1e3,
                float(came.octets) * 8.0 / seconds / 1e9,
                float(cpu) / float(passed),
                100.0 * float(came.lost) / float(passed),
            ];
            for (figure, value) in figures.iter_mut().zip(values) {
                figure.push(value);
            }
        }
        let names = [
            (what, "kpps"),
            ("  of inner packets", "Gbps"),
            ("  processor time of the gateway for one", "ns"),
            ("  lost on the way to the SGW", "%"),
        ];
        for ((name, unit), values) in names.into_iter().zip(figures) {
            self.rows.push(Row::new(name, unit, values));
        }
        Ok(())
    }
}

/// The sessions that plain traffic belongs to.
fn own<'a>(sgw: &'a Sgw, plan: &Plan) -> &'a [Session] {
    sgw.sessions.get(..plan.sessions).unwrap_or_default()
}
