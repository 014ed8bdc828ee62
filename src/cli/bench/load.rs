//! Load on one connection: closed loop (so many in flight) and open loop (so many a second, each
//! measured from when it was due, so that a server that stalls is not spared its victims).

use core::net::SocketAddr;
use core::time::Duration;

use heiiki_net::client::Line;
use heiiki_net::clock::nanos;

use super::histogram::Histogram;
use super::sims::{FIRST_IMSI, Sims};
use super::wire::{self, HOST, Received, Template};
use crate::cli::failure::Failure;

/// Requests in flight that can be told apart.
const SLOTS: usize = 1 << 17;
/// How long the last answers may take.
const PATIENCE: u64 = 10_000_000_000;

/// A request that waits for its answer.
#[derive(Clone, Copy, Default)]
struct Slot {
    id: u32,
    sim: u32,
    due: u64,
    waits: bool,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    pub(super) answers: u64,
    pub(super) nanos: u64,
    pub(super) times: Histogram,
}

impl Run {
    /// Answers a second.
    pub(super) fn rate(&self) -> f64 {
        super::float(self.answers) * 1e9 / super::float(self.nanos.max(1))
    }
}

/// An open S6a connection that checks all it receives.
pub(super) struct Load {
    line: Line,
    request: Template,
    location: Template,
    slots: Vec<Slot>,
    next: u32,
    random: u64,
    in_flight: usize,
    /// Answers in all.
    pub(super) answered: u64,
}

fn broken(what: impl core::fmt::Display) -> Failure {
    Failure::failed(
        format!("the connection to the HSS: {what}"),
        "see its log, hss.log in the folder of the run",
    )
}

impl Load {
    /// Connects and exchanges capabilities.
    pub(super) fn open(server: SocketAddr, state: u32) -> Result<Self, Failure> {
        let line = Line::connect(server).map_err(broken)?;
        let mut load = Self {
            line,
            request: Template::authentication(),
            location: Template::location(),
            slots: vec![Slot::default(); SLOTS],
            next: 2,
            random: 0x9e37_79b9_7f4a_7c15,
            in_flight: 0,
            answered: 0,
        };
        load.line.outgoing().extend(wire::capabilities(state));
        load.line.flush().map_err(broken)?;
        let end = nanos() + PATIENCE;
        loop {
            load.line.read().map_err(broken)?;
            if let Some(octets) = load.line.message(wire::length) {
                return match wire::read(octets) {
                    Received::Answer { result: 2001, .. } => Ok(load),
                    other => Err(broken(format!("capabilities refused: {other:?}"))),
                };
            }
            if nanos() > end {
                return Err(broken("no answer to the capabilities exchange"));
            }
            load.line.wait(100_000_000).map_err(broken)?;
        }
    }

    fn draw(&mut self, sims: u32) -> u32 {
        // xorshift64: which SIM asks next.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(((self.random >> 32) * u64::from(sims)) >> 32).unwrap_or(0)
    }

    fn slot(&mut self, id: u32) -> Option<&mut Slot> {
        let place = usize::try_from(id).unwrap_or(0) % SLOTS;
        self.slots.get_mut(place)
    }

    fn ask(&mut self, sims: u32, due: u64) {
        let sim = self.draw(sims);
        self.ask_for(sim, due, false);
    }

    fn ask_for(&mut self, sim: u32, due: u64, location: bool) {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        let template = if location {
            &self.location
        } else {
            &self.request
        };
        template.write(FIRST_IMSI + u64::from(sim), id, self.line.outgoing());
        self.in_flight += 1;
        let slot = Slot {
            id,
            sim,
            due,
            waits: true,
        };
        if let Some(place) = self.slot(id) {
            *place = slot;
        }
    }

    /// Takes what has come. Every answer is held against its request.
    fn take(&mut self, sims: &mut Sims, times: &mut Histogram) -> Result<u64, Failure> {
        self.line.read().map_err(broken)?;
        let now = nanos();
        let mut got = 0;
        let mut replies = Vec::new();
        while let Some(octets) = self.line.message(wire::length) {
            let (id, authentication, result, session, vector) = match wire::read(octets) {
                Received::Answer {
                    id,
                    authentication,
                    result,
                    session,
                    vector,
                } => (id, authentication, result, session, vector),
                Received::Request(answer) => {
                    replies.extend(answer);
                    continue;
                }
                Received::Strange => return Err(broken("a message that nobody asked for")),
            };
            let place = usize::try_from(id).unwrap_or(0) % SLOTS;
            let slot = self.slots.get_mut(place).filter(|s| s.waits && s.id == id);
            let Some(slot) = slot else {
                return Err(broken(format!("an answer to no request, identifier {id}")));
            };
            slot.waits = false;
            let (sim, due) = (slot.sim, slot.due);
            if result != 2001 {
                return Err(broken(format!("SIM {sim}: result {result}")));
            }
            if !session_is(session, id) {
                return Err(broken(format!("SIM {sim}: another session's answer")));
            }
            if authentication {
                let Some(vector) = vector else {
                    return Err(broken(format!("SIM {sim}: no vector")));
                };
                sims.check(sim, vector).map_err(broken)?;
            }
            times.add(now.saturating_sub(due));
            got += 1;
        }
        self.in_flight = self
            .in_flight
            .saturating_sub(usize::try_from(got).unwrap_or(0));
        self.answered += got;
        self.line.outgoing().extend(replies);
        Ok(got)
    }

    /// Waits for what is still in flight.
    fn finish(&mut self, sims: &mut Sims, times: &mut Histogram) -> Result<u64, Failure> {
        let (mut got, end) = (0, nanos() + PATIENCE);
        while self.in_flight > 0 {
            if nanos() > end {
                let left = self.in_flight;
                return Err(broken(format!("{left} requests were never answered")));
            }
            self.line.flush().map_err(broken)?;
            self.line.wait(100_000_000).map_err(broken)?;
            got += self.take(sims, times)?;
        }
        self.line.flush().map_err(broken)?;
        Ok(got)
    }

    /// Keeps `window` requests in flight for a time.
    pub(super) fn closed(
        &mut self,
        sims: &mut Sims,
        window: usize,
        time: Duration,
    ) -> Result<Run, Failure> {
        let (mut run, count) = (Run::default(), sims.count());
        let start = nanos();
        let end = start + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        loop {
            let now = nanos();
            if now >= end {
                break;
            }
            while self.in_flight < window {
                self.ask(count, now);
            }
            self.line.flush().map_err(broken)?;
            self.line.wait(PATIENCE).map_err(broken)?;
            let got = self.take(sims, &mut run.times)?;
            run.answers += got;
            if got == 0 && nanos() > now + PATIENCE {
                return Err(broken("no answer"));
            }
        }
        run.nanos = nanos() - start;
        self.finish(sims, &mut Histogram::default())?;
        Ok(run)
    }

    /// Asks `rate` times a second for one of the first `count` SIMs, whatever becomes of the
    /// answers. `each` is called between two waits with the time since the start.
    pub(super) fn open_loop(
        &mut self,
        sims: &mut Sims,
        (rate, count): (u64, u32),
        time: Duration,
        mut each: impl FnMut(u64),
    ) -> Result<Run, Failure> {
        let mut run = Run::default();
        let start = nanos();
        let length = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let total = length / 1_000 * rate / 1_000_000;
        let mut asked = 0;
        while asked < total {
            let now = nanos();
            let mut due = start + asked * 1_000_000_000 / rate;
            while due <= now && asked < total && self.in_flight < SLOTS / 2 {
                self.ask(count, due);
                asked += 1;
                due = start + asked * 1_000_000_000 / rate;
            }
            self.line.flush().map_err(broken)?;
            each(now - start);
            self.line
                .wait(due.saturating_sub(nanos()).min(1_000_000))
                .map_err(broken)?;
            run.answers += self.take(sims, &mut run.times)?;
            self.line.flush().map_err(broken)?;
        }
        run.answers += self.finish(sims, &mut run.times)?;
        run.nanos = nanos() - start;
        Ok(run)
    }

    /// Registers these SIMs here, so that a cut has a node to cancel at.
    pub(super) fn register(
        &mut self,
        sims: &mut Sims,
        which: core::ops::Range<u32>,
    ) -> Result<(), Failure> {
        for sim in which {
            let now = nanos();
            self.ask_for(sim, now, true);
            if self.in_flight >= 64 {
                self.finish(sims, &mut Histogram::default())?;
            }
        }
        self.finish(sims, &mut Histogram::default())?;
        Ok(())
    }

    /// Asks once; for the first answer after a start.
    pub(super) fn once(&mut self, sims: &mut Sims) -> Result<(), Failure> {
        self.ask(sims.count(), nanos());
        self.finish(sims, &mut Histogram::default())?;
        Ok(())
    }
}

fn session_is(session: &[u8], id: u32) -> bool {
    let digits = session
        .strip_prefix(HOST.as_bytes())
        .and_then(|rest| rest.strip_prefix(b";bench;"));
    digits
        .and_then(|d| core::str::from_utf8(d).ok()?.parse().ok())
        .is_some_and(|n: u32| n == id)
}

/// Round trips of a bare echo of messages as long as a request, in nanoseconds.
pub(super) fn echo(server: SocketAddr, time: Duration) -> Result<Histogram, Failure> {
    let wrong = |e| Failure::failed(format!("the echo: {e}"), "see what the system says");
    let mut line = Line::connect(server).map_err(wrong)?;
    let (template, mut times) = (Template::authentication(), Histogram::default());
    let end = nanos() + u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut id = 0_u32;
    while nanos() < end {
        id = id.wrapping_add(1);
        let sent = nanos();
        template.write(FIRST_IMSI, id, line.outgoing());
        line.flush().map_err(wrong)?;
        loop {
            line.wait(PATIENCE).map_err(wrong)?;
            line.read().map_err(wrong)?;
            if line.message(wire::length).is_some() {
                break;
            }
        }
        times.add(nanos() - sent);
    }
    Ok(times)
}
