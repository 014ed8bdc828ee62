//! A lab: a whole network that can be told what to do, in either world.
//!
//! [`Lab`] is the test API, and what a scenario's steps are made of. It is generic over the world
//! ([`Network`]); a test uses the virtual one:
//!
//! ```
//! use heiiki::Lab;
//!
//! let mut lab = Lab::builder()
//!     .tenant("acme", "10.20.0.0/16")
//!     .sim("pc-1", "acme")
//!     .build()?;
//! let session = lab.attach("pc-1")?;
//! assert_eq!(lab.get("pc-1", "http://intranet/")?.status, 200);
//!
//! let cut = lab.suspend("pc-1", "lost on the train")?;
//! assert!(cut.dark);
//! assert!(lab.get("pc-1", "http://intranet/").is_err());
//! let refused = lab.attach("pc-1").unwrap_err();
//! assert_eq!(refused.cause(), "#8");
//! # let _ = session;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod network;
mod operate;
mod outcome;
mod traffic;
pub(crate) mod wiring;

use core::time::Duration;

use heiiki_types::{HttpRequest, HttpResponse, Instant, Method, Token};
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

#[cfg(feature = "cli")]
pub(crate) use builder::virtual_lab;
pub use builder::{Builder, InvalidLab};
pub use network::{AdminOf, DownlinkStream, Escaped, Network, NotInThisWorld};
pub use operate::OperateError;
#[cfg(feature = "cli")]
pub(crate) use operate::attach_event;
pub use outcome::{AttachError, Cut, Page, Session, Unreached};
pub(crate) use wiring::ue_profile;
pub use wiring::{Addresses, LabTokens};

use crate::log::{Entry, NodeEvent};
use crate::plan::{self, NodeName};
use crate::world::World;

/// How long an operation may take before it counts as not answered: longer than any timer of NAS
/// that it can run into (T3410, 15 s; T3460 with its repetitions, 30 s).
const PATIENCE: Duration = Duration::from_secs(40);

/// A whole network and a way to act on it. SIMs are named as in the plan.
///
/// Every operation lets time pass until it has an outcome. When an invariant of the network breaks
/// on the way, the operation panics and names it together with the seed: that is a fault of this
/// project, whatever the test was about.
#[derive(Debug)]
pub struct Lab<N = World> {
    network: N,
    plan: plan::Lab,
    tokens: LabTokens,
    addresses: Addresses,
    seed: u64,
    next_token: u64,
    violations_seen: usize,
}

impl Lab {
    /// Starts the description of a lab in virtual time.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The virtual world itself, for rules and taps of its links.
    pub const fn world(&mut self) -> &mut World {
        &mut self.network
    }
}

impl<N: Network> Lab<N> {
    /// A lab around a network that runs.
    pub(crate) const fn around(
        network: N,
        plan: plan::Lab,
        tokens: LabTokens,
        addresses: Addresses,
        seed: u64,
    ) -> Self {
        Self {
            network,
            plan,
            tokens,
            addresses,
            seed,
            next_token: 0,
            violations_seen: 0,
        }
    }

    /// What the lab was made from.
    pub const fn plan(&self) -> &plan::Lab {
        &self.plan
    }

    /// Where its nodes are.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The tokens of its administrative interfaces.
    pub(crate) const fn tokens(&self) -> &LabTokens {
        &self.tokens
    }

    /// The seed of the run.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The network.
    pub const fn network(&mut self) -> &mut N {
        &mut self.network
    }

    /// Everything that has happened so far, in order.
    pub fn log(&self) -> &[Entry] {
        self.network.log()
    }

    /// The monotonic time.
    pub fn now(&self) -> Instant {
        self.network.now().at
    }

    /// The place of a SIM in the plan.
    ///
    /// # Panics
    /// When there is no SIM of this name: a test that misspells a name must not pass.
    #[expect(
        clippy::panic,
        reason = "a name that does not exist is a mistake in the test"
    )]
    pub fn sim(&self, name: &str) -> usize {
        let place = self.plan.sims.iter().position(|s| s.name == name);
        place.unwrap_or_else(|| panic!("the lab has no SIM called {name}"))
    }

    /// Lets this much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now() + time;
        self.run_until(until);
    }

    /// Lets time pass up to this point.
    pub fn run_until(&mut self, until: Instant) {
        while self.now() < until {
            self.network.advance(until);
            self.check();
        }
    }

    /// Tells the UE with this SIM to do something, at once.
    pub fn command(&mut self, sim: &str, command: UeCommand) {
        let place = self.sim(sim);
        self.network.command(place, command);
    }

    /// A number that ties a command to its events.
    pub(crate) const fn token(&mut self) -> u64 {
        self.next_token += 1;
        self.next_token
    }

    /// Lets time pass until `seen` returns something for an entry of the log from `from` on, for
    /// at most `within`.
    pub fn wait<T>(
        &mut self,
        from: usize,
        within: Duration,
        mut seen: impl FnMut(&Entry) -> Option<T>,
    ) -> Option<T> {
        let until = self.now() + within;
        let mut cursor = from;
        loop {
            let log = self.network.log();
            for entry in log.get(cursor..).unwrap_or_default() {
                if let Some(found) = seen(entry) {
                    return Some(found);
                }
            }
            cursor = log.len();
            if self.now() >= until {
                return None;
            }
            self.network.advance(until);
            self.check();
        }
    }

    /// Waits for an event of one UE.
    pub(crate) fn wait_ue<T>(
        &mut self,
        sim: usize,
        from: usize,
        within: Duration,
        mut seen: impl FnMut(&UeEvent) -> Option<T>,
    ) -> Option<T> {
        let wanted = self.plan.sims.get(sim).map(|s| s.imsi);
        self.wait(from, within, |entry| match &entry.event {
            NodeEvent::Ue { imsi, event } if Some(*imsi) == wanted => seen(event),
            _ => None,
        })
    }

    /// Makes an administrative call and waits for its answer.
    pub fn admin(
        &mut self,
        node: AdminOf,
        method: Method,
        target: &str,
        body: &str,
    ) -> HttpResponse {
        let token = match node {
            AdminOf::Hss => &self.tokens.hss,
            AdminOf::Pgw => &self.tokens.pgw,
        };
        let token = token.clone();
        self.admin_as(node, Some(token), method, target, body)
    }

    /// The same with another token, or none.
    pub fn admin_as(
        &mut self,
        node: AdminOf,
        bearer: Option<Token>,
        method: Method,
        target: &str,
        body: &str,
    ) -> HttpResponse {
        let body = body.as_bytes().to_vec();
        let request = HttpRequest {
            method,
            target: target.to_owned(),
            bearer,
            body,
            headers: heiiki_types::Headers::default(),
        };
        let call = self.network.call(node, request);
        let until = self.now() + PATIENCE;
        loop {
            if let Some(response) = self.network.answer(call) {
                return response;
            }
            if self.now() >= until {
                let body = br#"{"error":{"what":"no answer"}}"#.to_vec();
                return HttpResponse {
                    status: 504,
                    body,
                    headers: heiiki_types::Headers::default(),
                };
            }
            self.network.advance(until);
            self.check();
        }
    }

    /// Kills a node. Its disk keeps what was synced.
    ///
    /// # Errors
    /// Where nodes cannot be killed.
    pub fn crash(&mut self, node: NodeName) -> Result<(), NotInThisWorld> {
        self.network.crash(node)
    }

    /// Starts a killed node with its disk.
    ///
    /// # Errors
    /// Where nodes cannot be killed.
    pub fn restart(&mut self, node: NodeName) -> Result<(), NotInThisWorld> {
        self.network.restart(node)
    }

    /// Panics when an invariant broke since the last look.
    #[expect(
        clippy::panic,
        reason = "a broken invariant ends the run where it broke"
    )]
    fn check(&mut self) {
        let violations = self.network.violations();
        if let Some(first) = violations.get(self.violations_seen) {
            let at = self.network.now().at;
            panic!("an invariant broke at {at} s (seed {}): {first}", self.seed);
        }
    }
}
