use alloc::format;
use alloc::vec::Vec;

use heiiki_types::{Apn, CallId, HttpRequest, HttpResponse, Imsi};

use super::Control;
use super::admin::{Handled, imsi};
use super::api::{
    self, BarView, BarsReply, IsolationsReply, SessionView, SessionsReply, StatusReply,
};
use super::orders::{Order, Orders};
use super::session::{Live, State};
use crate::user_plane::Slot;

/// Rows of a list when the call does not say, and at most.
const PAGE: usize = 1_000;

/// The two kinds of orders that stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bars,
    Isolations,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::Isolations => "isolations",
        }
    }
}

fn limit(request: &HttpRequest) -> Result<usize, HttpResponse> {
    let limit = request.query("limit").map_or(Ok(PAGE), str::parse);
    match limit {
        Ok(limit @ 1..=PAGE) => Ok(limit),
        _ => Err(api::error(400, "limit is a number from 1 to 1000")),
    }
}

impl Control {
    pub(super) const fn orders(&self, kind: Kind) -> &Orders {
        match kind {
            Kind::Bars => &self.bars,
            Kind::Isolations => &self.isolations,
        }
    }

    /// `GET /v1/bars`, `GET /v1/isolations`
    pub(super) fn get_orders(
        &mut self,
        call: CallId,
        request: &HttpRequest,
        kind: Kind,
    ) -> Handled {
        let after = request.query("after").map(imsi).transpose()?;
        let limit = limit(request)?;
        let mut orders = self.orders(kind).iter_after(after);
        let page: Vec<BarView<'_>> = orders
            .by_ref()
            .take(limit)
            .map(|(imsi, order)| view(imsi, order))
            .collect();
        let more = orders.next().is_some();
        drop(orders);
        let next = page.last().filter(|_| more).map(|v| v.imsi);
        let instance = format!("{}", self.instance);
        let boot = &self.config.boot_id;
        let response = match kind {
            Kind::Bars => api::reply(
                200,
                &BarsReply {
                    bars: page,
                    next,
                    boot,
                    instance,
                },
            ),
            Kind::Isolations => api::reply(
                200,
                &IsolationsReply {
                    isolations: page,
                    next,
                    boot,
                    instance,
                },
            ),
        };
        self.reply(call, response);
        Ok(())
    }

    /// `GET /v1/status`: cheap enough to be asked every few seconds.
    pub(super) fn status(&self) -> HttpResponse {
        let body = StatusReply {
            name: &self.config.name,
            sessions: self.sessions.len(),
            bars: self.bars.len(),
            isolations: self.isolations.len(),
            local_orders: self.instance.local_orders,
            boot: &self.config.boot_id,
            instance: format!("{}", self.instance),
        };
        api::reply(200, &body)
    }

    /// `GET /v1/sessions`: in the order of their places, so that a page costs no more than itself.
    pub(super) fn get_sessions(&mut self, call: CallId, request: &HttpRequest) -> Handled {
        let of = request.query("imsi").map(imsi).transpose()?;
        let wrong = |_| api::error(400, "apn is an access point name");
        let apn = request.query("apn").map(str::parse::<Apn>).transpose();
        let apn = apn.map_err(wrong)?;
        let tenant = match request.query("tenant") {
            None => None,
            Some(name) => Some(
                self.network
                    .tenant_id(name)
                    .ok_or_else(|| api::error(400, "no tenant has this name"))?,
            ),
        };
        let after: Option<u32> = request
            .query("after")
            .map(str::parse)
            .transpose()
            .map_err(|_| api::error(400, "after is the `next` of the page before"))?;
        let limit = limit(request)?;
        let wanted = |l: &&Live| {
            let same = |a: &Apn| a.network_identifier() == l.session.apn.network_identifier();
            apn.as_ref().is_none_or(same) && tenant.is_none_or(|t| t == l.tenant)
        };
        let mut page: Vec<&Live> = if let Some(imsi) = of {
            let mut of: Vec<_> = self.sessions.of_imsi(imsi).filter(wanted).collect();
            of.sort_by_key(|l| l.session.slot);
            of.retain(|l| after.is_none_or(|after| l.session.slot > Slot(after)));
            of
        } else {
            let from = after.map_or(Slot(0), |after| Slot(after.saturating_add(1)));
            let places = self.sessions.iter_from(from).filter(wanted);
            places.take(limit.saturating_add(1)).collect()
        };
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|l| l.session.slot.0);
        let body = SessionsReply {
            sessions: page.into_iter().map(|l| self.view(l)).collect(),
            next,
            total: self.sessions.len(),
            boot: &self.config.boot_id,
        };
        let response = api::reply(200, &body);
        self.reply(call, response);
        Ok(())
    }

    fn view<'a>(&'a self, live: &'a Live) -> SessionView<'a> {
        let session = &live.session;
        let tenant = self.network.tenant(live.tenant);
        SessionView {
            id: session.id,
            imsi: session.imsi,
            msisdn: session.msisdn,
            imei: session.imei,
            apn: &session.apn,
            tenant: tenant.map_or("", |t| t.name.as_str()),
            address: session.addresses,
            state: match live.state {
                State::Installing => "installing",
                State::Active => "active",
                State::Leaving(_) => "leaving",
            },
            ebi: session.ebi,
            qci: session.qci,
            ambr: session.ambr,
            sgw: session.sgw_c.address,
            isolated: self.is_isolated(session.imsi),
            suspended: session.suspended,
            tai: session.location.tai,
            worker: session.slot.0 % self.network.workers,
            since: session.created,
        }
    }
}

fn view(imsi: Imsi, order: &Order) -> BarView<'_> {
    BarView {
        imsi,
        cut: &order.cut,
        version: order.version,
        reason: &order.reason,
        actor: &order.actor,
        since: order.at,
        local: order.is_local,
    }
}
