//! The words of files, for steps and reports.

use crate::plan::{
    Action, AttachExpect, Destination, Lab, LinkName, LinkRule, NodeName, Op, SimRef, Size, Step,
    Verb, Via,
};

/// The title of a step: its own, or one made of what it does.
pub(crate) fn of_step(step: &Step, plan: &Lab) -> String {
    if let Some(title) = &step.title {
        return title.clone();
    }
    let ues = |ues: &[SimRef]| sims(plan, ues);
    match &step.action {
        Action::Attach { ues: u, .. } => format!("Attach {}", ues(u)),
        Action::Reattach { ues: u, times, .. } if *times > 1 => {
            format!("Switch {} off and on, {times} times", ues(u))
        }
        Action::Reattach { ues: u, .. } => format!("Switch {} off and on", ues(u)),
        Action::Detach { ues: u, .. } => format!("Detach {}", ues(u)),
        Action::HttpGet {
            ues: u, host, path, ..
        } => {
            format!("{}: get {path} from {}", ues(u), destination(plan, host))
        }
        Action::FileGet {
            ues: u, host, size, ..
        } => {
            format!(
                "{}: get {size} octets from {}",
                ues(u),
                destination(plan, host)
            )
        }
        Action::Ping { ues: u, to, .. } => format!("{}: ping {}", ues(u), destination(plan, to)),
        Action::Dns { ues: u, name, .. } => format!("{}: look up {name}", ues(u)),
        Action::Probe { ues: u, to, .. } => {
            let to: Vec<String> = to.iter().map(|t| destination(plan, t)).collect();
            format!("{}: probe {}", ues(u), to.join(", "))
        }
        Action::ProbeStart { ues: u, to, .. } => {
            format!(
                "{}: a stream of probes to {}",
                ues(u),
                destination(plan, to)
            )
        }
        Action::ProbeStop { ues: u } => format!("Stop the probes of {}", ues(u)),
        Action::Operate {
            ues: u, verb: v, ..
        } => format!("The operator: {} {}", verb(*v), ues(u)),
        Action::Wait { .. } => "Wait".to_owned(),
        Action::Expect(assert) => assert.name.clone(),
        Action::Crash(n) => format!("Kill the {}", node(*n)),
        Action::Restart(n) => format!("Start the {} again", node(*n)),
        Action::Link { link: l, rule } => format!("Link {}: {}", link(*l), link_rule(rule)),
    }
}

/// One name, or how many there are.
pub(crate) fn sims(plan: &Lab, ues: &[SimRef]) -> String {
    match ues {
        [one] => name(plan, *one),
        _ if ues.len() == plan.sims.len() => "all UEs".to_owned(),
        _ => format!("{} UEs", ues.len()),
    }
}

/// The name of a SIM.
pub(super) fn name(plan: &Lab, sim: SimRef) -> String {
    plan.sims
        .get(sim.0)
        .map_or_else(String::new, |s| s.name.clone())
}

/// A destination as files write it.
pub(crate) fn destination(plan: &Lab, to: &Destination) -> String {
    match to {
        Destination::Intranet => "intranet".to_owned(),
        Destination::Host(name) => format!("host:{name}"),
        Destination::Tenant(name) => format!("tenant:{name}"),
        Destination::OtherTenants => "other_tenants".to_owned(),
        Destination::Ue(sim) => format!("ue:{}", name(plan, *sim)),
        Destination::Neighbour => "neighbour".to_owned(),
        Destination::Core => "core".to_owned(),
        Destination::Outside => "outside".to_owned(),
        Destination::Address {
            address,
            port: None,
        } => address.to_string(),
        Destination::Address {
            address,
            port: Some(port),
        } => core::net::SocketAddr::new(*address, *port).to_string(),
    }
}

/// A way to probe as files write it.
pub(crate) fn via(via: Via) -> String {
    match via {
        Via::Icmp => "icmp".to_owned(),
        Via::Tcp(port) => format!("tcp:{port}"),
        Via::Udp(port) => format!("udp:{port}"),
    }
}

/// A verb as files write it, also the path of its call.
pub(super) const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Suspend => "suspend",
        Verb::Pause => "pause",
        Verb::Resume => "resume",
        Verb::Terminate => "terminate",
        Verb::DeleteSession => "delete-session",
        Verb::Isolate => "isolate",
        Verb::Release => "release",
        Verb::EmergencyCut => "emergency-cut",
    }
}

pub(super) const fn size(size: Size) -> &'static str {
    match size {
        Size::Ci => "ci",
        Size::Dev => "dev",
        Size::Full => "full",
    }
}

pub(crate) const fn op(op: Op) -> &'static str {
    match op {
        Op::Equal => "==",
        Op::NotEqual => "!=",
        Op::Less => "<",
        Op::AtMost => "<=",
        Op::Greater => ">",
        Op::AtLeast => ">=",
    }
}

const fn node(node: NodeName) -> &'static str {
    match node {
        NodeName::Hss => "HSS",
        NodeName::Mme => "MME",
        NodeName::Pgw => "PGW",
    }
}

const fn link(link: LinkName) -> &'static str {
    match link {
        LinkName::S1 => "S1",
        LinkName::S1u => "S1-U",
        LinkName::S6a => "S6a",
        LinkName::S5c => "S5-C",
        LinkName::S5u => "S5-U",
        LinkName::Sgi => "SGi",
        LinkName::Admin => "Admin",
    }
}

fn link_rule(rule: &LinkRule) -> String {
    match rule {
        LinkRule::Quality(_) => "another quality".to_owned(),
        LinkRule::Partition => "cut off".to_owned(),
        LinkRule::Heal => "healed".to_owned(),
        LinkRule::Nth { message, nth, .. } => format!("a fate for {message} number {nth}"),
    }
}

/// What an attach was to come to, for faults.
pub(super) const fn attach_expect(expect: AttachExpect) -> &'static str {
    match expect {
        AttachExpect::Accepted => "accepted",
        AttachExpect::Rejected { .. } => "rejected",
        AttachExpect::Any => "anything",
    }
}
