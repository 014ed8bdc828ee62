//! The UEs of the node: making, finding, moving between states, timing and forgetting them.

use alloc::vec::Vec;

use heiiki_nas::security::SecurityHeader;

use super::Mme;
use crate::emm::{Emm, Running, S1Link, Step, Ue, UeId, fsm};
use crate::event::Event;
use crate::timers::Timer;

impl Mme {
    /// An identity that no UE has.
    pub(crate) fn new_ue_id(&mut self) -> UeId {
        loop {
            self.next_ue = self.next_ue.wrapping_add(1);
            let id = UeId(self.next_ue);
            if !self.ues.contains_key(&id) {
                return id;
            }
        }
    }

    /// A UE on a new connection.
    pub(crate) fn add_ue(&mut self, id: UeId, link: S1Link) {
        self.ues.insert(id, Ue::new(id, link));
        self.by_s1.insert(link, id);
    }

    /// Attempts that have not proved who they are.
    pub(crate) fn unproven(&self) -> usize {
        self.ues.len().saturating_sub(self.by_imsi.len())
    }

    /// Whether another UE may come.
    pub(crate) fn has_room(&self) -> bool {
        let limits = self.config.limits;
        let active = self.ues.len().saturating_sub(self.detached.len());
        active < limits.ues && self.unproven() < limits.unproven
    }

    /// Moves a UE to the state of `emm`; `event` must lead there by the table of states.
    pub(crate) fn advance(&mut self, id: UeId, event: fsm::Event, emm: Emm) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let lawful = ue.emm.state().next(event) == Ok(emm.state());
        ue.emm = emm;
        if !lawful {
            self.event(Event::Bug {
                what: "transition that the table of EMM states does not have",
            });
        }
    }

    /// Moves an attach to its next step; `event` must lead there by the table of states.
    pub(crate) fn step(&mut self, id: UeId, event: fsm::Event, step: Step) {
        let Some(ue) = self.ues.get_mut(&id) else {
            return;
        };
        let next = ue.emm.state().next(event);
        let Some(attach) = ue.attach_mut() else {
            return self.event(Event::Bug {
                what: "a step of an attach without an attach",
            });
        };
        attach.step = step;
        if next != Ok(ue.emm.state()) {
            self.event(Event::Bug {
                what: "transition that the table of EMM states does not have",
            });
        }
    }

    /// Starts a timer for the UE, in place of the one that runs.
    pub(crate) fn start_timer(
        &mut self,
        id: UeId,
        timer: Timer,
        resend: Option<(SecurityHeader, Vec<u8>)>,
    ) {
        self.stop_timer(id);
        let mut length = self.config.timers.row(timer).length;
        if timer == Timer::MobileReachable {
            length += self.config.t3412;
        }
        let at = self.now.at + length;
        if let Some(ue) = self.ues.get_mut(&id) {
            ue.timer = Some(Running {
                timer,
                at,
                expiries: 0,
                resend,
            });
            self.timers.insert((at, id));
        }
    }

    /// Starts the running timer again after an expiry.
    pub(crate) fn restart_timer(&mut self, id: UeId, mut running: Running) {
        running.at = self.now.at + self.config.timers.row(running.timer).length;
        if let Some(ue) = self.ues.get_mut(&id) {
            self.timers.insert((running.at, id));
            ue.timer = Some(running);
        }
    }

    pub(crate) fn stop_timer(&mut self, id: UeId) {
        if let Some(running) = self.ues.get_mut(&id).and_then(|ue| ue.timer.take()) {
            self.timers.remove(&(running.at, id));
        }
    }

    /// The next UE whose timer has expired, out of the queue.
    pub(super) fn due(&mut self) -> Option<UeId> {
        let (at, id) = *self.timers.first()?;
        if at > self.now.at {
            return None;
        }
        self.timers.pop_first();
        Some(id)
    }

    /// Parts a UE from its S1 connection without a word.
    pub(crate) fn unlink(&mut self, id: UeId) -> Option<S1Link> {
        let ue = self.ues.get_mut(&id)?;
        ue.secure = false;
        let link = ue.s1.take()?;
        if self.by_s1.get(&link) == Some(&id) {
            self.by_s1.remove(&link);
        }
        Some(link)
    }

    /// Forgets a UE altogether. Its session must be closed before.
    pub(crate) fn remove_ue(&mut self, id: UeId) {
        self.stop_timer(id);
        self.unlink(id);
        let Some(ue) = self.ues.remove(&id) else {
            return;
        };
        if ue.session.is_some() {
            self.event(Event::Bug {
                what: "a UE was forgotten before its session was closed",
            });
        }
        if let Some(imsi) = ue.imsi.filter(|i| self.by_imsi.get(i) == Some(&id)) {
            self.by_imsi.remove(&imsi);
        }
        if let Some(guti) = ue.guti.filter(|g| self.by_tmsi.get(&g.m_tmsi) == Some(&id)) {
            self.by_tmsi.remove(&guti.m_tmsi);
        }
        if matches!(ue.emm, Emm::Deregistered) {
            self.detached.remove(&id);
        }
    }
}
