//! Logs on the standard error output, by `tracing`. A node's events are its log.

use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::Args;
use heiiki_net::clock;
use heiiki_types::Now;
use serde_json::{Map, Value};
use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::driver::Sink;
use crate::log::{Entry, NodeEvent};

/// What to log, and how much of an identity to show.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub(super) struct LogArgs {
    /// What to log: a level, or levels by part such as `info,heiiki::hss=debug`. Without it the
    /// environment variable RUST_LOG counts, and then `info`
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Show IMSIs and numbers in full. Without it all but the first five and the last two digits
    /// are masked
    #[arg(long)]
    show_imsi: bool,
}

impl LogArgs {
    /// Begins to log.
    pub(super) fn start(&self) -> Result<(), Failure> {
        let filter = match &self.log {
            Some(filter) => EnvFilter::try_new(filter).map_err(|e| {
                let help = "write a level (error, warn, info, debug or trace), or PART=LEVEL,...";
                Failure::usage(format!("--log {filter}: {e}"), help)
            })?,
            None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        };
        let err = std::io::stderr();
        let colour = err.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // A second command in one process keeps the logs of the first.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(colour)
            .with_target(false)
            .try_init();
        Ok(())
    }

    /// Takes the events of a node: `watch` sees each before it is logged.
    pub(super) fn sink(
        &self,
        node: &str,
        watch: impl Fn(&NodeEvent) + Send + Sync + 'static,
    ) -> Sink {
        let (node, in_full): (Arc<str>, bool) = (node.into(), self.show_imsi);
        Arc::new(move |event: NodeEvent| {
            watch(&event);
            let Now { at, wall } = clock::now();
            let entry = Entry {
                at,
                wall,
                node: Arc::clone(&node),
                event,
            };
            log(&entry, in_full);
            entry
        })
    }
}

fn log(entry: &Entry, in_full: bool) {
    // What is frequent is not even looked at unless somebody wants it.
    let frequent = is_frequent(&entry.event);
    if frequent && !tracing::enabled!(target: "heiiki::event", Level::DEBUG) {
        return;
    }
    let Ok(Value::Object(mut fields)) = serde_json::to_value(&entry.event) else {
        return;
    };
    if !in_full {
        fields.values_mut().for_each(mask);
    }
    let event = take_text(&mut fields, "event").unwrap_or_default();
    let imsi = take_text(&mut fields, "imsi");
    let rest = words(&fields);
    let (node, imsi) = (&*entry.node, imsi.as_deref().map(tracing::field::display));
    match level(&event, frequent) {
        Level::ERROR => tracing::error!(target: "heiiki::event", node, imsi, "{event} {rest}"),
        Level::WARN => tracing::warn!(target: "heiiki::event", node, imsi, "{event} {rest}"),
        Level::INFO => tracing::info!(target: "heiiki::event", node, imsi, "{event} {rest}"),
        _ => tracing::debug!(target: "heiiki::event", node, imsi, "{event} {rest}"),
    }
}

/// Events that come with every message, packet or probe.
fn is_frequent(event: &NodeEvent) -> bool {
    use heiiki_hss::Event as Hss;
    use heiiki_mme::Event as Mme;
    use heiiki_ue_sim::Event as Ue;
    match event {
        // A refusal is worth a line; what goes well comes thousands of times a second.
        NodeEvent::Hss(Hss::AuthenticationInformation { result, .. }) => result.0.is_success(),
        NodeEvent::Mme(event) => matches!(event, Mme::Nas { .. } | Mme::Idle { .. }),
        NodeEvent::Ue { event, .. } => matches!(
            event,
            Ue::ProbeAnswered { .. }
                | Ue::ProbeLost { .. }
                | Ue::PingDone { .. }
                | Ue::DnsDone { .. }
                | Ue::HttpDone { .. }
                | Ue::HttpFailed { .. }
                | Ue::UdpProbeDone { .. }
                | Ue::TcpProbeDone { .. }
        ),
        _ => false,
    }
}

fn level(event: &str, frequent: bool) -> Level {
    match event {
        _ if frequent => Level::DEBUG,
        "bug" | "disk_failed" | "not_restored" | "secrets_unreadable" | "store_key_missing"
        | "store_unavailable" | "store_unreadable" => Level::ERROR,
        "admin_refused"
        | "cancel_refused"
        | "cut_overdue"
        | "error_indication_ignored"
        | "import_refused"
        | "overload"
        | "packet_refused"
        | "path_down"
        | "peer_refused"
        | "request_refused"
        | "unlisted_peer" => Level::WARN,
        _ => Level::INFO,
    }
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// `name=value name=value`, without what is absent.
fn words(fields: &Map<String, Value>) -> String {
    let words = fields
        .iter()
        .filter(|(_, v)| !v.is_null())
        .map(|(name, value)| match value {
            Value::String(text) if !text.contains(' ') => format!("{name}={text}"),
            value => format!("{name}={value}"),
        });
    words.collect::<Vec<_>>().join(" ")
}

/// Masks every run of digits that is as long as an identity, wherever it stands.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) if text.len() >= SHORTEST_IDENTITY => *text = masked(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        _ => {}
    }
}

/// Digits of the shortest run that is masked.
const SHORTEST_IDENTITY: usize = 10;

/// The text with the middle of every long run of digits replaced: the network and the last two
/// digits are enough to find a SIM again for who has the list.
pub(super) fn masked(text: &str) -> String {
    const FRONT: usize = 5;
    const BACK: usize = 2;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, run) = rest.split_at(start);
        let end = run.find(|c: char| !c.is_ascii_digit()).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        out.push_str(before);
        for (place, digit) in run.chars().enumerate() {
            let hidden = end >= SHORTEST_IDENTITY && place >= FRONT && place + BACK < end;
            out.push(if hidden { '*' } else { digit });
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_masked_wherever_they_stand() {
        assert_eq!(masked("001010000000001"), "00101********01");
        assert_eq!(
            masked("/v1/subscribers/001010000000001/suspend"),
            "/v1/subscribers/00101********01/suspend"
        );
        assert_eq!(
            masked("819012345678 of 440109999999999"),
            "81901*****78 of 44010********99"
        );
        assert_eq!(
            masked("2026-01-05T09:00:00.123456Z"),
            "2026-01-05T09:00:00.123456Z"
        );
        assert_eq!(masked("10.20.0.11:2152"), "10.20.0.11:2152");
        assert_eq!(masked("名 12345678901 名"), "名 12345****01 名");
        assert_eq!(masked(""), "");
    }

    #[test]
    fn fields_are_words_and_absent_ones_are_left_out() {
        let value = serde_json::json!({"a": 1, "b": null, "c": "x y", "d": "z", "e": [1]});
        let Value::Object(fields) = value else {
            unreachable!()
        };
        assert_eq!(words(&fields), "a=1 c=\"x y\" d=z e=[1]");
    }
}
