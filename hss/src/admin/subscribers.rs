//! Calls that show and make subscribers.

use heiiki_types::HttpResponse;

use super::refusal::Refusal;
use super::route::Call;
use super::rows::NewSubscribers;
use super::views;
use crate::cut::Kind;
use crate::node::Hss;

impl Hss {
    pub(super) fn list_subscribers(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let after = call.query_imsi("after")?;
        let limit = call.limit()?;
        Ok(Some(views::subscribers(&self.subscribers, after, limit)))
    }

    pub(super) fn show_subscriber(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        let imsi = call.imsi()?;
        let subscriber = self
            .subscribers
            .by_imsi(imsi)
            .ok_or(Refusal::NoSubscriber)?;
        let cut = self.cuts.latest_of(imsi, Kind::Bar);
        let shown = views::subscriber(&self.subscribers, subscriber, cut);
        Ok(Some(shown))
    }

    pub(super) fn add_subscribers(
        &mut self,
        call: &Call<'_>,
    ) -> Result<Option<HttpResponse>, Refusal> {
        if self.journal.is_stuck() {
            return Err(Refusal::DiskFailed);
        }
        let rows: NewSubscribers = call.body()?;
        let rows = rows.into_import().map_err(Refusal::Body)?;
        let taken = self.take_import(call.now, rows).map_err(Refusal::Import)?;
        self.reply_when_durable(call.now, call.id, taken);
        Ok(None)
    }
}
