//! Calls that come twice: a caller that heard no answer gives the call again with the same
//! `Idempotency-Key`, and gets the answer of the first one.
//!
//! The keys of the last calls are kept in memory. After a restart a repeated call is carried out
//! anew, which for orders and imports changes nothing that is not changed already.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

use heiiki_types::{CallId, HttpRequest, HttpResponse};

use super::Role;
use super::refusal::Refusal;
use super::route::method_name;
use super::views::fingerprint;

/// Keys that are remembered.
const KEPT: usize = 4_096;
/// Octets of the longest key.
const KEY_MAX: usize = 128;
/// Octets of the longest answer that is kept.
const ANSWER_MAX: usize = 64 << 10;

/// A token's role and the key that came with it: two roles never see each other's answers.
type Key = (Role, String);

struct Remembered {
    /// Of the call that the key was given for.
    call: u64,
    answer: Option<HttpResponse>,
}

/// The calls whose keys are remembered.
#[derive(Default)]
pub(crate) struct Repeats {
    known: BTreeMap<Key, Remembered>,
    order: VecDeque<Key>,
    under_way: BTreeMap<CallId, Key>,
}

impl Repeats {
    /// A call with a key begins. Its answer, if it was answered before.
    pub(super) fn begin(
        &mut self,
        id: CallId,
        role: Role,
        key: &str,
        request: &HttpRequest,
    ) -> Result<Option<HttpResponse>, Refusal> {
        if key.is_empty() || key.len() > KEY_MAX || !key.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Refusal::Body(alloc::format!(
                "`Idempotency-Key` has 1 to {KEY_MAX} printable characters"
            )));
        }
        let call = print(request);
        let key = (role, String::from(key));
        if let Some(known) = self.known.get(&key) {
            return match &known.answer {
                _ if known.call != call => Err(Refusal::OtherCall),
                Some(answer) => Ok(Some(answer.clone())),
                None => Err(Refusal::SameCall),
            };
        }
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.known
            .insert(key.clone(), Remembered { call, answer: None });
        self.under_way.insert(id, key);
        Ok(None)
    }

    /// A call was answered. One that may go better the next time is forgotten.
    pub(super) fn end(&mut self, id: CallId, answer: &HttpResponse) {
        let Some(key) = self.under_way.remove(&id) else {
            return;
        };
        if answer.status < 500 && answer.body.len() <= ANSWER_MAX {
            if let Some(known) = self.known.get_mut(&key) {
                known.answer = Some(answer.clone());
            }
        } else if self.known.remove(&key).is_some() {
            self.order.retain(|k| *k != key);
        }
    }
}

/// What a call says, so that a key is not taken for another one.
fn print(request: &HttpRequest) -> u64 {
    let parts = [
        method_name(request.method).as_bytes(),
        request.target.as_bytes(),
        &request.body,
    ];
    parts
        .iter()
        .fold(0, |sum: u64, part| sum.rotate_left(1) ^ fingerprint(part))
}
