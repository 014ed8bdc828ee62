//! The start: the restart counter goes up by one and is durable before anyone hears of it.
//!
//! MME and SGW keep their contexts in memory, so every start is a restart for their peers
//! (TS 23.007 §18). GTP carries the low eight bits of the count.

use alloc::vec::Vec;

use heiiki_diameter::base::DisconnectCause;
use heiiki_diameter::{ApplicationId, ConnectTo, Endpoint, EndpointConfig, SessionIds};
use heiiki_gtp::c;
use heiiki_types::{Now, PersistSeq, Record, Rng, StorageInput, StorageOutput};

use super::{Mme, Output};
use crate::config::MmeConfig;
use crate::event::Event;

/// The only table of the node's disk.
const TABLE: u8 = 1;
/// Its only row: how often the node has started, four octets, big-endian.
const KEY: &[u8] = b"starts";
const SEQ: PersistSeq = PersistSeq(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boot {
    /// Not started, or the disk failed before the node could serve.
    Stopped,
    /// The disk is being read; the number of starts, once its row was seen.
    Loading(Option<u32>),
    /// This number of starts is being written.
    Persisting(u32),
    /// The node serves.
    Serving,
}

/// How often the node has been started, if its row is among these.
fn starts(records: &[Record]) -> Option<u32> {
    let row = records.iter().find(|r| r.table == TABLE && r.key == KEY)?;
    let octets = row.value.as_deref()?.try_into().ok()?;
    Some(u32::from_be_bytes(octets))
}

impl Mme {
    /// Reads the disk; the node serves once its restart counter is durable.
    pub fn start(&mut self, now: Now) {
        self.now = now;
        self.boot = Boot::Loading(None);
        self.output(Output::Storage(StorageOutput::Load));
    }

    /// Whether the node has started.
    pub const fn is_serving(&self) -> bool {
        matches!(self.boot, Boot::Serving)
    }

    pub(super) fn handle_storage(&mut self, input: StorageInput) {
        match (input, self.boot) {
            (StorageInput::Loading(records), Boot::Loading(before)) => {
                self.boot = Boot::Loading(before.or_else(|| starts(&records)));
            }
            (StorageInput::Loaded(records), Boot::Loading(before)) => {
                self.loaded(before.or_else(|| starts(&records)));
            }
            (StorageInput::Persisted { seq }, Boot::Persisting(starts)) if seq >= SEQ => {
                self.serve(starts);
            }
            (StorageInput::Failed, boot) => {
                // A node that serves has nothing more to write.
                if boot != Boot::Serving {
                    self.boot = Boot::Stopped;
                }
                self.event(Event::DiskFailed);
            }
            _ => {}
        }
    }

    /// Takes the connections to the HSS down, so that it does not wait for this node.
    pub fn stop(&mut self, now: Now) {
        self.now = now;
        if let Some(s6a) = &mut self.s6a {
            s6a.disconnect_all(now.at, DisconnectCause::REBOOTING);
        }
        self.pump();
    }

    /// Whether [`stop`](Self::stop) has come to its end.
    pub fn is_stopped(&self) -> bool {
        self.s6a.as_ref().is_none_or(Endpoint::is_idle)
    }

    fn loaded(&mut self, before: Option<u32>) {
        let starts = before.unwrap_or(0).wrapping_add(1);
        self.boot = Boot::Persisting(starts);
        let record = Record {
            table: TABLE,
            key: Vec::from(KEY),
            value: Some(Vec::from(starts.to_be_bytes())),
        };
        let records = Vec::from([record]);
        self.output(Output::Storage(StorageOutput::Persist {
            seq: SEQ,
            records,
        }));
    }

    fn serve(&mut self, starts: u32) {
        self.boot = Boot::Serving;
        let [.., restart_counter] = starts.to_be_bytes();
        // Numbers of a former life, when the seed is the same again, would be taken for its own.
        self.rng = self.rng.fork(&alloc::format!("start {starts}"));
        self.next_ue = self.rng.next_u32();
        self.s5c = gtp_endpoint(&self.config, &mut self.rng);
        self.s5c.set_restart_counter(restart_counter);
        // Never less than at a start before, even when the disk was replaced: the clock moves on.
        let seconds = self.now.wall.as_unix_micros() / 1_000_000;
        let high = u32::try_from(seconds).unwrap_or(u32::MAX).max(starts);
        self.session_ids = SessionIds::new(self.config.origin_host.as_str(), high);
        let mut config = EndpointConfig::new(
            self.config.origin_host.as_str(),
            self.config.origin_realm.as_str(),
        );
        config.host_ips.clone_from(&self.config.host_ips);
        config.product_name = "heiiki-mme".into();
        config.applications = Vec::from([ApplicationId::S6A]);
        if self.config.equipment_check.is_some() {
            config.applications.push(ApplicationId::S13);
        }
        config.tw = self.config.s6a_watchdog;
        config.request_timeout = self.config.s6a_timeout;
        config.reconnect = self.config.s6a_reconnect;
        config.max_outstanding = self.config.limits.s6a_requests;
        config.origin_state_id = high;
        config.connect = Vec::from([ConnectTo {
            name: self.config.hss_host.clone(),
            address: self.config.hss,
        }]);
        let mut s6a = Endpoint::new(config, self.rng.fork("s6a"));
        s6a.start(self.now.at);
        self.s6a = Some(s6a);
        self.event(Event::Started { restart_counter });
    }
}

/// The GTP-C endpoint, with sequence numbers beyond what gateways remember of a former life.
pub(super) fn gtp_endpoint(config: &MmeConfig, rng: &mut Rng) -> c::Endpoint {
    let gtp = c::Config {
        t3: config.t3_response,
        n3: config.n3_requests,
        max_outstanding: config.limits.s5c_requests,
        ..c::Config::default()
    };
    c::Endpoint::new(gtp, rng.next_u32() >> 9)
}
