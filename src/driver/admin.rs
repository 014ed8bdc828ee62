//! A node's HTTP interface: calls go into the machine as values, events stream out of it.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use heiiki_net::http::{Handler, Reply};
use heiiki_types::{CallId, HttpRequest, HttpResponse};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::AuditLog;
use crate::audit::select::Note;

/// Lines that a slow reader of events may be behind before it misses some.
const EVENTS_BEHIND: usize = 4_096;
/// Characters of a refused path that are noted.
const PATH_NOTED: usize = 256;
/// How long a call may wait for the machine: longer than anything that a machine waits for.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The events of a node as lines of JSON, for everybody who listens.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Bytes>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(EVENTS_BEHIND).0)
    }
}

impl Events {
    /// Sends one event to all listeners. Costs nothing when there is none.
    pub fn publish(&self, event: &impl serde::Serialize) {
        if self.0.receiver_count() == 0 {
            return;
        }
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let _ = self.0.send(line.into());
        }
    }

    fn listen(&self) -> mpsc::Receiver<Bytes> {
        let mut events = self.0.subscribe();
        let (tx, rx) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                let line = match events.recv().await {
                    Ok(line) => line,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        format!("{{\"event\":\"missed\",\"count\":{missed}}}\n").into()
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if tx.send(line).await.is_err() {
                    return;
                }
            }
        });
        rx
    }
}

/// Calls that wait for their machine.
#[derive(Clone, Default)]
pub struct Admin(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    next: AtomicU64,
    calls: Mutex<BTreeMap<CallId, oneshot::Sender<HttpResponse>>>,
}

impl core::fmt::Debug for Admin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Admin")
    }
}

impl Admin {
    /// The machine's answer to a call.
    pub fn reply(&self, call: CallId, response: HttpResponse) {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(caller) = calls.remove(&call) {
            // A caller that has gone away no longer wants it.
            let _ = caller.send(response);
        }
    }

    /// Makes a call of the machine, through `deliver`.
    pub async fn call(
        &self,
        request: HttpRequest,
        deliver: &(dyn Fn(CallId, HttpRequest) + Send + Sync),
    ) -> HttpResponse {
        let call = CallId(self.0.next.fetch_add(1, Ordering::Relaxed));
        let (tx, rx) = oneshot::channel();
        self.0
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(call, tx);
        deliver(call, request);
        if let Ok(Ok(response)) = tokio::time::timeout(ANSWER_WITHIN, rx).await {
            response
        } else {
            self.0
                .calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&call);
            let body = br#"{"error":{"what":"the node did not answer in time"}}"#;
            HttpResponse {
                status: 503,
                body: body.to_vec(),
                headers: heiiki_types::Headers::default(),
            }
        }
    }

    /// The handler of an HTTP server: everything is the machine's to answer. Where it answers a
    /// call for `/v1/events` with 200, the caller may listen; where it does so for
    /// `/v1/audit/head`, the caller gets the head of `audit`. Calls without a token that allows
    /// them are noted there.
    pub fn handler(
        &self,
        events: Events,
        audit: Option<AuditLog>,
        deliver: impl Fn(CallId, HttpRequest) + Send + Sync + 'static,
    ) -> Handler {
        let (admin, deliver) = (self.clone(), Arc::new(deliver));
        Arc::new(move |request, from| {
            let (admin, events, deliver) = (admin.clone(), events.clone(), Arc::clone(&deliver));
            let audit = audit.clone();
            Box::pin(async move {
                let (method, path) = (request.method, request.path().to_owned());
                let response = admin.call(request, &*deliver).await;
                match (response.status, &*path, &audit) {
                    (200, "/v1/events", _) => Reply::Lines(events.listen()),
                    (200, "/v1/audit/head", Some(audit)) => Reply::Whole(audit_head(audit)),
                    (status @ (401 | 403), _, Some(audit)) => {
                        let method = format!("{method:?}").to_uppercase();
                        let path: String = path.chars().take(PATH_NOTED).collect();
                        audit.take(Note::refused_call(Some(from), status, &method, &path));
                        Reply::Whole(response)
                    }
                    _ => Reply::Whole(response),
                }
            })
        })
    }
}

/// Where the audit log stands, as far as it is durable.
fn audit_head(audit: &AuditLog) -> HttpResponse {
    let head = audit.head();
    let body = serde_json::json!({
        "seq": head.seq,
        "hash": heiiki_types::to_hex(&head.hash),
        "head": head.to_string(),
    });
    HttpResponse {
        status: 200,
        body: body.to_string().into_bytes(),
        headers: heiiki_types::Headers::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heiiki_types::Method;

    fn get(target: &str) -> HttpRequest {
        HttpRequest {
            method: Method::Get,
            target: target.to_owned(),
            bearer: None,
            body: Vec::new(),
            headers: heiiki_types::Headers::default(),
        }
    }

    /// A machine that answers every call with this status.
    fn handler(admin: &Admin, events: &Events, status: u16) -> Handler {
        let machine = admin.clone();
        admin.handler(events.clone(), None, move |call, _| {
            let body = b"{}".to_vec();
            machine.reply(
                call,
                HttpResponse {
                    status,
                    body,
                    headers: heiiki_types::Headers::default(),
                },
            );
        })
    }

    #[tokio::test]
    async fn events_stream_to_whom_the_machine_lets_listen() {
        let (admin, events) = (Admin::default(), Events::default());
        let from = "127.0.0.1:4000".parse().unwrap();
        let Reply::Lines(mut lines) = handler(&admin, &events, 200)(get("/v1/events"), from).await
        else {
            panic!("the caller may listen");
        };
        events.publish(&serde_json::json!({ "event": "serving" }));
        assert_eq!(lines.recv().await.unwrap(), "{\"event\":\"serving\"}\n");
        let refused = handler(&admin, &events, 401)(get("/v1/events"), from).await;
        assert!(matches!(
            refused,
            Reply::Whole(HttpResponse { status: 401, .. })
        ));
        let other = handler(&admin, &events, 200)(get("/v1/cuts"), from).await;
        assert!(matches!(other, Reply::Whole(_)));
    }
}
