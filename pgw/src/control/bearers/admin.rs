//! Dedicated bearers in the administrative interface.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use heiiki_gtp::c::Cause;
use heiiki_gtp::tft::{BearerKind, Operation, PacketFilter, Tft};
use heiiki_types::{Ambr, Arp, CallId, Ebi, HttpResponse, Now, Qci};
use serde::{Deserialize, Serialize};

use super::update::is_accepted;
use super::{Ask, Bearer, Change, Origin, Outcome, Qos, Request, template};
use crate::config::{BearerRule, BearerWhen, numbered};
use crate::control::Control;
use crate::control::admin::Handled;
use crate::control::api;
use crate::control::session::{Live, State};
use crate::user_plane::SessionId;

/// `POST /v1/sessions/{id}/bearers` names a rule of the access point, or says everything itself;
/// `POST /v1/sessions/{id}/bearers/{ebi}` says what changes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct BearerCall {
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    qci: Option<Qci>,
    #[serde(default)]
    arp: Option<Arp>,
    #[serde(default)]
    mbr: Option<Ambr>,
    #[serde(default)]
    gbr: Option<Ambr>,
    #[serde(default)]
    filters: Option<Vec<String>>,
}

/// `POST /v1/sessions/{id}/ambr`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct AmbrCall {
    uplink_bps: u64,
    downlink_bps: u64,
}

#[derive(Debug, Serialize)]
struct BearerView<'a> {
    ebi: Ebi,
    name: &'a str,
    origin: Origin,
    #[serde(flatten)]
    qos: Qos,
    filters: Vec<String>,
    charging_id: SessionId,
}

impl<'a> BearerView<'a> {
    fn of(bearer: &'a Bearer) -> Self {
        Self {
            ebi: bearer.ebi,
            name: &bearer.name,
            origin: bearer.origin,
            qos: bearer.qos,
            filters: bearer.filters().iter().map(ToString::to_string).collect(),
            charging_id: bearer.charging,
        }
    }
}

#[derive(Debug, Serialize)]
struct BearersReply<'a> {
    id: SessionId,
    default_ebi: Ebi,
    ambr: Option<Ambr>,
    bearers: Vec<BearerView<'a>>,
    boot: &'a str,
}

/// What a call hears of the bearers that it was about.
#[derive(Debug, Serialize)]
struct OutcomeReply {
    id: SessionId,
    /// Why it did not come to pass; none when it did.
    error: Option<String>,
    /// The cause of the SGW's response, TS 29.274 Table 8.4-1; none without a response.
    cause: Option<u8>,
    bearers: Vec<BearerOutcome>,
    durable: bool,
}

#[derive(Debug, Serialize)]
struct BearerOutcome {
    ebi: Option<Ebi>,
    cause: u8,
}

/// The answer to a call whose request was answered, or was not.
pub(super) fn outcome(outcome: &Outcome, durable: bool) -> HttpResponse {
    let is_done = outcome.request == "delete_bearer"
        || outcome.cause.is_some_and(is_accepted)
            && outcome.bearers.iter().all(|(_, cause)| is_accepted(*cause));
    let (status, error) = match outcome.cause {
        _ if !durable => (500, Some(String::from("the disk failed"))),
        _ if is_done => (200, None),
        Some(_) => {
            let worst = outcome.bearers.iter().map(|(_, cause)| *cause);
            let worst = worst
                .chain(outcome.cause)
                .find(|cause| !is_accepted(*cause));
            let worst = Cause(worst.unwrap_or(0));
            (409, Some(format!("the SGW refuses: {worst}")))
        }
        None => (504, Some(String::from("the SGW has not answered"))),
    };
    let bearers = outcome.bearers.iter().map(|(ebi, cause)| BearerOutcome {
        ebi: *ebi,
        cause: *cause,
    });
    let body = OutcomeReply {
        id: outcome.session,
        error,
        cause: outcome.cause,
        bearers: bearers.collect(),
        durable,
    };
    api::reply(status, &body)
}

fn wrong(text: &str) -> HttpResponse {
    api::error(400, text)
}

impl BearerCall {
    /// The rule that a call says itself.
    fn rule(self) -> Result<BearerRule, HttpResponse> {
        let filters = filters(self.filters.as_deref().unwrap_or_default())?;
        Ok(BearerRule {
            name: self.name.unwrap_or_else(|| String::from("order")),
            qci: self.qci.ok_or_else(|| wrong("a bearer needs a qci"))?,
            arp: self.arp.unwrap_or(BearerRule::ARP),
            mbr: self.mbr,
            gbr: self.gbr,
            filters,
            when: BearerWhen::Order,
        })
    }
}

fn filters(texts: &[String]) -> Result<Vec<PacketFilter>, HttpResponse> {
    let read = |text: &String| {
        text.parse::<PacketFilter>()
            .map_err(|error| wrong(&format!("filter `{text}`: {error}")))
    };
    texts.iter().map(read).collect()
}

impl Control {
    /// The session of a call, ready for bearers.
    fn called(&self, id: &str) -> Result<Live, HttpResponse> {
        let id: u32 = id.parse().map_err(|_| wrong("a session has a number"))?;
        let found = self.sessions.iter().find(|l| l.session.id.0 == id);
        let live = found.filter(|l| l.state == State::Active);
        live.cloned()
            .ok_or_else(|| api::error(404, "there is no such session"))
    }

    fn called_bearer(live: &Live, ebi: &str) -> Result<Bearer, HttpResponse> {
        let ebi = ebi.parse().ok().and_then(|n| Ebi::new(n).ok());
        let ebi = ebi.ok_or_else(|| wrong("an EPS bearer identity is 5 to 15"))?;
        let bearer = live.session.bearers.iter().find(|b| b.ebi == ebi);
        bearer
            .cloned()
            .ok_or_else(|| api::error(404, "the session has no such dedicated bearer"))
    }

    /// `GET /v1/sessions/{id}/bearers`
    pub(in crate::control) fn get_bearers(&mut self, call: CallId, id: &str) -> Handled {
        let live = self.called(id)?;
        let session = &live.session;
        let body = BearersReply {
            id: session.id,
            default_ebi: session.ebi,
            ambr: session.ambr,
            bearers: session.bearers.iter().map(BearerView::of).collect(),
            boot: &self.config.boot_id,
        };
        let response = api::reply(200, &body);
        self.reply(call, response);
        Ok(())
    }

    /// `POST /v1/sessions/{id}/bearers`
    pub(in crate::control) fn post_bearer(
        &mut self,
        now: Now,
        call: CallId,
        id: &str,
        order: BearerCall,
    ) -> Handled {
        let live = self.called(id)?;
        let rule = match &order.rule {
            Some(name) => {
                let access = self.network.access(live.access);
                let mut rules = access.into_iter().flat_map(|a| &a.config.bearers);
                let rule = rules.find(|r| r.name == *name).cloned();
                rule.ok_or_else(|| api::error(404, "the access point has no bearer of this name"))?
            }
            None => order.rule()?,
        };
        if let Some(why) = rule.mistake() {
            return Err(wrong(why));
        }
        let bearer = self.new_bearer(now, &live, &rule, Origin::Order, &[]);
        let bearer =
            bearer.ok_or_else(|| api::error(409, "the session has as many bearers as it can"))?;
        let used = Self::precedences(&live, None);
        if bearer
            .filters()
            .iter()
            .any(|f| used.contains(&f.precedence))
        {
            return Err(api::error(
                409,
                "another filter of the session has this precedence",
            ));
        }
        let mut request = Request::new(&live, Ask::Create(alloc::vec![bearer]));
        request.call = Some(call);
        self.ask_sgw(now, request);
        Ok(())
    }

    /// `POST /v1/sessions/{id}/bearers/{ebi}`
    pub(in crate::control) fn post_bearer_change(
        &mut self,
        now: Now,
        call: CallId,
        (id, ebi): (&str, &str),
        order: &BearerCall,
    ) -> Handled {
        let live = self.called(id)?;
        let bearer = Self::called_bearer(&live, ebi)?;
        if order.rule.is_some() || order.name.is_some() {
            return Err(wrong("a bearer keeps its name and rule"));
        }
        let has = bearer.filters();
        let new = order.filters.as_deref().map(filters).transpose()?;
        let others = Self::precedences(&live, Some(bearer.ebi));
        let new = new.map(|filters| numbered(&filters, &others));
        let rule = BearerRule {
            name: bearer.name.clone(),
            qci: order.qci.unwrap_or(bearer.qos.qci),
            arp: order.arp.unwrap_or(bearer.qos.arp),
            mbr: order.mbr.or(bearer.qos.mbr),
            gbr: order.gbr.or(bearer.qos.gbr),
            filters: new.clone().unwrap_or_else(|| has.clone()),
            when: BearerWhen::Order,
        };
        if let Some(why) = rule.mistake() {
            return Err(wrong(why));
        }
        let operation = new.clone().map(|f| Tft::new(Operation::CreateNew(f)));
        if let Some(tft) = &operation {
            tft.apply(BearerKind::Dedicated, Some(&has), &others)
                .map_err(|fault| wrong(fault.why))?;
        }
        let qos = Qos {
            qci: rule.qci,
            arp: rule.arp,
            mbr: rule.mbr,
            gbr: rule.gbr,
        };
        let change = Change {
            ebi: bearer.ebi,
            qos: (qos != bearer.qos).then_some(qos),
            operation: operation.map(|tft| tft.encode()),
            template: new.as_deref().map(template),
        };
        if change.qos.is_none() && change.operation.is_none() {
            return Err(wrong("nothing changes"));
        }
        let ask = Ask::Update {
            ambr: None,
            changes: alloc::vec![change],
        };
        let mut request = Request::new(&live, ask);
        request.call = Some(call);
        self.ask_sgw(now, request);
        Ok(())
    }

    /// `DELETE /v1/sessions/{id}/bearers/{ebi}`
    pub(in crate::control) fn delete_bearer_call(
        &mut self,
        now: Now,
        call: CallId,
        (id, ebi): (&str, &str),
    ) -> Handled {
        let live = self.called(id)?;
        let bearer = Self::called_bearer(&live, ebi)?;
        let (slot, id) = (live.session.slot, live.session.id);
        self.delete_bearers(now, slot, id, &[bearer.ebi], |request| {
            request.call = Some(call);
        });
        Ok(())
    }

    /// `POST /v1/sessions/{id}/ambr`: other rates for a live session (TS 23.401 §5.4.3).
    pub(in crate::control) fn post_ambr(
        &mut self,
        now: Now,
        call: CallId,
        id: &str,
        order: &AmbrCall,
    ) -> Handled {
        let live = self.called(id)?;
        let asked = Ambr {
            uplink_bps: order.uplink_bps,
            downlink_bps: order.downlink_bps,
        };
        if self.granted(&live, asked) != asked {
            return Err(wrong("more than the access point grants"));
        }
        let change = Change {
            ebi: live.session.ebi,
            qos: None,
            operation: None,
            template: None,
        };
        let ask = Ask::Update {
            ambr: Some(asked),
            changes: alloc::vec![change],
        };
        let mut request = Request::new(&live, ask);
        request.call = Some(call);
        self.ask_sgw(now, request);
        Ok(())
    }
}
