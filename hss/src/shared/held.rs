//! What nobody may see before the write that it depends on is durable.

use alloc::vec::Vec;

use heiiki_diameter::{Message, RequestHandle};
use heiiki_types::Now;

use crate::node::{Hss, Output};
use crate::s6a::errands::Kind;
use crate::shared::Shared;

/// Answers, replies and events that wait, and errands that are not sent before.
#[derive(Default)]
pub(super) struct Held {
    answers: Vec<(RequestHandle, Message)>,
    outputs: Vec<Output>,
    /// Errands that take no service away, by their tags.
    errands: Vec<u64>,
}

/// Where answers are held that depend on what is not written yet.
pub(crate) fn held_answers(
    shared: Option<&mut Shared>,
) -> Option<&mut Vec<(RequestHandle, Message)>> {
    let current = shared?.current.as_mut().filter(|c| c.holds)?;
    Some(&mut current.held.answers)
}

impl Hss {
    /// Sends an answer on its way, or keeps it until what it depends on is durable.
    pub(crate) fn send_answer(&mut self, now: Now, handle: RequestHandle, message: Message) {
        match held_answers(self.shared.as_deref_mut()) {
            Some(held) => held.push((handle, message)),
            None => self.endpoint.send_answer(now.at, handle, message),
        }
    }

    /// Shows a reply or an event, or keeps it until what it depends on is durable.
    pub(crate) fn output(&mut self, output: Output) {
        let current = self.shared.as_mut().and_then(|s| s.current.as_mut());
        let event = matches!(output, Output::Event(_));
        match current.filter(|c| if event { c.holds_events } else { c.holds }) {
            Some(current) => current.held.outputs.push(output),
            None => self.outputs.push_back(output),
        }
    }

    /// Sends an errand that takes no service away, once what it tells is durable.
    pub(crate) fn send_errand(&mut self, now: Now, tag: u64) {
        let current = self.shared.as_mut().and_then(|s| s.current.as_mut());
        match current.filter(|c| c.holds) {
            Some(current) => current.held.errands.push(tag),
            None => self.send_errand_now(now, tag),
        }
    }

    pub(super) fn send_errand_now(&mut self, now: Now, tag: u64) {
        match Kind::of(tag) {
            Some(Kind::Cancellation) => self.send_cancellation(now, tag),
            Some(Kind::Update) => self.send_update(now, tag),
            Some(Kind::Reset) | None => {}
        }
    }

    pub(super) fn show(&mut self, now: Now, held: Held) {
        self.outputs.extend(held.outputs);
        for (handle, message) in held.answers {
            self.endpoint.send_answer(now.at, handle, message);
        }
        for tag in held.errands {
            self.send_errand_now(now, tag);
        }
        self.drain_endpoint(now);
    }
}
