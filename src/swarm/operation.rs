//! The operations of a swarm: what subscribers, operators, attackers and bad luck do.

use core::time::Duration;

use heiiki_types::{HttpRequest, Method};
use heiiki_ue_sim::UeCommand;

use super::Run;
use crate::lab::{AdminOf, Network};
use crate::plan::NodeName;
use crate::world::{Link, Packet, Rule, Verdict, nth};

/// Messages that rules pick, each with its link.
const MESSAGES: [(Link, &str); 16] = [
    (Link::S5C, "Create Session Request"),
    (Link::S5C, "Create Session Response"),
    (Link::S5C, "Delete Session Request"),
    (Link::S5C, "Delete Session Response"),
    (Link::S5C, "Delete Bearer Request"),
    (Link::S5C, "Delete Bearer Response"),
    (Link::S6a, "Authentication-Information Answer"),
    (Link::S6a, "Update-Location Request"),
    (Link::S6a, "Update-Location Answer"),
    (Link::S6a, "Cancel-Location Request"),
    (Link::S6a, "Cancel-Location Answer"),
    (Link::S1Nas, "Attach Accept"),
    (Link::S1Nas, "Initial Context Setup Response"),
    (Link::S1Nas, "UE Context Release Command"),
    (Link::S1Nas, "Authentication Response"),
    (Link::S5U, "G-PDU"),
];

impl Run {
    /// Does one thing.
    pub(super) fn operate(&mut self) {
        let mut operation = self.rng.below(100);
        if operation >= 90 && self.rng.chance(self.calm) {
            operation %= 26;
        }
        let sim = self.sim(!(0..26).contains(&operation));
        let title = match operation {
            0..26 => self.attach(sim),
            26..34 => self.leave(sim),
            34..52 => self.traffic(sim),
            52..60 => self.downlink(sim),
            60..68 => self.spoof(sim),
            68..79 => self.lie(sim),
            79..90 => self.order(sim),
            90..94 => self.crash(),
            94..98 => self.one_message(),
            _ => self.partition(),
        };
        self.world().remark(title);
    }

    pub(super) fn any_sim(&mut self) -> usize {
        let sims = self.lab.plan().sims.len();
        self.below(sims)
    }

    pub(super) fn name(&self, sim: usize) -> String {
        let sim = self.lab.plan().sims.get(sim);
        sim.map_or_else(String::new, |s| s.name.clone())
    }

    fn attach(&mut self, sim: usize) -> String {
        let how = self.below(4);
        if how == 0 {
            self.command(sim, UeCommand::PowerOff);
        }
        if how == 1 {
            self.command(sim, UeCommand::ForgetGuti);
        }
        self.command(sim, UeCommand::PowerOn);
        self.command(sim, UeCommand::Attach);
        format!("{} attaches", self.name(sim))
    }

    fn leave(&mut self, sim: usize) -> String {
        let switch_off = self.rng.chance(0.5);
        let (command, what) = match self.rng.below(4) {
            0 => (UeCommand::PowerOff, "loses its battery"),
            1 => (UeCommand::LoseRadio, "loses its radio link"),
            _ => (UeCommand::Detach { switch_off }, "detaches"),
        };
        self.command(sim, command);
        format!("{} {what}", self.name(sim))
    }

    fn order(&mut self, sim: usize) -> String {
        let verb = match self.rng.below(20) {
            0 => "terminate",
            1..7 => "suspend",
            7..11 => "pause",
            11..16 => {
                let sim = self.sim(false);
                self.give_order(sim, "resume");
                return format!("order: resume {}", self.name(sim));
            }
            16 => return self.emergency_cut(sim),
            _ => return self.delete_session(),
        };
        self.give_order(sim, verb);
        format!("order: {verb} {}", self.name(sim))
    }

    /// Orders something at the HSS; returns the number of the call.
    pub(super) fn give_order(&mut self, sim: usize, verb: &str) -> heiiki_types::CallId {
        let imsi = self.lab.plan().sims.get(sim).map(|s| s.imsi.to_string());
        let imsi = imsi.unwrap_or_default();
        let body = serde_json::json!({ "reason": "drawn", "actor": "swarm" });
        self.call(
            AdminOf::Hss,
            Method::Post,
            format!("/v1/subscribers/{imsi}/{verb}"),
            body.to_string(),
        )
    }

    pub(super) fn call(
        &mut self,
        node: AdminOf,
        method: Method,
        target: String,
        body: String,
    ) -> heiiki_types::CallId {
        let tokens = self.lab.tokens();
        let token = match node {
            AdminOf::Hss => tokens.hss.clone(),
            AdminOf::Pgw => tokens.pgw.clone(),
        };
        let request = HttpRequest {
            method,
            target,
            bearer: Some(token),
            body: body.into_bytes(),
            headers: heiiki_types::Headers::default(),
        };
        Network::call(self.world(), node, request)
    }

    fn emergency_cut(&mut self, sim: usize) -> String {
        let Some(imsi) = self.lab.plan().sims.get(sim).map(|s| s.imsi) else {
            return String::new();
        };
        let body = serde_json::json!({ "imsi": imsi, "reason": "drawn", "actor": "swarm" });
        let target = "/v1/emergency-cut".to_owned();
        self.call(AdminOf::Pgw, Method::Post, target, body.to_string());
        format!("order: emergency cut of {}", self.name(sim))
    }

    fn delete_session(&mut self) -> String {
        let newest = self.lab.log().iter().rev().find_map(|e| match e.event {
            crate::log::NodeEvent::Pgw(heiiki_pgw::Event::SessionCreated { session, .. }) => {
                Some(session.0)
            }
            _ => None,
        });
        let session = newest.unwrap_or(1);
        let target = format!("/v1/sessions/{session}/delete");
        self.call(AdminOf::Pgw, Method::Post, target, String::new());
        format!("order: delete session {session}")
    }

    fn crash(&mut self) -> String {
        let nodes = [NodeName::Hss, NodeName::Mme, NodeName::Pgw];
        let node = self.one(&nodes).unwrap_or(NodeName::Hss);
        let longest = if self.rng.chance(0.8) {
            3_000_000
        } else {
            90_000_000
        };
        // A crash is worst in the middle of something.
        if self.rng.chance(0.5) {
            for _ in 0..=self.rng.below(3) {
                let sim = self.sim(false);
                self.attach(sim);
            }
        }
        if self.rng.chance(0.5) {
            self.one_message();
        }
        let falls = self.lab.now() + Duration::from_micros(self.rng.below(120_000));
        let back = falls + Duration::from_micros(self.rng.below(longest));
        self.falling.push((node, falls, back));
        format!("{node:?} crashes at {falls} s")
    }

    fn one_message(&mut self) -> String {
        let (link, name) = self.one(&MESSAGES).unwrap_or((Link::S5C, ""));
        let after = Duration::from_micros(self.rng.below(9_000_000));
        let verdict = match self.rng.below(3) {
            0 => Verdict::Drop,
            1 => Verdict::Delay(after),
            _ => Verdict::Duplicate(after),
        };
        let which = u32::try_from(self.rng.below(3) + 1).unwrap_or(1);
        let until = self.lab.now() + Duration::from_mins(1);
        let rule = self.world().add_rule(link, nth(name, which, verdict));
        self.rules.push((rule, until));
        format!("the next {name} ({which}) on {link}: {verdict:?}")
    }

    fn partition(&mut self) -> String {
        let link = self.one(&Link::ALL).unwrap_or(Link::S5C);
        let longest = if self.rng.chance(0.7) {
            5_000_000
        } else {
            60_000_000
        };
        let until = self.lab.now() + Duration::from_micros(self.rng.below(longest));
        let only_from = self.rng.chance(0.3);
        let rule: Rule = Box::new(move |packet: &Packet<'_>| {
            if only_from && packet.from != "mme" {
                return Verdict::Pass;
            }
            Verdict::Drop
        });
        let rule = self.world().add_rule(link, rule);
        self.rules.push((rule, until));
        format!("{link} is cut")
    }
}
