//! The EMM states of a UE in the MME, as a table.
//!
//! Read before changing: TS 24.301 §5.1.3.4 (the states), §5.4 and §5.5 (the procedures). The
//! specification has four network-side states; EMM-COMMON-PROCEDURE-INITIATED is split here by what
//! the MME waits for:
//!
//! ```text
//!                  +--------------- refused, aborted, detached ---------------+
//!                  v                                                          |
//!  Deregistered --GUTI not ours--> Identifying --identity--> AwaitingVector --+
//!    |   |  ^                         ^   (20, 26 once)          |    ^ (21 once)
//!    |   |  |                         +---------- Authenticating <    |
//!    |   |  |                                          |  +-----------+
//!    |   +--IMSI--------------> AwaitingVector         v
//!    |                                            SecuringMode
//!    +--MAC verified----------------+                  |
//!                                   v                  v
//!                             AwaitingEsm / AwaitingLocation
//!                                                      v
//!                                              CreatingSession
//!                                                      v
//!  Deregistered <-- Deregistering <-- Registered <-- AwaitingComplete
//! ```

/// What the MME waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing: the UE is detached; its security context may be kept.
    Deregistered,
    /// IDENTITY RESPONSE, TS 24.301 §5.4.4.
    Identifying,
    /// An authentication vector from the HSS.
    AwaitingVector,
    /// AUTHENTICATION RESPONSE, TS 24.301 §5.4.2.
    Authenticating,
    /// SECURITY MODE COMPLETE, TS 24.301 §5.4.3.
    SecuringMode,
    /// ESM INFORMATION RESPONSE, TS 24.301 §6.6.1.2.
    AwaitingEsm,
    /// The location update by the HSS.
    AwaitingLocation,
    /// The session at the gateway.
    CreatingSession,
    /// ATTACH COMPLETE and the eNB's bearer.
    AwaitingComplete,
    /// Nothing: EMM-REGISTERED.
    Registered,
    /// DETACH ACCEPT: EMM-DEREGISTERED-INITIATED.
    Deregistering,
}

/// What moves a UE from state to state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The UE did not say who it is, or its identity is in doubt.
    IdentityNeeded,
    /// The IMSI to authenticate is known.
    ImsiKnown,
    /// The HSS gave a vector.
    VectorGiven,
    /// The USIM asks for resynchronisation.
    SynchFailure,
    /// RES is right.
    ChallengePassed,
    /// The UE is proven, and it hides its ESM information until security is on.
    EsmNeeded,
    /// The UE is proven and its ESM information known.
    EsmKnown,
    /// The HSS accepted the location.
    LocationUpdated,
    /// The gateway made the session.
    SessionCreated,
    /// The UE and the eNB confirmed.
    Completed,
    /// The network starts a detach.
    DetachStarted,
    /// The attach was refused or aborted, or the UE is detached.
    Ended,
}

/// The event means nothing in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unexpected;

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Deregistered,
        Self::Identifying,
        Self::AwaitingVector,
        Self::Authenticating,
        Self::SecuringMode,
        Self::AwaitingEsm,
        Self::AwaitingLocation,
        Self::CreatingSession,
        Self::AwaitingComplete,
        Self::Registered,
        Self::Deregistering,
    ];

    /// The state after `event`.
    pub const fn next(self, event: Event) -> Result<Self, Unexpected> {
        use Event as E;
        Ok(match (self, event) {
            (Self::Deregistered | Self::Authenticating, E::IdentityNeeded) => Self::Identifying,
            (Self::Deregistered | Self::Identifying, E::ImsiKnown)
            | (Self::Authenticating, E::SynchFailure) => Self::AwaitingVector,
            (Self::AwaitingVector, E::VectorGiven) => Self::Authenticating,
            (Self::Authenticating, E::ChallengePassed) => Self::SecuringMode,
            (Self::Deregistered | Self::SecuringMode, E::EsmNeeded) => Self::AwaitingEsm,
            (Self::Deregistered | Self::SecuringMode | Self::AwaitingEsm, E::EsmKnown) => {
                Self::AwaitingLocation
            }
            (Self::AwaitingLocation, E::LocationUpdated) => Self::CreatingSession,
            (Self::CreatingSession, E::SessionCreated) => Self::AwaitingComplete,
            (Self::AwaitingComplete, E::Completed) => Self::Registered,
            (Self::AwaitingComplete | Self::Registered | Self::Deregistering, E::DetachStarted) => {
                Self::Deregistering
            }
            (_, E::Ended) => Self::Deregistered,
            _ => return Err(Unexpected),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Event as E;
    use super::*;
    use State as S;

    const EVENTS: [E; 12] = [
        E::IdentityNeeded,
        E::ImsiKnown,
        E::VectorGiven,
        E::SynchFailure,
        E::ChallengePassed,
        E::EsmNeeded,
        E::EsmKnown,
        E::LocationUpdated,
        E::SessionCreated,
        E::Completed,
        E::DetachStarted,
        E::Ended,
    ];

    /// Every pair: what the table allows is listed, everything else is unexpected.
    #[test]
    fn all_pairs() {
        let allowed = [
            (S::Deregistered, E::IdentityNeeded, S::Identifying),
            (S::Deregistered, E::ImsiKnown, S::AwaitingVector),
            (S::Deregistered, E::EsmNeeded, S::AwaitingEsm),
            (S::Deregistered, E::EsmKnown, S::AwaitingLocation),
            (S::Identifying, E::ImsiKnown, S::AwaitingVector),
            (S::AwaitingVector, E::VectorGiven, S::Authenticating),
            (S::Authenticating, E::IdentityNeeded, S::Identifying),
            (S::Authenticating, E::SynchFailure, S::AwaitingVector),
            (S::Authenticating, E::ChallengePassed, S::SecuringMode),
            (S::SecuringMode, E::EsmNeeded, S::AwaitingEsm),
            (S::SecuringMode, E::EsmKnown, S::AwaitingLocation),
            (S::AwaitingEsm, E::EsmKnown, S::AwaitingLocation),
            (S::AwaitingLocation, E::LocationUpdated, S::CreatingSession),
            (S::CreatingSession, E::SessionCreated, S::AwaitingComplete),
            (S::AwaitingComplete, E::Completed, S::Registered),
            (S::AwaitingComplete, E::DetachStarted, S::Deregistering),
            (S::Registered, E::DetachStarted, S::Deregistering),
            (S::Deregistering, E::DetachStarted, S::Deregistering),
        ];
        for state in S::ALL {
            for event in EVENTS {
                let expected = if event == E::Ended {
                    Ok(S::Deregistered)
                } else {
                    allowed
                        .iter()
                        .find(|(s, e, _)| (*s, *e) == (state, event))
                        .map_or(Err(Unexpected), |(_, _, to)| Ok(*to))
                };
                assert_eq!(state.next(event), expected, "{state:?} {event:?}");
            }
        }
    }
}
