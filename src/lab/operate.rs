//! What an operator does, and what a subscriber does with the phone in hand.

use core::fmt;
use core::time::Duration;

use heiiki_types::{CallId, HttpRequest, HttpResponse, Method};
use heiiki_ue_sim::{Event as UeEvent, UeCommand};

use super::{AdminOf, AttachError, Cut, Lab, Network, PATIENCE, Session};

/// Why an operator's order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperateError {
    /// The node refused it.
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the node says about it.
        why: String,
    },
    /// The answer is not what the interface promises: a fault of this project.
    Unreadable(String),
}

impl fmt::Display for OperateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, why } => write!(f, "refused with status {status}: {why}"),
            Self::Unreadable(why) => write!(f, "an answer that cannot be read: {why}"),
        }
    }
}

impl core::error::Error for OperateError {}

fn read<T: serde::de::DeserializeOwned>(response: &HttpResponse) -> Result<T, OperateError> {
    if !(200..300).contains(&response.status) {
        let why = String::from_utf8_lossy(&response.body).into_owned();
        return Err(OperateError::Refused {
            status: response.status,
            why,
        });
    }
    serde_json::from_slice(&response.body).map_err(|e| OperateError::Unreadable(e.to_string()))
}

impl<N: Network> Lab<N> {
    /// Switches the UE off and on, and lets it attach once. Coming from off, it has forgotten
    /// every refusal that a power cycle clears.
    ///
    /// # Errors
    /// Why it is not attached.
    pub fn attach(&mut self, sim: &str) -> Result<Session, AttachError> {
        let place = self.sim(sim);
        self.network.command(place, UeCommand::PowerOff);
        self.network.command(place, UeCommand::PowerOn);
        self.try_attach(sim)
    }

    /// Lets the UE attach once as it is: an earlier refusal may keep it from trying.
    ///
    /// # Errors
    /// Why it is not attached.
    pub fn try_attach(&mut self, sim: &str) -> Result<Session, AttachError> {
        let from = self.log().len();
        self.command(sim, UeCommand::Attach);
        self.attach_outcome(sim, from, PATIENCE)
    }

    /// What comes of an attach that began after the entry `from` of the log.
    ///
    /// # Errors
    /// Why it is not attached.
    pub fn attach_outcome(
        &mut self,
        sim: &str,
        from: usize,
        within: Duration,
    ) -> Result<Session, AttachError> {
        let place = self.sim(sim);
        let mut refused_by_ue = None;
        let outcome = self.wait_ue(place, from, within, |event| {
            if let UeEvent::AuthenticationFailed { cause } = event {
                refused_by_ue = Some(*cause);
            }
            attach_event(event)
        });
        match (outcome, refused_by_ue) {
            (Some(Ok(session)), _) => Ok(session),
            (_, Some(cause)) => Err(AttachError::NotGenuine { cause }),
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(AttachError::TimedOut),
        }
    }

    /// Lets the UE leave the network; `switch_off` is a phone that is turned off.
    pub fn detach(&mut self, sim: &str, switch_off: bool) -> bool {
        let place = self.sim(sim);
        let from = self.log().len();
        self.command(sim, UeCommand::Detach { switch_off });
        let left = |event: &UeEvent| match event {
            UeEvent::Detached { .. } => Some(()),
            UeEvent::Power { on: false } if switch_off => Some(()),
            _ => None,
        };
        self.wait_ue(place, from, PATIENCE, left).is_some()
    }

    /// Lost or stolen: cut the SIM everywhere and keep it out until it is resumed. Returns once
    /// the cut is dark, or as far as it came.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn suspend(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "suspend", reason)
    }

    /// Cut the SIM and refuse it for the time being.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn pause(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "pause", reason)
    }

    /// Lift a suspension or a pause.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn resume(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "resume", reason)
    }

    /// End the subscription for good.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn terminate(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "terminate", reason)
    }

    /// Leave the SIM its session and its tenant's quarantine prefixes, and nothing else.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn isolate(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "isolate", reason)
    }

    /// End an isolation.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn release(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "release", reason)
    }

    /// End the sessions of the SIM; its UE may come back at once.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn delete_session(&mut self, sim: &str, reason: &str) -> Result<Cut, OperateError> {
        self.order(sim, "delete-session", reason)
    }

    /// Cut the SIM at the gateway alone: it works with the HSS down.
    ///
    /// # Errors
    /// When the gateway refuses the order.
    pub fn emergency_cut(
        &mut self,
        sim: &str,
        reason: &str,
    ) -> Result<serde_json::Value, OperateError> {
        let body = serde_json::json!({
            "imsi": self.imsi(sim), "reason": reason, "actor": "lab",
        });
        let body = body.to_string();
        read(&self.admin(AdminOf::Pgw, Method::Post, "/v1/emergency-cut", &body))
    }

    /// Gives the HSS an order about a SIM, and follows it until it is done.
    ///
    /// # Errors
    /// When the HSS refuses the order.
    pub fn order(&mut self, sim: &str, verb: &str, reason: &str) -> Result<Cut, OperateError> {
        let (target, body) = self.order_text(sim, verb, reason);
        let cut: Cut = read(&self.admin(AdminOf::Hss, Method::Post, &target, &body))?;
        self.follow(cut, Duration::from_secs(5), Cut::is_done)
    }

    /// Gives the HSS an order and lets no time pass; see [`answer`](Self::answer).
    pub fn start_order(&mut self, sim: &str, verb: &str, reason: &str) -> CallId {
        let (target, body) = self.order_text(sim, verb, reason);
        let request = HttpRequest {
            method: Method::Post,
            target,
            bearer: Some(self.tokens.hss.clone()),
            body: body.into_bytes(),
            headers: heiiki_types::Headers::default(),
        };
        self.network.call(AdminOf::Hss, request)
    }

    /// The answer to an order that was not waited for, once it is there.
    pub fn answer(&mut self, call: CallId) -> Option<HttpResponse> {
        self.network.answer(call)
    }

    /// Path and body of an order.
    fn order_text(&self, sim: &str, verb: &str, reason: &str) -> (String, String) {
        let target = format!("/v1/subscribers/{}/{verb}", self.imsi(sim));
        let body = serde_json::json!({ "reason": reason, "actor": "lab" });
        (target, body.to_string())
    }

    /// Reads a cut's certificate again until it is as wanted, for at most `within`.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn follow(
        &mut self,
        mut cut: Cut,
        within: Duration,
        done: impl Fn(&Cut) -> bool,
    ) -> Result<Cut, OperateError> {
        let until = self.now() + within;
        while !done(&cut) && self.now() < until {
            self.run_for(Duration::from_millis(20));
            cut = self.cut(&cut.cut)?;
        }
        Ok(cut)
    }

    /// The certificate of a cut as it stands.
    ///
    /// # Errors
    /// When the HSS has no such cut.
    pub fn cut(&mut self, id: &str) -> Result<Cut, OperateError> {
        read(&self.admin(AdminOf::Hss, Method::Get, &format!("/v1/cuts/{id}"), ""))
    }

    /// The sessions of the gateway, as its interface shows them.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub fn sessions(&mut self) -> Result<serde_json::Value, OperateError> {
        read(&self.admin(AdminOf::Pgw, Method::Get, "/v1/sessions", ""))
    }

    /// The gateway's counters, as its interface shows them.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub fn counters(&mut self) -> Result<serde_json::Value, OperateError> {
        read(&self.admin(AdminOf::Pgw, Method::Get, "/v1/counters", ""))
    }

    /// The proof of closedness over the gateway's live tables.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub fn audit(&mut self) -> Result<serde_json::Value, OperateError> {
        read(&self.admin(AdminOf::Pgw, Method::Get, "/v1/audit", ""))
    }

    /// The IMSI of a SIM.
    pub fn imsi(&self, sim: &str) -> heiiki_types::Imsi {
        let place = self.sim(sim);
        // `sim` has made sure that the place exists.
        self.plan
            .sims
            .get(place)
            .map_or_else(|| unreachable!(), |s| s.imsi)
    }
}

pub(crate) fn attach_event(event: &UeEvent) -> Option<Result<Session, AttachError>> {
    Some(match event {
        UeEvent::Attached {
            ip,
            apn,
            dns,
            took_us,
            ..
        } => Ok(Session {
            ip: ip.unwrap_or(core::net::Ipv4Addr::UNSPECIFIED),
            apn: apn.clone(),
            dns: dns.clone(),
            took: Duration::from_micros(*took_us),
        }),
        UeEvent::AttachRejected {
            cause,
            esm_cause,
            protected,
            back_off_s,
        } => Err(AttachError::Rejected {
            cause: *cause,
            esm_cause: *esm_cause,
            protected: *protected,
            back_off: back_off_s.map(Duration::from_secs),
        }),
        UeEvent::AuthenticationRejected { .. } => Err(AttachError::AuthenticationRejected),
        UeEvent::AttachNotStarted { why } => Err(AttachError::NotStarted(*why)),
        UeEvent::AttachFailed { why } => Err(AttachError::Failed(why)),
        _ => return None,
    })
}
