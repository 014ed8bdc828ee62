//! Which events become records, and how a flood of refusals is counted instead.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use heiiki_hss::{Event, Resynchronisation};
use heiiki_types::{Duration, Instant};
use serde_json::{Map, Value};

/// Refusals of one kind and source that are recorded one by one in a window; those beyond are
/// counted.
const IN_FULL: u32 = 10;

/// After it a count is recorded and refusals are recorded one by one again.
const WINDOW: Duration = Duration::from_mins(1);

/// Sources that are told apart in a window. Those beyond share one count for each kind.
const MAX_SOURCES: usize = 1_024;

/// How a record is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// It was ordered, or happens rarely: recorded always, durable at once.
    Order,
    /// Anybody may cause it at any rate: recorded within limits, durable within a second.
    Refusal,
}

/// A record to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How it is treated.
    pub weight: Weight,
    /// What happened.
    pub event: String,
    /// The rest.
    pub fields: Map<String, Value>,
}

impl Note {
    /// A record of its own, such as the start of the server.
    pub fn order(event: &str, fields: Value) -> Self {
        Self::new(Weight::Order, event, fields)
    }

    fn new(weight: Weight, event: &str, fields: Value) -> Self {
        Self {
            weight,
            event: event.to_owned(),
            fields: match fields {
                Value::Object(fields) => fields,
                _ => Map::new(),
            },
        }
    }

    /// A call that came without a token that allows it.
    pub fn refused_call(from: Option<SocketAddr>, status: u16, method: &str, path: &str) -> Self {
        let fields = serde_json::json!({
            "from": from.map(|f| f.to_string()), "status": status, "method": method, "path": path,
        });
        Self::new(Weight::Refusal, "call_refused", fields)
    }

    /// A TLS connection that did not come about.
    pub fn refused_handshake(from: SocketAddr, why: &str) -> Self {
        let fields = serde_json::json!({"from": from.to_string(), "why": why});
        Self::new(Weight::Refusal, "tls_refused", fields)
    }

    /// The record of an event of the HSS, if it is one. What is not known to be frequent is
    /// recorded: an event that somebody adds does not slip by.
    pub fn of(event: &Event) -> Option<Self> {
        use heiiki_hss::State;
        let weight = match event {
            Event::PeerUp { .. }
            | Event::PeerDown { .. }
            | Event::PeerRefused { .. }
            | Event::RequestRefused { .. }
            | Event::RequestsThrottled { .. }
            | Event::GatewayFailed { .. }
            | Event::SecretsUnreadable { .. }
            | Event::EquipmentRefused { .. }
            | Event::EquipmentChecked {
                status: "black" | "bound_elsewhere",
                ..
            } => Weight::Refusal,
            Event::AuthenticationInformation {
                result,
                resynchronisation,
                ..
            } => match resynchronisation {
                Some(Resynchronisation::Forged | Resynchronisation::BeyondDelta { .. }) => {
                    Weight::Refusal
                }
                _ if is_refusal(*result) => Weight::Refusal,
                _ => return None,
            },
            Event::UpdateLocation { result, .. } | Event::Notified { result, .. }
                if is_refusal(*result) =>
            {
                Weight::Refusal
            }
            // The first location update makes a SIM active: nobody ordered it.
            Event::StateChanged { verb: None, to, .. } if *to == State::Active => return None,
            Event::UpdateLocation { .. }
            | Event::Notified { .. }
            | Event::PurgeUe { .. }
            | Event::UpdateSent { .. }
            | Event::UpdateAnswered { .. }
            | Event::UpdateUnanswered { .. }
            | Event::ResetSent { .. }
            | Event::ResetAnswered { .. }
            | Event::EquipmentChecked { .. }
            | Event::CancelSent { .. }
            | Event::CancelAnswered { .. }
            | Event::CancelUnanswered { .. }
            | Event::CutStamp { .. }
            | Event::AdminRefused { .. } => return None,
            _ => Weight::Order,
        };
        let mut fields = serde_json::to_value(event).ok()?;
        let event = fields.as_object_mut()?.remove("event")?;
        Some(Self::new(weight, event.as_str()?, fields))
    }

    /// Who caused it: refusals of one source are counted together.
    fn source(&self) -> String {
        let names = ["from", "address", "origin", "peer", "host", "imsi"];
        let source = names.iter().find_map(|n| self.fields.get(*n)?.as_str());
        match source.map(|s| (s, s.parse::<SocketAddr>())) {
            Some((_, Ok(address))) => address.ip().to_string(),
            Some((text, Err(_))) => text.to_owned(),
            None => String::new(),
        }
    }
}

/// Whether an answer says that somebody may not: nothing that a fault of the HSS could have caused.
fn is_refusal(result: heiiki_hss::Answered) -> bool {
    use heiiki_diameter::AnswerResult;
    match result.0 {
        AnswerResult::Base(code) => (5_000..6_000).contains(&code.0),
        AnswerResult::Experimental { code, .. } => (5_000..6_000).contains(&code),
    }
}

/// Counts refusals by kind and source.
#[derive(Debug, Default)]
pub struct Limiter {
    counts: BTreeMap<(String, String), u32>,
    /// When the window ends; `None` without one.
    ends: Option<Instant>,
}

impl Limiter {
    /// Whether a note is to be recorded by itself.
    pub fn admits(&mut self, note: &Note, now: Instant) -> bool {
        if note.weight == Weight::Order {
            return true;
        }
        self.ends.get_or_insert(now + WINDOW);
        let mut key = (note.event.clone(), note.source());
        if self.counts.len() >= MAX_SOURCES && !self.counts.contains_key(&key) {
            "others".clone_into(&mut key.1);
        }
        let count = self.counts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count <= IN_FULL
    }

    /// When [`counted`](Self::counted) has something to say.
    pub const fn due(&self) -> Option<Instant> {
        self.ends
    }

    /// Ends the window: the counts of what was not recorded by itself.
    pub fn counted(&mut self) -> Vec<Note> {
        self.ends = None;
        let counts = core::mem::take(&mut self.counts);
        let notes = counts.into_iter().filter(|(_, n)| *n > IN_FULL);
        let note = |((of, source), n): ((String, String), u32)| {
            let fields = serde_json::json!({"of": of, "source": source, "count": n - IN_FULL});
            Note::order("not_recorded", fields)
        };
        notes.map(note).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heiiki_hss::Answered;

    #[test]
    fn a_flood_is_counted_and_its_end_is_told() {
        let mut limiter = Limiter::default();
        let now = Instant::from_micros(5);
        let note = |port: u16| {
            let from = SocketAddr::from(([192, 0, 2, 7], port));
            Note::refused_call(Some(from), 401, "GET", "/v1/cuts")
        };
        let admitted = (0..1_000)
            .filter(|p| limiter.admits(&note(*p), now))
            .count();
        assert_eq!(admitted, 10);
        assert!(limiter.admits(&Note::order("state_changed", Value::Null), now));
        assert_eq!(limiter.due(), Some(now + WINDOW));
        let counted = limiter.counted();
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[0].fields["count"], 990);
        assert_eq!(counted[0].fields["source"], "192.0.2.7");
        assert!(limiter.admits(&note(1), now));
    }

    #[test]
    fn many_sources_take_bounded_room() {
        let mut limiter = Limiter::default();
        for n in 0..100_000_u32 {
            let from = SocketAddr::from((n.to_be_bytes(), 1));
            let note = Note::refused_call(Some(from), 401, "GET", "/");
            limiter.admits(&note, Instant::default());
        }
        assert!(limiter.counts.len() <= MAX_SOURCES + 1);
        let counted = limiter.counted();
        assert_eq!(counted[0].fields["count"], 100_000 - 1_024 - 10);
    }

    #[test]
    fn refusals_are_records_and_services_are_not() {
        let answer = |code, imsi: &str| Event::UpdateLocation {
            imsi: imsi.parse().unwrap(),
            host: "mme1.example".into(),
            visited: "00101".parse().unwrap(),
            state: None,
            result: Answered(heiiki_diameter::AnswerResult::Experimental {
                vendor: 10_415,
                code,
            }),
            previous: None,
        };
        let note = Note::of(&answer(5_001, "001010000000001")).unwrap();
        assert_eq!(
            (note.weight, &*note.event),
            (Weight::Refusal, "update_location")
        );
        assert_eq!(note.source(), "mme1.example");
        assert_eq!(Note::of(&answer(2_001, "001010000000001")), None);
        let disk = Note::of(&Event::DiskFailed).unwrap();
        assert_eq!((disk.weight, &*disk.event), (Weight::Order, "disk_failed"));
    }
}
