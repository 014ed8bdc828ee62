//! The virtual world as the network of a lab.

use heiiki_pgw::sgi::{ProbeStream, Segment, StreamId};
use heiiki_types::{CallId, HttpRequest, HttpResponse, Instant, Now};
use heiiki_ue_sim::{EnbConfig, UeCommand, UeId};

use super::invariants::Checker;
use super::node::{Blueprint, Node};
use super::{Link, LinkProfile, NodeId, Rule, Verdict, World};
use crate::lab::wiring::{EnbWiring, HSS, MME, PGW, Wiring};
use crate::lab::{AdminOf, DownlinkStream, Escaped, Network, NotInThisWorld, ue_profile};
use crate::log::Entry;
use crate::plan::{self, Fate, LinkName, LinkRule, NodeName, Quality};

impl From<LinkName> for Link {
    fn from(name: LinkName) -> Self {
        match name {
            LinkName::S1 => Self::S1Nas,
            LinkName::S1u => Self::S1U,
            LinkName::S6a => Self::S6a,
            LinkName::S5c => Self::S5C,
            LinkName::S5u => Self::S5U,
            LinkName::Sgi => Self::Sgi,
            LinkName::Admin => Self::Admin,
        }
    }
}

impl From<Quality> for LinkProfile {
    fn from(quality: Quality) -> Self {
        let Quality {
            delay,
            jitter,
            loss,
            duplicate,
            reorder,
            corrupt,
        } = quality;
        Self {
            delay,
            jitter,
            loss,
            duplicate,
            reorder,
            corrupt,
        }
    }
}

/// The places of a lab's nodes in the world.
#[derive(Debug, Default)]
pub(crate) struct Places {
    hss: Option<NodeId>,
    mme: Option<NodeId>,
    pgw: Option<NodeId>,
    segments: Vec<NodeId>,
    /// Which eNB and which UE there has the SIM at each place of the plan.
    ues: Vec<(NodeId, UeId)>,
}

impl Places {
    /// MME and SGW.
    pub(crate) const fn mme(&self) -> Option<NodeId> {
        self.mme
    }
}

impl World {
    /// Puts the nodes of a lab into the world and starts them.
    pub(crate) fn populate(&mut self, plan: &plan::Lab, wired: Wiring) -> Result<(), Vec<String>> {
        let Wiring {
            addresses,
            hss,
            hss_tokens: tokens,
            store_keys,
            subscribers,
            mme,
            pgw,
            enbs,
            ..
        } = wired;
        let s6a = addresses.hss();
        let ues = enbs
            .iter()
            .flat_map(|enb| {
                let cards = (0..).zip(&enb.cards);
                cards.map(|(ue, (_, card))| ((enb.id, ue), card.imsi()))
            })
            .collect();
        self.checker = Checker::new(&pgw, &subscribers, ues);
        let hss = self.add(
            HSS,
            Blueprint::Hss {
                config: hss,
                tokens,
                store_keys,
                subscribers,
                s6a,
            },
        );
        let workers = pgw.workers.len();
        let gateway = self.add(
            PGW,
            Blueprint::Pgw {
                config: pgw.clone(),
            },
        );
        let mut places = Places {
            hss: Some(hss),
            pgw: Some(gateway),
            ues: vec![(NodeId(0), UeId(0)); plan.sims.len()],
            ..Places::default()
        };
        for worker in 0..workers {
            let blueprint = Blueprint::Segment {
                config: pgw.clone(),
                worker,
                pgw: gateway,
            };
            places
                .segments
                .push(self.add(&format!("segment-{worker}"), blueprint));
        }
        places.mme = Some(self.add(MME, Blueprint::Mme { config: mme }));
        self.add_enbs(enbs, &mut places.ues);
        self.places = places;
        (0..self.nodes.len())
            .try_for_each(|index| self.start(NodeId(u16::try_from(index).unwrap_or(u16::MAX))))
    }

    /// Adds the eNBs, and notes where the SIM at each place of the plan is.
    fn add_enbs(&mut self, enbs: Vec<EnbWiring>, ues: &mut [(NodeId, UeId)]) {
        for enb in enbs {
            let config = EnbConfig {
                id: enb.id,
                tai: enb.tai,
                ecgi: enb.ecgi,
                s1u_local: enb.s1u,
            };
            let (on_it, cards): (Vec<usize>, Vec<_>) = enb.cards.into_iter().unzip();
            let name = format!("enb-{}", enb.id.0);
            let id = self.add(
                &name,
                Blueprint::Enb {
                    config,
                    profile: ue_profile(),
                    cards,
                },
            );
            for (number, place) in (0..).zip(on_it) {
                if let Some(ue) = ues.get_mut(place) {
                    *ue = (id, UeId(number));
                }
            }
        }
    }

    /// A backup of the disk of a node.
    pub fn backup(&self, node: NodeName) -> Vec<u8> {
        let slot = self
            .place(node)
            .and_then(|id| self.nodes.get(usize::from(id.0)));
        slot.map(|slot| slot.disk.backup()).unwrap_or_default()
    }

    /// Puts a backup in the place of the disk of a node that is down, or an empty disk: the gateway
    /// that lost its journal, the HSS of last week.
    pub fn restore_disk(&mut self, node: NodeName, backup: Option<Vec<u8>>) {
        let id = self.place(node).map(|id| usize::from(id.0));
        if let Some(slot) = id.and_then(|id| self.nodes.get_mut(id))
            && slot.node.is_none()
        {
            let lost = backup.is_none() && node == NodeName::Pgw;
            slot.disk.restore(backup);
            if lost {
                // A gateway without its journal cannot know what had to rest.
                self.checker.gateway_forgot();
            }
        }
    }

    /// Acts on the first shard of the segments. Whichever worker has a UE, packets find it.
    fn segment<R>(&mut self, act: impl FnOnce(&mut Segment, Now) -> R) -> Option<R> {
        let segment = self.places.segments.first().copied()?;
        let acted = self.with(segment, |node, now| match node {
            Node::Segment { segment, .. } => Some(act(segment, now)),
            _ => None,
        });
        acted.flatten()
    }

    fn place(&self, node: NodeName) -> Option<NodeId> {
        match node {
            NodeName::Hss => self.places.hss,
            NodeName::Mme => self.places.mme,
            NodeName::Pgw => self.places.pgw,
        }
    }
}

impl Network for World {
    fn now(&self) -> Now {
        Self::now(self)
    }

    fn log(&self) -> &[Entry] {
        Self::log(self)
    }

    fn advance(&mut self, until: Instant) {
        let (before, answers) = (self.log.len(), self.calls.answers.len());
        while self.step(until) {
            if self.log.len() > before || self.calls.answers.len() > answers {
                return;
            }
        }
    }

    fn command(&mut self, sim: usize, command: UeCommand) {
        let Some((enb, ue)) = self.places.ues.get(sim).copied() else {
            return;
        };
        self.with(enb, |node, now| {
            if let Node::Enb { enb, .. } = node {
                use heiiki_types::Machine as _;
                enb.handle_input(now, heiiki_ue_sim::Input::Command { ue, command });
            }
        });
    }

    fn call(&mut self, node: AdminOf, request: HttpRequest) -> CallId {
        let place = match node {
            AdminOf::Hss => self.places.hss,
            AdminOf::Pgw => self.places.pgw,
        };
        Self::call(self, place.unwrap_or(NodeId(u16::MAX)), request)
    }

    fn answer(&mut self, call: CallId) -> Option<HttpResponse> {
        Self::answer(self, call)
    }

    fn start_downlink(&mut self, stream: &DownlinkStream) -> u64 {
        let stream = ProbeStream::from(stream);
        self.segment(|segment, now| segment.start_stream(now, stream).0)
            .unwrap_or(0)
    }

    fn stop_downlink(&mut self, number: u64) {
        self.segment(|segment, _| segment.stop_stream(StreamId(number)));
    }

    fn escaped(&mut self) -> Vec<Escaped> {
        let segments = self.nodes.iter().filter_map(|s| match &s.node {
            Some(Node::Segment { segment, .. }) => Some(segment.sentinel()),
            _ => None,
        });
        Escaped::sum(segments.flat_map(Escaped::of).collect())
    }

    fn crash(&mut self, node: NodeName) -> Result<(), NotInThisWorld> {
        if let Some(id) = self.place(node) {
            Self::crash(self, id);
        }
        Ok(())
    }

    fn restart(&mut self, node: NodeName) -> Result<(), NotInThisWorld> {
        // What a node is made from was checked when it started first.
        if let Some(id) = self.place(node) {
            let _ = self.start(id);
        }
        Ok(())
    }

    fn link(&mut self, link: LinkName, rule: &LinkRule) -> Result<(), NotInThisWorld> {
        let link = Link::from(link);
        match rule {
            LinkRule::Quality(quality) => self.set_profile(link, LinkProfile::from(*quality)),
            LinkRule::Partition => {
                let everything: Rule = Box::new(|_| Verdict::Drop);
                self.add_rule(link, everything);
            }
            LinkRule::Heal => {
                self.clear_rules(link);
                let delay = self.profile(link).delay;
                self.set_profile(link, LinkProfile::quiet(delay));
            }
            LinkRule::Nth { message, nth, fate } => {
                let verdict = match fate {
                    Fate::Drop => Verdict::Drop,
                    Fate::Duplicate => Verdict::Duplicate(self.profile(link).delay),
                    Fate::Delay(time) => Verdict::Delay(*time),
                };
                self.add_rule(link, super::link::nth(message, *nth, verdict));
            }
        }
        Ok(())
    }

    fn violations(&self) -> &[String] {
        &self.violations
    }
}
