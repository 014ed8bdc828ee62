//! A gateway that keeps its orders as the documentation of its interface says.

use alloc::collections::BTreeMap;

use heiiki_types::{HttpRequest, HttpResponse, Imsi, Method};
use serde_json::{Value, json};

use super::bench::BOOT;

/// The last order for a SIM.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) version: u64,
    pub(super) in_force: bool,
    pub(super) local: bool,
}

/// Bars and isolations, by IMSI.
#[derive(Clone, Debug, Default)]
pub(super) struct Fake {
    pub(super) starts: u32,
    pub(super) local_orders: u32,
    pub(super) bars: BTreeMap<Imsi, Last>,
    pub(super) isolations: BTreeMap<Imsi, Last>,
    /// Rows of a page.
    pub(super) page: usize,
}

impl Fake {
    pub(super) fn emergency_cut(&mut self, imsi: Imsi) {
        let highest = self.bars.values().map(|l| l.version).max();
        let last = Last {
            version: highest.unwrap_or(0) + 1,
            in_force: true,
            local: true,
        };
        self.bars.insert(imsi, last);
        self.local_orders += 1;
    }

    pub(super) fn bars(&self, imsi: Imsi) -> bool {
        self.bars.get(&imsi).is_some_and(|l| l.in_force)
    }

    pub(super) fn isolates(&self, imsi: Imsi) -> bool {
        self.isolations.get(&imsi).is_some_and(|l| l.in_force)
    }

    fn instance(&self) -> String {
        format!("journal.{}", self.starts)
    }

    pub(super) fn answer(&mut self, now: u64, request: &HttpRequest) -> HttpResponse {
        let (status, body) = self.act(now, request);
        HttpResponse::new(status, serde_json::to_vec(&body).unwrap())
    }

    fn act(&mut self, now: u64, request: &HttpRequest) -> (u16, Value) {
        let path = request.path();
        if request.method == Method::Get {
            return match path {
                "/v1/status" => (
                    200,
                    json!({"instance": self.instance(), "local_orders": self.local_orders}),
                ),
                "/v1/bars" => self.list("bars", request),
                _ => self.list("isolations", request),
            };
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let version = body["version"].as_u64().unwrap_or(0);
        let instance = self.instance();
        let done = json!({"sessions": 0, "t4": now, "t5_uplink": now, "t5_downlink": now,
            "boot": BOOT, "accounting": "none", "instance": instance});
        if path == "/v1/delete-session" {
            return (200, done);
        }
        let (table, in_force, imsi) = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["", "v1", "bars"] => (&mut self.bars, true, body["imsi"].as_str().unwrap()),
            ["", "v1", "bars", imsi, "lift"] => (&mut self.bars, false, *imsi),
            ["", "v1", "isolations"] => {
                (&mut self.isolations, true, body["imsi"].as_str().unwrap())
            }
            ["", "v1", "isolations", imsi, "release"] => (&mut self.isolations, false, *imsi),
            other => panic!("{other:?}"),
        };
        let imsi: Imsi = imsi.parse().unwrap();
        let stale = table.get(&imsi).filter(|last| {
            let wins = if in_force || !last.in_force {
                version >= last.version
            } else {
                version > last.version
            };
            !wins
        });
        if let Some(last) = stale {
            let body = json!({"version": last.version, "in_force": last.in_force,
                "actor": "night shift", "reason": "seen", "instance": instance});
            return (409, body);
        }
        let last = Last {
            version,
            in_force,
            local: false,
        };
        table.insert(imsi, last);
        (200, done)
    }

    fn list(&self, name: &str, request: &HttpRequest) -> (u16, Value) {
        let after: Option<Imsi> = request.query("after").map(|a| a.parse().unwrap());
        let table = if name == "bars" {
            &self.bars
        } else {
            &self.isolations
        };
        let mut rows: Vec<_> = table
            .iter()
            .filter(|(imsi, last)| last.in_force && after.is_none_or(|a| **imsi > a))
            .collect();
        let more = rows.len() > self.page.max(2);
        rows.truncate(self.page.max(2));
        let next = rows
            .last()
            .filter(|_| more)
            .map(|(imsi, _)| imsi.to_string());
        let rows: Vec<Value> = rows
            .into_iter()
            .map(|(imsi, last)| {
                json!({"imsi": imsi.to_string(), "version": last.version, "local": last.local,
                    "actor": "night shift", "reason": "seen", "cut": "x"})
            })
            .collect();
        (
            200,
            json!({name: rows, "next": next, "instance": self.instance()}),
        )
    }
}
