use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use heiiki_gtp::c::{Cause, CreateSessionRequest, Header, RequestHandle};
use heiiki_types::{CallId, Ebi, Imsi, Instant};

use super::admission::Options;
use super::bearers::{Outcome, Request};
use super::session::TunnelEnd;
use crate::event::EndReason;
use crate::user_plane::{Reach, SessionId, Slot, Usage, WorkerCounters};

/// Names a procedure that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) u64);

/// A Create Session Request that waits until the SIM's stale session is gone.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) handle: RequestHandle,
    pub(crate) header: Header,
    pub(crate) request: Box<CreateSessionRequest>,
}

/// How far a removal is. Each step begins when every worker has answered the one before.
///
/// ```text
///   Stopping ---> Removing ---> Writing ---> finished: answer, Delete Bearer Request
///   forward       tables        journal
///   flags off     and queues
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Forward flags are being cleared.
    Stopping,
    /// Entries are being taken out and queues purged.
    Removing,
    /// The end is being written to disk.
    Writing,
}

/// A cut, as far as its answer needs it.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) imsi: Imsi,
    pub(crate) version: u64,
    pub(crate) id: String,
    pub(crate) t0: Option<Instant>,
    pub(crate) t4: Instant,
    /// The SIM whose lift made room.
    pub(crate) evicted: Option<Imsi>,
    /// Callers that wait; several when the order came more than once.
    pub(crate) calls: Vec<CallId>,
}

/// A delete-session order, as far as its answer needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deletion {
    pub(crate) call: CallId,
    pub(crate) imsi: Imsi,
    /// The session, when one was named.
    pub(crate) session: Option<SessionId>,
}

/// Who hears that a removal is over.
#[derive(Debug)]
pub(crate) enum Listener {
    /// Nobody.
    Nobody,
    /// The SGW that asked for it.
    Sgw { handle: RequestHandle, teid: u32 },
    /// The caller of the delete-session verb.
    Caller(Deletion),
    /// The callers of a cut.
    Cut(Cut),
    /// Nobody, but these sessions go next.
    Portions(Vec<(Slot, SessionId)>),
}

/// The removal of sessions: of one, of none (a bar for a SIM that has no session), of all of a
/// peer.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) sessions: Vec<(Slot, SessionId)>,
    pub(crate) reason: EndReason,
    pub(crate) step: Step,
    /// When it was ordered, where somebody asks.
    pub(crate) t4: Instant,
    /// When the last worker was past its batch boundary.
    pub(crate) t5: Instant,
    pub(crate) purged: u64,
    pub(crate) usage: BTreeMap<Slot, Usage>,
    /// The SGW is told with this cause.
    pub(crate) delete_bearer: Option<Cause>,
    pub(crate) listener: Listener,
    pub(crate) parked: Vec<Parked>,
}

/// What a question to all workers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// `GET /v1/counters`
    Counters,
    /// `GET /v1/counters?imsi=`
    SessionCounters(Imsi),
    /// `GET /v1/audit`
    Audit,
}

/// A question to all workers and what they have answered.
#[derive(Debug)]
pub(crate) struct Gathering {
    pub(crate) call: CallId,
    pub(crate) question: Question,
    pub(crate) counters: Vec<(usize, WorkerCounters)>,
    pub(crate) usage: Vec<(SessionId, Usage)>,
    pub(crate) reach: Vec<Vec<Reach>>,
    pub(crate) forwarding: u32,
    /// The number of the question among all procedures.
    pub(crate) asked_after: u64,
}

/// What a Modify Bearer Request changes.
#[derive(Debug)]
pub(crate) struct Move {
    pub(crate) handle: RequestHandle,
    pub(crate) slot: Slot,
    pub(crate) id: SessionId,
    pub(crate) sgw_c: TunnelEnd,
    /// The bearers of the request that the session has.
    pub(crate) modified: Vec<Ebi>,
    /// Those that it does not have.
    pub(crate) unknown: Vec<Ebi>,
    pub(crate) moved: bool,
}

/// A suspension of a session, or its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suspension {
    /// The notification; none when another request has implied the end.
    pub(crate) handle: Option<RequestHandle>,
    pub(crate) slot: Slot,
    pub(crate) id: SessionId,
    pub(crate) suspended: bool,
}

/// How far an isolation is.
///
/// ```text
///   isolate: Applying (workers and disk at once) ---> answer
///   release: Writing ---> Applying ---> answer
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsolationStep {
    /// A release is being written to disk.
    Writing,
    /// The workers are being told.
    Applying,
}

/// An isolation of a SIM, or its release.
#[derive(Debug)]
pub(crate) struct Isolation {
    pub(crate) imsi: Imsi,
    pub(crate) version: u64,
    pub(crate) id: String,
    pub(crate) isolates: bool,
    /// Whether the SIM was isolated before.
    pub(crate) was_isolated: bool,
    pub(crate) step: IsolationStep,
    pub(crate) sessions: u32,
    pub(crate) t4: Instant,
    /// When the last worker was past its batch boundary.
    pub(crate) t5: Instant,
    pub(crate) purged: u64,
    pub(crate) call: Option<CallId>,
}

/// Something that waits for workers or for the disk.
#[derive(Debug)]
pub(crate) enum Procedure {
    /// The first write after the start.
    Start,
    /// A Create Session Request, to be answered.
    Create {
        handle: RequestHandle,
        slot: Slot,
        id: SessionId,
        cause: Cause,
        options: Box<Options>,
    },
    /// A Modify Bearer Request, to be answered.
    Move(Box<Move>),
    /// Sessions on their way out.
    Removal(Box<Removal>),
    /// A lift, to be answered.
    Lift {
        call: CallId,
        imsi: Imsi,
        version: u64,
        was_barred: bool,
    },
    /// An isolation, or the end of one, to be answered.
    Isolation(Box<Isolation>),
    /// A question to all workers.
    Gathering(Box<Gathering>),
    /// A Suspend or Resume Notification, to be acknowledged.
    Suspension(Suspension),
    /// What an SGW has answered about bearers, to be told.
    Bearers(Box<Outcome>),
    /// A request about bearers that the SGW has put off, until it is sent again.
    LaterBearers(Box<Request>),
    /// A row that nobody waits for.
    Note,
}

/// A procedure and what it waits for.
#[derive(Debug)]
pub(crate) struct Running {
    /// Taken out while a step of it runs.
    pub(crate) procedure: Option<Procedure>,
    /// Answers of workers that are due.
    pub(crate) acks: u32,
    /// The disk has to confirm.
    pub(crate) writes: bool,
    /// The disk failed instead.
    pub(crate) not_durable: bool,
    pub(crate) deadline: Option<Instant>,
}
