//! Events as lines of JSON.

use std::io;

use heiiki_types::{Instant, WallTime};
use serde::Serialize;

/// Writes `events.ndjson`: one object a line, in the order of events. The same events write the
/// same octets.
#[derive(Debug)]
pub struct EventLog<W> {
    out: W,
    next: u64,
}

#[derive(Serialize)]
struct Line<'a, E> {
    seq: u64,
    at_us: Instant,
    time: Rfc3339,
    node: &'a str,
    #[serde(flatten)]
    event: &'a E,
}

/// Civil time as text.
struct Rfc3339(WallTime);

impl Serialize for Rfc3339 {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<W: io::Write> EventLog<W> {
    /// Begins a log.
    pub const fn new(out: W) -> Self {
        Self { out, next: 0 }
    }

    /// Adds an event of a node. `event` must serialise as an object; its fields stand after `seq`
    /// (from 0), `at_us` (monotonic), `time` (RFC 3339) and `node`.
    pub fn write<E: Serialize>(
        &mut self,
        at: Instant,
        wall: WallTime,
        node: &str,
        event: &E,
    ) -> io::Result<()> {
        let line = Line {
            seq: self.next,
            at_us: at,
            time: Rfc3339(wall),
            node,
            event,
        };
        self.next += 1;
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    /// Hands everything to the operating system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(tag = "event", rename_all = "snake_case")]
    enum Event {
        LocationUpdated { imsi: &'static str },
    }

    #[test]
    fn one_object_a_line() {
        let mut out = Vec::new();
        let mut log = EventLog::new(&mut out);
        let imsi = "001010000000001";
        for n in [1_500, 2_500] {
            let (at, wall) = (Instant::from_micros(n), WallTime::from_unix_micros(n));
            log.write(at, wall, "hss", &Event::LocationUpdated { imsi })
                .unwrap();
        }
        let lines = concat!(
            r#"{"seq":0,"at_us":1500,"time":"1970-01-01T00:00:00.001500Z","node":"hss","#,
            r#""event":"location_updated","imsi":"001010000000001"}"#,
            "\n",
            r#"{"seq":1,"at_us":2500,"time":"1970-01-01T00:00:00.002500Z","node":"hss","#,
            r#""event":"location_updated","imsi":"001010000000001"}"#,
            "\n",
        );
        assert_eq!(String::from_utf8(out).unwrap(), lines);
    }
}
