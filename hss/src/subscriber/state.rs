//! The life cycle of a SIM.
//!
//! ```text
//! ready, standby --first location update--> active
//! ready, standby, active --pause--> inactive --suspend--> suspended
//! ready, standby, active --suspend--> suspended
//! inactive, suspended --resume--> active
//! all --terminate--> terminated, and nothing leads out of it
//! ```
//!
//! A stricter state is never loosened by a verb that restricts: a lost SIM cannot be paused, only
//! resumed first. A verb that changes nothing is allowed, so that a cut can be given again and a
//! bar that only a gateway knows can be lifted.
//!
//! Isolation is beside the states: an isolated SIM keeps its state and its session.

use core::fmt;

/// Where a SIM is in its life.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Made, not handed out.
    Ready,
    /// Handed out, never used.
    Standby,
    /// In use.
    Active,
    /// Paused: it may come back by itself once resumed.
    Inactive,
    /// Lost or stolen.
    Suspended,
    /// The end.
    Terminated,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Ready,
        Self::Standby,
        Self::Active,
        Self::Inactive,
        Self::Suspended,
        Self::Terminated,
    ];

    /// The state's name, as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Standby => "standby",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Suspended => "suspended",
            Self::Terminated => "terminated",
        }
    }

    /// Whether a SIM in this state gets service.
    pub const fn is_served(self) -> bool {
        matches!(self, Self::Ready | Self::Standby | Self::Active)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an operator does to a SIM.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// No service for a while.
    Pause,
    /// No service: the SIM is lost or stolen.
    Suspend,
    /// Service again.
    Resume,
    /// No service ever again.
    Terminate,
    /// The session stays, and reaches the tenant's quarantine prefixes only.
    Isolate,
    /// No longer isolated.
    Release,
    /// The sessions end; the UE may come back at once.
    DeleteSession,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 7] = [
        Self::Pause,
        Self::Suspend,
        Self::Resume,
        Self::Terminate,
        Self::Isolate,
        Self::Release,
        Self::DeleteSession,
    ];

    /// The verb's name, as in the path of its call.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Terminate => "terminate",
            Self::Isolate => "isolate",
            Self::Release => "release",
            Self::DeleteSession => "delete-session",
        }
    }

    /// The verb of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Whether the verb takes all service away.
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Pause | Self::Suspend | Self::Terminate)
    }

    /// Whether the verb takes something away: it is told before it is durable, since failing
    /// closed is safe. What gives back is durable first.
    pub const fn takes_away(self) -> bool {
        !matches!(self, Self::Resume | Self::Release)
    }

    /// Whether the verb can be given for a time.
    pub const fn may_expire(self) -> bool {
        matches!(self, Self::Pause | Self::Suspend | Self::Isolate)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What moves a SIM through its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateEvent {
    /// A location update was accepted.
    LocationUpdate,
    /// An operator's call.
    Verb(Verb),
}

/// The event is not for a SIM in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// The state.
    pub state: State,
    /// The event.
    pub event: StateEvent,
}

impl State {
    /// The state after `event`.
    pub const fn next(self, event: StateEvent) -> Result<Self, Unexpected> {
        use State::{Active, Inactive, Ready, Standby, Suspended, Terminated};
        use StateEvent::{LocationUpdate, Verb as By};
        match (self, event) {
            (Ready | Standby | Active, LocationUpdate)
            | (Active | Inactive | Suspended, By(Verb::Resume)) => Ok(Active),
            (Ready, By(Verb::Resume)) => Ok(Ready),
            (Standby, By(Verb::Resume)) => Ok(Standby),
            (Ready | Standby | Active | Inactive, By(Verb::Pause)) => Ok(Inactive),
            (Ready | Standby | Active | Inactive | Suspended, By(Verb::Suspend)) => Ok(Suspended),
            (_, By(Verb::Terminate)) => Ok(Terminated),
            (_, By(Verb::DeleteSession | Verb::Release))
            | (Ready | Standby | Active | Inactive | Suspended, By(Verb::Isolate)) => Ok(self),
            (Inactive | Suspended | Terminated, LocationUpdate)
            | (Suspended | Terminated, By(Verb::Pause))
            | (Terminated, By(Verb::Suspend | Verb::Resume | Verb::Isolate)) => {
                Err(Unexpected { state: self, event })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair: update, pause, suspend, resume, terminate; `None` where the event is refused.
    const TABLE: [(State, [Option<State>; 5]); 6] = {
        use State::{Active, Inactive, Ready, Standby, Suspended, Terminated};
        const fn row(
            update: Option<State>,
            pause: Option<State>,
            suspend: Option<State>,
            resume: Option<State>,
        ) -> [Option<State>; 5] {
            [update, pause, suspend, resume, Some(Terminated)]
        }
        let (paused, lost) = (Some(Inactive), Some(Suspended));
        [
            (Ready, row(Some(Active), paused, lost, Some(Ready))),
            (Standby, row(Some(Active), paused, lost, Some(Standby))),
            (Active, row(Some(Active), paused, lost, Some(Active))),
            (Inactive, row(None, paused, lost, Some(Active))),
            (Suspended, row(None, None, lost, Some(Active))),
            (Terminated, row(None, None, None, None)),
        ]
    };

    #[test]
    fn every_pair_of_state_and_event() {
        let events = [
            StateEvent::LocationUpdate,
            StateEvent::Verb(Verb::Pause),
            StateEvent::Verb(Verb::Suspend),
            StateEvent::Verb(Verb::Resume),
            StateEvent::Verb(Verb::Terminate),
        ];
        assert!(TABLE.map(|r| r.0) == State::ALL);
        for (state, row) in TABLE {
            for (event, want) in events.into_iter().zip(row) {
                assert_eq!(state.next(event).ok(), want, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn isolation_and_the_end_of_sessions_leave_the_state() {
        for state in State::ALL {
            for verb in [Verb::Isolate, Verb::Release, Verb::DeleteSession] {
                let next = state.next(StateEvent::Verb(verb)).ok();
                let refused = verb == Verb::Isolate && state == State::Terminated;
                assert_eq!(next, (!refused).then_some(state), "{state} {verb}");
            }
        }
    }

    #[test]
    fn no_verb_that_cuts_loosens() {
        for state in State::ALL {
            for verb in Verb::ALL.into_iter().filter(|v| v.is_cut()) {
                if let Ok(next) = state.next(StateEvent::Verb(verb)) {
                    assert!(next >= state && !next.is_served(), "{state} {verb}");
                }
            }
        }
    }

    #[test]
    fn names_are_those_of_json() {
        for state in State::ALL {
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.name());
        }
        for verb in Verb::ALL {
            assert_eq!(serde_json::to_value(verb).unwrap(), verb.name());
            assert_eq!(Verb::from_name(verb.name()), Some(verb));
        }
    }
}
