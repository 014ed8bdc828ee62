//! Whether an operation fits what a bearer has, and what the bearer has then.
//!
//! The rules are those of TS 24.301 §6.4.2.4 and §6.4.3.4 (a UE about what the network sends) and
//! §6.5.3.4 and §6.5.4.4 (the network about what a UE asks for), where they agree. Where a rule
//! says that an error is not diagnosed, the operation goes on here too.

use alloc::vec::Vec;

use super::{Component, FILTERS_MAX, Operation, PacketFilter, Tft, TftFault, TftFaultKind};

/// What a template is applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerKind {
    /// The first bearer of a session: it may have no filters, and carries what fits no other then.
    Default,
    /// Another one: it must have a filter for the uplink, or the UE could not use it.
    Dedicated,
}

const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const ESP: u8 = 50;
const AH: u8 = 51;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

const fn fault(kind: TftFaultKind, why: &'static str) -> TftFault {
    TftFault::new(kind, why)
}

impl Tft {
    /// The filters of a bearer after this operation. `existing` are those that it has now; `None`
    /// for a bearer that does not exist yet. `others` are the precedences of the filters of the
    /// session's other bearers.
    ///
    /// A list that is empty for a dedicated bearer means that it should be released: a UE has
    /// taken the last filter away (TS 24.301 §6.5.4.4, semantic error 3).
    ///
    /// # Errors
    ///
    /// The first rule that the operation or one of the filters breaks.
    pub fn apply(
        &self,
        kind: BearerKind,
        existing: Option<&[PacketFilter]>,
        others: &[u8],
    ) -> Result<Vec<PacketFilter>, TftFault> {
        use TftFaultKind::{SemanticOperation, SyntacticFilter, SyntacticOperation};
        let has = existing.unwrap_or_default();
        let (result, new) = match &self.operation {
            // On a bearer that has filters, the new ones take their place (§6.4.3.4, case 1).
            Operation::CreateNew(new) => (new.clone(), new),
            _ if existing.is_none() => {
                return Err(fault(
                    SemanticOperation,
                    "a new bearer needs a new template",
                ));
            }
            Operation::Add(new) | Operation::Replace(new) => {
                let replaced =
                    |f: &&PacketFilter| !new.iter().any(|n| n.identifier == f.identifier);
                let kept = has.iter().filter(replaced);
                (kept.chain(new).cloned().collect(), new)
            }
            Operation::Delete(identifiers) => {
                let kept = has.iter().filter(|f| !identifiers.contains(&f.identifier));
                return Ok(kept.cloned().collect());
            }
            Operation::DeleteExisting if kind == BearerKind::Default => return Ok(Vec::new()),
            Operation::DeleteExisting => {
                let why = "a dedicated bearer cannot be without filters";
                return Err(fault(SemanticOperation, why));
            }
            Operation::Ignore | Operation::None => return Ok(has.to_vec()),
        };
        if new.is_empty() {
            return Err(fault(SyntacticOperation, "no filters to create"));
        }
        if result.len() > FILTERS_MAX {
            return Err(fault(
                SemanticOperation,
                "more filters than a bearer can have",
            ));
        }
        for filter in new {
            filter.check()?;
        }
        if kind == BearerKind::Dedicated && !result.iter().any(|f| f.direction.is_uplink()) {
            let why = "a dedicated bearer needs a filter for the uplink";
            return Err(fault(TftFaultKind::SemanticFilter, why));
        }
        if repeats(new.iter().map(|f| f.identifier)) {
            return Err(fault(SyntacticFilter, "two filters with one identifier"));
        }
        let own = result.iter().map(|f| f.precedence);
        if repeats(own) || new.iter().any(|f| others.contains(&f.precedence)) {
            return Err(fault(SyntacticFilter, "two filters with one precedence"));
        }
        Ok(result)
    }
}

fn repeats(values: impl Iterator<Item = u8>) -> bool {
    let mut seen = Vec::new();
    for value in values {
        if seen.contains(&value) {
            return true;
        }
        seen.push(value);
    }
    false
}

impl PacketFilter {
    /// Whether any packet can fit: the components must not contradict each other.
    ///
    /// # Errors
    ///
    /// Two components that no packet satisfies together.
    pub fn check(&self) -> Result<(), TftFault> {
        let semantic = |why| Err(fault(TftFaultKind::SemanticFilter, why));
        let any = |of: fn(&Component) -> bool| self.components.iter().any(of);
        if any(is_ipv4) && any(is_ipv6) {
            return semantic("conditions on IPv4 and on IPv6 in one filter");
        }
        if any(is_reversed) {
            return semantic("a port range that ends before it begins");
        }
        let protocol = self.components.iter().find_map(|c| match c {
            Component::Protocol(protocol) => Some(*protocol),
            _ => None,
        });
        if any(is_port) {
            if protocol.is_some_and(|p| !matches!(p, TCP | UDP | DCCP | SCTP | UDP_LITE)) {
                return semantic("ports of a protocol that has none");
            }
            if any(is_index) {
                return semantic("ports and a security parameter index in one filter");
            }
        }
        if any(is_index) && protocol.is_some_and(|p| !matches!(p, ESP | AH)) {
            return semantic("a security parameter index of a protocol that has none");
        }
        Ok(())
    }
}

const fn is_ipv4(component: &Component) -> bool {
    matches!(
        component,
        Component::Ipv4Remote { .. } | Component::Ipv4Local { .. }
    )
}

const fn is_ipv6(component: &Component) -> bool {
    matches!(
        component,
        Component::Ipv6Remote { .. }
            | Component::Ipv6RemotePrefix { .. }
            | Component::Ipv6LocalPrefix { .. }
            | Component::FlowLabel(_)
    )
}

const fn is_port(component: &Component) -> bool {
    matches!(
        component,
        Component::LocalPort(_)
            | Component::LocalPortRange { .. }
            | Component::RemotePort(_)
            | Component::RemotePortRange { .. }
    )
}

const fn is_index(component: &Component) -> bool {
    matches!(component, Component::SecurityParameterIndex(_))
}

const fn is_reversed(component: &Component) -> bool {
    match component {
        Component::LocalPortRange { low, high } | Component::RemotePortRange { low, high } => {
            *low > *high
        }
        _ => false,
    }
}
