//! The end of a run: the network heals, everybody who may attach does, everybody leaves, and
//! nothing is left.

use core::time::Duration;

use heiiki_types::{HttpResponse, Imsi, Method};
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

use super::{Run, plan};
use crate::lab::{AdminOf, Network as _};
use crate::log::NodeEvent;
use crate::world::{Link, LinkProfile};

/// Longer than any quarantine, retransmission or reconnection.
const SETTLE: Duration = Duration::from_secs(200);
/// Longer than what an unprotected refusal keeps a UE away: T3247, 30 to 60 minutes (TS 24.301
/// §5.3.7b). T3346 is shorter.
const BACK_OFF: Duration = Duration::from_mins(61);
/// Longer than an attach in a network without faults, back-offs aside.
const ATTACH: Duration = Duration::from_secs(20);

/// `GET /v1/bars` at the gateway.
#[derive(serde::Deserialize)]
struct Bars {
    bars: Vec<Bar>,
}

#[derive(serde::Deserialize)]
struct Bar {
    imsi: Imsi,
}

impl Run {
    pub(super) fn finish(&mut self) -> Result<(), String> {
        self.world().remark("everything heals".to_owned());
        self.heal();
        self.let_pass(SETTLE)?;
        self.resume_all()?;
        self.attach_all()?;
        self.leave_all()?;
        self.world().scan();
        self.let_pass(Duration::ZERO)
    }

    fn heal(&mut self) {
        self.falling.clear();
        for (node, _) in core::mem::take(&mut self.down) {
            // What a node is made from was good when it started first.
            let _ = self.world().restart(node);
        }
        self.rules.clear();
        for link in Link::ALL {
            let world = self.world();
            world.clear_rules(link);
            let delay = world.profile(link).delay;
            world.set_profile(link, LinkProfile::quiet(delay));
        }
        self.stop_streams();
    }

    /// Waits for the answer to an administrative call.
    fn answer(&mut self, call: heiiki_types::CallId) -> Result<HttpResponse, String> {
        for _ in 0..400 {
            if let Some(answer) = self.world().answer(call) {
                return Ok(answer);
            }
            self.let_pass(Duration::from_millis(25))?;
        }
        Err("7: an administrative call is not answered in 10 s".to_owned())
    }

    /// The state of a SIM at the HSS.
    fn state(&mut self, imsi: Imsi) -> Result<String, String> {
        let target = format!("/v1/subscribers/{imsi}");
        let call = self.call(AdminOf::Hss, Method::Get, target, String::new());
        let answer = self.answer(call)?;
        let body: serde_json::Value = serde_json::from_slice(&answer.body)
            .map_err(|e| format!("7: the HSS's answer cannot be read: {e}"))?;
        let state = body.get("state").and_then(|s| s.as_str());
        state.map(str::to_owned).ok_or_else(|| {
            let body = String::from_utf8_lossy(&answer.body);
            format!("7: the HSS does not tell the state of {imsi}: {body}")
        })
    }

    fn imsis(&self) -> Vec<Imsi> {
        self.lab.plan().sims.iter().map(|s| s.imsi).collect()
    }

    fn resume_all(&mut self) -> Result<(), String> {
        for (sim, imsi) in self.imsis().into_iter().enumerate() {
            let state = self.state(imsi)?;
            if state == "suspended" || state == "inactive" {
                let call = self.give_order(sim, "resume");
                let answer = self.answer(call)?;
                if answer.status != 200 {
                    let body = String::from_utf8_lossy(&answer.body);
                    return Err(format!("3: {imsi} cannot be resumed: {body}"));
                }
            }
        }
        // Lifts reach the gateway, and what keeps UEs away ends.
        self.let_pass(BACK_OFF)?;
        self.no_bar_is_left()
    }

    /// No bar is left but those of SIMs that are terminated: what a gateway cut by itself was taken
    /// up by the HSS, and resumed there.
    fn no_bar_is_left(&mut self) -> Result<(), String> {
        let call = self.call(
            AdminOf::Pgw,
            Method::Get,
            "/v1/bars".to_owned(),
            String::new(),
        );
        let answer = self.answer(call)?;
        let Bars { bars } = serde_json::from_slice(&answer.body)
            .map_err(|e| format!("7: the gateway's answer cannot be read: {e}"))?;
        for Bar { imsi } in bars {
            if self.state(imsi)? != "terminated" {
                return Err(format!("3: {imsi} was resumed and its bar is not lifted"));
            }
        }
        Ok(())
    }

    fn attach_all(&mut self) -> Result<(), String> {
        let imsis = self.imsis();
        for sim in 0..imsis.len() {
            self.command(sim, UeCommand::PowerOff);
        }
        self.let_pass(Duration::from_secs(1))?;
        let from = self.lab.log().len();
        self.attach_those_who_are_not(from)?;
        // A small pool has the addresses of the sessions that were just replaced only when they
        // have rested.
        self.let_pass(SETTLE)?;
        self.attach_those_who_are_not(from)?;
        for (sim, imsi) in imsis.into_iter().enumerate() {
            let attached = self.attached_since(from, imsi);
            let genuine = self.lab.plan().sims.get(sim).is_some_and(plan::is_genuine);
            let may = genuine && self.state(imsi)? != "terminated";
            match (attached, may) {
                (false, true) => return Err(format!("5: {imsi} may attach and is not attached")),
                (true, false) => return Err(format!("3: {imsi} may not attach and is attached")),
                _ => {}
            }
        }
        self.world().sessions_agree()
    }

    fn attach_those_who_are_not(&mut self, from: usize) -> Result<(), String> {
        for (sim, imsi) in self.imsis().into_iter().enumerate() {
            if !self.attached_since(from, imsi) {
                self.command(sim, UeCommand::PowerOn);
                self.command(sim, UeCommand::Attach);
                self.let_pass(Duration::from_millis(20))?;
            }
        }
        self.let_pass(ATTACH)
    }

    fn attached_since(&self, from: usize, wanted: Imsi) -> bool {
        let entries = self.lab.log().get(from..).unwrap_or_default();
        entries.iter().any(|entry| match &entry.event {
            NodeEvent::Ue { imsi, event } => {
                *imsi == wanted && matches!(event, UeEvent::Attached { .. })
            }
            _ => false,
        })
    }

    fn leave_all(&mut self) -> Result<(), String> {
        for sim in 0..self.imsis().len() {
            let switch_off = self.rng.chance(0.5);
            self.command(sim, UeCommand::Detach { switch_off });
        }
        self.let_pass(SETTLE)?;
        self.world().at_rest()
    }
}
