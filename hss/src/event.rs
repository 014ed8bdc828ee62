//! What an HSS tells about itself: one value for each thing that happened.
//!
//! No event holds a key, a challenge or a response.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

use heiiki_types::{Imei, Imsi, PlmnId};
use serde::Serialize;

use crate::cut::{CutId, Stamp, Verdict};
use crate::equipment::Binding;
use crate::seal::KeyId;
use crate::subscriber::{State, Verb};

/// The result of an S6a answer as people write it: `2001`, or `3GPP 5001` for an experimental one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered(pub heiiki_diameter::AnswerResult);

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use heiiki_diameter::AnswerResult::{Base, Experimental};
        match self.0 {
            Base(code) => write!(f, "{}", code.0),
            Experimental {
                vendor: 10_415,
                code,
            } => write!(f, "3GPP {code}"),
            Experimental { vendor, code } => write!(f, "vendor {vendor} {code}"),
        }
    }
}

impl Serialize for Answered {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What an AUTS did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resynchronisation {
    /// It was genuine and raised SEQ.
    Raised {
        /// SEQ before.
        from: u64,
        /// SEQ after.
        to: u64,
    },
    /// It was genuine, and nothing had to change: it is old, or was replayed.
    Unchanged,
    /// It was not made by this SIM. **An alarm.**
    Forged,
    /// It was genuine, but further away than Delta. **An alarm**: somebody has to look at the SIM
    /// and at the store.
    BeyondDelta {
        /// The SEQ of the HSS.
        home: u64,
        /// The SEQ of the USIM.
        usim: u64,
    },
}

/// Something that happened at an HSS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The epoch is durable: the HSS serves.
    Serving {
        /// The epoch of this start.
        epoch: u64,
        /// Subscribers in the store.
        subscribers: usize,
    },
    /// An import was taken.
    Imported {
        /// New subscribers.
        added: usize,
        /// Rows that the store had already, and kept as they are.
        kept: usize,
    },
    /// The subscription of a SIM was changed by a call.
    SubscriptionChanged {
        /// The SIM.
        imsi: Imsi,
        /// Which parts.
        parts: &'static str,
    },
    /// An import that came before the store was read clashes with it.
    ImportRefused {
        /// The first clash.
        why: String,
        /// How many there are.
        errors: usize,
    },
    /// A peer connected and was let in.
    PeerUp {
        /// Its identity.
        host: String,
        /// Its realm.
        realm: String,
        /// Where it comes from.
        address: Option<SocketAddr>,
        /// Whether it came over TLS and showed its certificate.
        tls: bool,
    },
    /// A connection ended.
    PeerDown {
        /// The identity of the peer, if it came as far as naming itself.
        host: Option<String>,
        /// Where it came from.
        address: Option<SocketAddr>,
        /// Why.
        why: &'static str,
    },
    /// A peer was not let in.
    PeerRefused {
        /// The identity that it gave.
        host: Option<String>,
        /// Where it came from.
        address: Option<SocketAddr>,
        /// Why.
        why: &'static str,
    },
    /// Requests were answered 3004 because a peer, or a node behind it, sent more than it may. Told
    /// at the first one and then once a second.
    RequestsThrottled {
        /// The peer of the connection.
        peer: String,
        /// The node that the requests name as their origin, where its own rate was exceeded.
        origin: Option<String>,
        /// How many requests since this was told last.
        requests: u64,
    },
    /// A request was refused before its contents counted.
    RequestRefused {
        /// The peer of the connection.
        peer: String,
        /// The origin that the request names.
        origin: String,
        /// Why.
        why: &'static str,
    },
    /// A notification was answered.
    Notified {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// The result.
        result: Answered,
        /// The MME told that the UE can be reached.
        reachable: bool,
    },
    /// A registered SIM's MME is told of a change.
    UpdateSent {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// `dsr` for what is withdrawn, `idr` for the whole profile.
        request: &'static str,
        /// How often that makes.
        attempt: u32,
    },
    /// An MME answered that.
    UpdateAnswered {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// The result.
        result: Answered,
    },
    /// An MME has not heard of a change.
    UpdateUnanswered {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// Why.
        why: &'static str,
        /// Whether it is told again.
        again: bool,
    },
    /// MMEs are told that registrations may be lost.
    ResetBegun {
        /// How many requests leave, one after the other.
        requests: usize,
    },
    /// One MME is told.
    ResetSent {
        /// The MME.
        host: String,
        /// Leading digits of the SIMs concerned; empty for all.
        prefix: String,
    },
    /// It answered.
    ResetAnswered {
        /// The MME.
        host: String,
        /// The result, if the answer had one.
        result: Option<Answered>,
    },
    /// The equipment identity register was asked.
    EquipmentChecked {
        /// The SIM, if the question names one.
        imsi: Option<Imsi>,
        /// The equipment, if it says what it is.
        imei: Option<Imei>,
        /// Who asked.
        host: String,
        /// `white`, `grey`, `black`, `bound_elsewhere`, `unknown` or `absent`.
        status: &'static str,
    },
    /// A SIM is in equipment that it may not be in. **An alarm.**
    EquipmentRefused {
        /// The SIM.
        imsi: Imsi,
        /// The equipment, if it says what it is.
        imei: Option<Imei>,
        /// `black`, `bound_elsewhere` or `absent`.
        why: &'static str,
    },
    /// In which equipment a SIM may be was set, by a call or by its being seen first.
    EquipmentBound {
        /// The SIM.
        imsi: Imsi,
        /// From now on.
        binding: Binding,
    },
    /// An authentication information request was answered.
    AuthenticationInformation {
        /// The SIM.
        imsi: Imsi,
        /// Who asked.
        host: String,
        /// The network that the vectors are for.
        visited: PlmnId,
        /// The state of the SIM; absent for an unknown one.
        state: Option<State>,
        /// The answer.
        result: Answered,
        /// Vectors handed out.
        vectors: u32,
        /// What a resynchronisation token in the request did.
        resynchronisation: Option<Resynchronisation>,
    },
    /// An update location request was answered.
    UpdateLocation {
        /// The SIM.
        imsi: Imsi,
        /// Who asked.
        host: String,
        /// The network that the UE is in.
        visited: PlmnId,
        /// The state of the SIM before the answer; absent for an unknown one.
        state: Option<State>,
        /// The answer.
        result: Answered,
        /// The MME that served the SIM before, when another one did.
        previous: Option<String>,
    },
    /// A purge UE request was answered.
    PurgeUe {
        /// The SIM.
        imsi: Imsi,
        /// Who asked.
        host: String,
        /// The answer.
        result: Answered,
        /// Whether the MME was the serving one, and is to freeze the M-TMSI.
        frozen: bool,
    },
    /// A cancel location request was handed to the transport.
    CancelSent {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// The cancellation type.
        cancellation_type: u32,
        /// The cut that asked for it.
        cut: Option<CutId>,
        /// How often it has been sent, this time included.
        attempt: u32,
    },
    /// A cancel location request was answered.
    CancelAnswered {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// The answer.
        result: Answered,
        /// The cut that asked for it.
        cut: Option<CutId>,
    },
    /// A cancel location request has no answer yet and will be sent again, or was given up.
    CancelUnanswered {
        /// The SIM.
        imsi: Imsi,
        /// The MME.
        host: String,
        /// The cut that asked for it.
        cut: Option<CutId>,
        /// Why.
        why: &'static str,
        /// Whether it will be sent again.
        again: bool,
    },
    /// A SIM changed its state.
    StateChanged {
        /// The SIM.
        imsi: Imsi,
        /// Before.
        from: State,
        /// After.
        to: State,
        /// The operator's call, unless it was a location update.
        verb: Option<Verb>,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// The version of the order, 0 before the first.
        version: u64,
    },
    /// A cut came one step further.
    CutStamp {
        /// The cut.
        cut: CutId,
        /// The SIM.
        imsi: Imsi,
        /// Which stamp.
        stamp: Stamp,
        /// When, in microseconds of the monotonic clock of the node that made the stamp.
        at: u64,
        /// The gateway or MME that it is about.
        node: Option<String>,
    },
    /// The verdict on a cut changed.
    CutVerdict {
        /// The cut.
        cut: CutId,
        /// The SIM.
        imsi: Imsi,
        /// What can be said of it now.
        verdict: Verdict,
    },
    /// A gateway did not do what it was told; it will be told again.
    GatewayFailed {
        /// The cut.
        cut: CutId,
        /// The gateway.
        gateway: String,
        /// Why.
        why: String,
        /// How often it has been told.
        attempt: u32,
    },
    /// An order that leaves the SIM's state was given.
    OrderGiven {
        /// The order.
        cut: CutId,
        /// The SIM.
        imsi: Imsi,
        /// What was ordered.
        verb: Verb,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A gateway had an order that this HSS did not give: it counts here and everywhere now.
    OrderTakenUp {
        /// The SIM.
        imsi: Imsi,
        /// Where it was found.
        gateway: String,
        /// What it is taken for.
        verb: Verb,
        /// Its version there.
        version: u64,
    },
    /// A gateway's orders and those of the HSS are the same.
    GatewayMerged {
        /// The gateway.
        gateway: String,
        /// The instance of its journal.
        instance: String,
    },
    /// A gateway does not say what it has.
    GatewaySilent {
        /// The gateway.
        gateway: String,
        /// Why.
        why: String,
    },
    /// A bulk order is durable, and begins.
    BulkOrdered {
        /// The order.
        bulk: CutId,
        /// What was ordered.
        verb: Verb,
        /// Who.
        actor: String,
        /// Why.
        reason: String,
        /// For how many SIMs.
        sims: usize,
    },
    /// Every SIM of a bulk order has its own order, or is refused.
    BulkGiven {
        /// The order.
        bulk: CutId,
    },
    /// This front end goes on with an order, or a bulk order, of one that is gone.
    OrderAdopted {
        /// The order.
        order: CutId,
        /// The one that is gone, by its first IND value.
        from: u8,
    },
    /// An administrative call was refused.
    AdminRefused {
        /// The status of the answer.
        status: u16,
        /// The path of the call.
        path: String,
    },
    /// The store cannot be read: the HSS does not serve.
    StoreUnreadable {
        /// The table.
        table: u8,
        /// What to do.
        why: &'static str,
    },
    /// The disk failed: nothing more becomes durable, and whatever needs that is refused.
    DiskFailed,
    /// The store is sealed with a master key that was not given: nothing is served.
    StoreKeyMissing {
        /// The number of the key that is needed.
        needed: KeyId,
        /// The numbers of those that were given.
        given: Vec<KeyId>,
    },
    /// The secrets of a SIM do not open: its row was changed. Import it again.
    SecretsUnreadable {
        /// Whose.
        imsi: Imsi,
    },
    /// Rows are being sealed with a new master key. The previous keys are still needed.
    StoreKeyRotation {
        /// The new key's number.
        key: KeyId,
        /// Rows that are durable under it.
        done: usize,
        /// Rows that were not, at the start.
        total: usize,
    },
    /// All rows are sealed with the current master key: previous keys can go, unless some failed.
    StoreKeyRotated {
        /// The key's number.
        key: KeyId,
        /// Rows that did not open and stay as they are.
        failed: usize,
    },
    /// Nothing can be written for now: what needs no write is served.
    StoreUnavailable,
    /// Writing goes on.
    StoreAvailable,
}
