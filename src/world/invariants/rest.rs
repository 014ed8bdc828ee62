//! Invariants 5 and 7 on tables: bounds while a run lasts, and nothing left when all is at rest.

use heiiki_mme::{Mme, State};
use heiiki_pgw::Pgw;
use std::collections::BTreeSet;

use super::{Truth, Violation, broken};
use crate::log::NodeEvent;
use crate::world::node::Node;

/// The gateway may hold this many sessions of a SIM for each of its access points: one that goes
/// and one that comes.
const SESSIONS: usize = 2;
/// Procedures of the gateway and requests of the MME, for each SIM: far above what one UE can
/// cause.
const WAITING: usize = 16;

/// A node says itself that it is wrong.
pub(super) fn contradiction(event: &NodeEvent) -> Option<Violation> {
    let (node, what) = match event {
        NodeEvent::Mme(heiiki_mme::Event::Bug { what }) => ("MME", what),
        NodeEvent::Pgw(heiiki_pgw::Event::Bug { what }) => ("gateway", what),
        _ => return None,
    };
    broken(7, format!("the {node} contradicts itself: {what}"))
}

pub(super) fn bounds_of_gateway(truth: &Truth, pgw: &Pgw) -> Option<Violation> {
    let control = pgw.control();
    let sessions = usize::try_from(control.session_count()).unwrap_or(usize::MAX);
    let apns: usize = truth.sims.values().map(|s| s.apns).sum();
    let sims = truth.sims.len();
    let bounds = [
        ("sessions", sessions, apns * SESSIONS),
        ("procedures", control.waiting(), sims * WAITING),
        (
            "Delete Bearer Requests",
            control.unanswered(),
            sims * WAITING,
        ),
    ];
    beyond("gateway", bounds)
}

pub(super) fn bounds_of_core(truth: &Truth, mme: &Mme) -> Option<Violation> {
    let sims = truth.sims.len();
    let (s6a, s5c) = mme.pending();
    let limits = mme.config().limits;
    let unproven = mme.contexts().filter(|c| !c.proven).count();
    let proven = mme.contexts().filter(|c| c.proven).count();
    let bounds = [
        ("UEs that proved who they are", proven, sims),
        ("UEs that did not", unproven, limits.unproven),
        ("sessions", mme.sessions().count(), sims * SESSIONS),
        ("requests to the HSS", s6a, sims * WAITING + limits.unproven),
        ("requests to gateways", s5c, sims * WAITING),
    ];
    beyond("MME", bounds)
}

fn beyond<const N: usize>(node: &str, bounds: [(&str, usize, usize); N]) -> Option<Violation> {
    let mut bounds = bounds.into_iter();
    let (what, count, bound) = bounds.find(|(_, count, bound)| count > bound)?;
    broken(7, format!("the {node} has {count} {what}, above {bound}"))
}

/// A session that SGW and gateway name alike has the same tunnels at both.
pub(super) fn tunnels_agree(pgw: &Pgw, mme: &Mme) -> Option<Violation> {
    let sgw = mme.config().s5c_local.ip();
    mme.sessions().find_map(|session| {
        let (pgw_c, pgw_u) = (session.pgw_c?, session.pgw_u?.teid);
        let mut tunnels = pgw.control().tunnels();
        let other = tunnels.find(|t| t.sgw_c == (sgw, session.s5c))?;
        let same = other.imsi == session.imsi
            && other.sgw_u.1 == session.s5u
            && (other.teid_c, other.teid_u) == (pgw_c, pgw_u);
        if same {
            return None;
        }
        broken(
            5,
            format!(
                "SGW and gateway disagree about the tunnels of {}",
                session.imsi
            ),
        )
    })
}

/// SGW and gateway have the same sessions, each with the same tunnels.
pub(super) fn sessions_agree(pgw: &Pgw, mme: &Mme) -> Option<Violation> {
    let at_sgw: BTreeSet<_> = mme
        .sessions()
        .map(|s| (s.imsi, s.s5c, s.s5u, s.pgw_c, s.pgw_u.map(|e| e.teid)))
        .collect();
    let at_gateway: BTreeSet<_> = pgw
        .control()
        .tunnels()
        .map(|t| (t.imsi, t.sgw_c.1, t.sgw_u.1, Some(t.teid_c), Some(t.teid_u)))
        .collect();
    let (imsi, ..) = at_sgw.symmetric_difference(&at_gateway).next()?;
    let only = if at_sgw.iter().any(|s| s.0 == *imsi) {
        "SGW"
    } else {
        "gateway"
    };
    broken(
        5,
        format!("SGW and gateway do not have the same session of {imsi}: the {only} has one"),
    )
}

/// What a node holds that it should not hold once every UE is detached, every answer is in and
/// every timer has run.
pub(crate) fn left(node: &Node) -> Vec<(&'static str, usize)> {
    let mut counts = match node {
        Node::Pgw(pgw) => of_gateway(pgw),
        Node::Mme(mme) => of_core(mme),
        _ => Vec::new(),
    };
    counts.retain(|(_, count)| *count > 0);
    counts
}

fn of_gateway(pgw: &Pgw) -> Vec<(&'static str, usize)> {
    let control = pgw.control();
    let sessions = usize::try_from(control.session_count()).unwrap_or(usize::MAX);
    let entries = pgw
        .workers()
        .iter()
        .map(heiiki_pgw::user_plane::Worker::forwarding);
    let entries: u64 = entries.map(u64::from).sum();
    vec![
        ("sessions at the gateway", sessions),
        (
            "forwarding entries of workers",
            usize::try_from(entries).unwrap_or(usize::MAX),
        ),
        ("procedures at the gateway", control.waiting()),
        (
            "Delete Bearer Requests at the gateway",
            control.unanswered(),
        ),
    ]
}

fn of_core(mme: &Mme) -> Vec<(&'static str, usize)> {
    let (s6a, s5c) = mme.pending();
    let count = |of: fn(&heiiki_mme::ContextSnapshot) -> bool| mme.contexts().filter(of).count();
    vec![
        ("sessions at the SGW", mme.sessions().count()),
        (
            "UEs in a procedure",
            count(|c| c.state != State::Deregistered),
        ),
        ("UEs with a connection", count(|c| c.enb.is_some())),
        ("UEs with a timer", count(|c| c.has_timer)),
        ("requests to the HSS", s6a),
        ("requests to gateways", s5c),
    ]
}
