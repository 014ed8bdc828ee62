//! The peer state machine as a table.
//!
//! Read before changing: RFC 6733 §5.6. Differences, all with the same effect on the wire:
//!
//! * Each *connection* has a state, not each peer; `WaitCer` is the logic of §5.6.1 before the peer
//!   is known.
//! * There is no `Wait-Conn-Ack/Elect` and no `Wait-Returns`: the election is decided at once when
//!   the CER arrives, and the CEA says how it went.
//!
//! ```text
//!            Start                 RcvConnAck             RcvCea
//!   Closed ---------> WaitConnAck -----------> WaitICea ---------> IOpen --.  Stop,
//!      |                                                                    >-------> Closing
//!      '-------------> WaitCer -----------------------------------> ROpen -'  RcvDpr
//!          Accepted                        RcvCer
//! ```

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Closed,
    /// The transport connection that we asked for is not there yet.
    WaitConnAck,
    /// CER is sent.
    WaitICea,
    /// The peer connected and has not said who it is.
    WaitCer,
    /// Open; we connected.
    IOpen,
    /// Open; the peer connected.
    ROpen,
    /// DPR or DPA is sent.
    Closing,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// We want a connection.
    Start,
    /// The transport connection that we asked for is up.
    RcvConnAck,
    /// The peer opened a transport connection.
    Accepted,
    /// A CER that we agree to.
    RcvCer,
    /// A CER that we refuse.
    RcvBadCer,
    /// A CEA that agrees.
    RcvCea,
    /// A CEA that refuses, or that we do not agree to.
    RcvBadCea,
    RcvDwr,
    RcvDwa,
    RcvDpr,
    RcvDpa,
    /// Any other message.
    RcvMessage,
    /// We want the connection down.
    Stop,
    /// The transport connection is gone.
    PeerDisc,
    /// A handshake or a farewell took too long, or the watchdog gave up.
    Timeout,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Connect,
    /// Nothing but wait.
    Wait,
    SendCer,
    /// Send the CEA and open.
    SendCea,
    /// Send a CEA that refuses and close.
    Reject,
    /// Open.
    Open,
    SendDwa,
    SendDpr,
    SendDpa,
    /// Hand the message on.
    Process,
    /// Close the transport connection as agreed.
    Disconnect,
    /// Close the transport connection because something is wrong.
    Error,
    /// The transport connection is gone already.
    Cleanup,
}

type Row = (State, Event, Action, State);

pub(super) const TABLE: &[Row] = {
    use Action as A;
    use Event as E;
    use State as S;
    &[
        (S::Closed, E::Start, A::Connect, S::WaitConnAck),
        (S::Closed, E::Accepted, A::Wait, S::WaitCer),
        //
        (S::WaitConnAck, E::RcvConnAck, A::SendCer, S::WaitICea),
        (S::WaitConnAck, E::Stop, A::Disconnect, S::Closed),
        (S::WaitConnAck, E::PeerDisc, A::Cleanup, S::Closed),
        (S::WaitConnAck, E::Timeout, A::Error, S::Closed),
        //
        (S::WaitICea, E::RcvCer, A::Error, S::Closed),
        (S::WaitICea, E::RcvBadCer, A::Error, S::Closed),
        (S::WaitICea, E::RcvCea, A::Open, S::IOpen),
        (S::WaitICea, E::RcvBadCea, A::Error, S::Closed),
        (S::WaitICea, E::RcvDwr, A::Error, S::Closed),
        (S::WaitICea, E::RcvDwa, A::Error, S::Closed),
        (S::WaitICea, E::RcvDpr, A::Error, S::Closed),
        (S::WaitICea, E::RcvDpa, A::Error, S::Closed),
        (S::WaitICea, E::RcvMessage, A::Error, S::Closed),
        (S::WaitICea, E::Stop, A::Disconnect, S::Closed),
        (S::WaitICea, E::PeerDisc, A::Cleanup, S::Closed),
        (S::WaitICea, E::Timeout, A::Error, S::Closed),
        //
        (S::WaitCer, E::RcvCer, A::SendCea, S::ROpen),
        (S::WaitCer, E::RcvBadCer, A::Reject, S::Closed),
        (S::WaitCer, E::RcvCea, A::Error, S::Closed),
        (S::WaitCer, E::RcvBadCea, A::Error, S::Closed),
        (S::WaitCer, E::RcvDwr, A::Error, S::Closed),
        (S::WaitCer, E::RcvDwa, A::Error, S::Closed),
        (S::WaitCer, E::RcvDpr, A::Error, S::Closed),
        (S::WaitCer, E::RcvDpa, A::Error, S::Closed),
        (S::WaitCer, E::RcvMessage, A::Error, S::Closed),
        (S::WaitCer, E::Stop, A::Disconnect, S::Closed),
        (S::WaitCer, E::PeerDisc, A::Cleanup, S::Closed),
        (S::WaitCer, E::Timeout, A::Error, S::Closed),
        //
        (S::IOpen, E::RcvDwr, A::SendDwa, S::IOpen),
        (S::IOpen, E::RcvDwa, A::Wait, S::IOpen),
        (S::IOpen, E::RcvMessage, A::Process, S::IOpen),
        (S::IOpen, E::Stop, A::SendDpr, S::Closing),
        (S::IOpen, E::RcvDpr, A::SendDpa, S::Closing),
        (S::IOpen, E::PeerDisc, A::Cleanup, S::Closed),
        (S::IOpen, E::Timeout, A::Error, S::Closed),
        //
        (S::ROpen, E::RcvDwr, A::SendDwa, S::ROpen),
        (S::ROpen, E::RcvDwa, A::Wait, S::ROpen),
        (S::ROpen, E::RcvMessage, A::Process, S::ROpen),
        (S::ROpen, E::Stop, A::SendDpr, S::Closing),
        (S::ROpen, E::RcvDpr, A::SendDpa, S::Closing),
        (S::ROpen, E::PeerDisc, A::Cleanup, S::Closed),
        (S::ROpen, E::Timeout, A::Error, S::Closed),
        //
        (S::Closing, E::RcvDwr, A::SendDwa, S::Closing),
        (S::Closing, E::RcvDwa, A::Wait, S::Closing),
        (S::Closing, E::RcvMessage, A::Process, S::Closing),
        (S::Closing, E::Stop, A::Wait, S::Closing),
        (S::Closing, E::RcvDpr, A::SendDpa, S::Closing),
        (S::Closing, E::RcvDpa, A::Disconnect, S::Closed),
        (S::Closing, E::PeerDisc, A::Cleanup, S::Closed),
        (S::Closing, E::Timeout, A::Error, S::Closed),
    ]
};

/// The event cannot happen in the state, or means nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

impl State {
    /// What to do at `event`, and where that leads.
    pub(super) fn next(self, event: Event) -> Result<(Action, Self), Unexpected> {
        TABLE
            .iter()
            .find(|(state, e, ..)| *state == self && *e == event)
            .map(|(_, _, action, next)| (*action, *next))
            .ok_or(Unexpected)
    }

    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::IOpen | Self::ROpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const STATES: [State; 7] = [
        State::Closed,
        State::WaitConnAck,
        State::WaitICea,
        State::WaitCer,
        State::IOpen,
        State::ROpen,
        State::Closing,
    ];

    const EVENTS: [Event; 15] = [
        Event::Start,
        Event::RcvConnAck,
        Event::Accepted,
        Event::RcvCer,
        Event::RcvBadCer,
        Event::RcvCea,
        Event::RcvBadCea,
        Event::RcvDwr,
        Event::RcvDwa,
        Event::RcvDpr,
        Event::RcvDpa,
        Event::RcvMessage,
        Event::Stop,
        Event::PeerDisc,
        Event::Timeout,
    ];

    /// All pairs: `.` is unexpected, a letter names the next state. Columns are the events in their
    /// order above.
    #[test]
    fn every_pair_of_state_and_event() {
        let letter = |s: State| match s {
            State::Closed => 'c',
            State::WaitConnAck => 'a',
            State::WaitICea => 'w',
            State::WaitCer => 'r',
            State::IOpen => 'I',
            State::ROpen => 'R',
            State::Closing => 'x',
        };
        let row = |s: State| -> String {
            EVENTS
                .iter()
                .map(|e| s.next(*e).map_or('.', |(_, next)| letter(next)))
                .collect()
        };
        let rows: Vec<_> = STATES.into_iter().map(row).collect();
        assert_eq!(
            rows,
            [
                "a.r............",
                ".w..........ccc",
                "...ccIccccccccc",
                "...Rccccccccccc",
                ".......IIx.Ixcc",
                ".......RRx.Rxcc",
                ".......xxxcxxcc",
            ]
        );
    }

    #[test]
    fn no_pair_is_listed_twice() {
        let mut pairs: Vec<_> = TABLE.iter().map(|(s, e, ..)| (*s, *e)).collect();
        pairs.sort_unstable();
        let listed = pairs.len();
        pairs.dedup();
        assert_eq!(pairs.len(), listed);
    }

    #[test]
    fn every_connection_can_be_ended_by_either_side_and_by_time() {
        for state in STATES.into_iter().filter(|s| *s != State::Closed) {
            for event in [Event::PeerDisc, Event::Timeout] {
                assert_eq!(state.next(event).unwrap().1, State::Closed);
            }
            assert!(state.next(Event::Stop).is_ok());
        }
    }
}
