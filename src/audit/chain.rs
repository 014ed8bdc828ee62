//! Lines of the audit log, and what is wrong with them.

use core::fmt;

use heiiki_types::{WallTime, from_hex, to_hex};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Digest = [u8; 32];

/// What stands before the hash of a line.
const HASH: &str = ",\"hash\":\"";

/// The end of a chain: the last record's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the record, from 0.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl fmt::Display for Head {
    /// `SEQ:HASH`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, to_hex(&self.hash))
    }
}

impl core::str::FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = "write NUMBER:HASH, as the `ready` line and `audit.head` have it";
        let (seq, hash) = text.trim().split_once(':').ok_or(help)?;
        let seq = seq.parse().map_err(|_| help)?;
        let hash = digest(hash).ok_or(help)?;
        Ok(Self { seq, hash })
    }
}

fn digest(hex: &str) -> Option<Digest> {
    from_hex(hex).ok()?.try_into().ok()
}

/// The line, with its end, of a record that follows `head`; `None` begins a chain.
pub fn line(
    head: Option<Head>,
    time: WallTime,
    event: &str,
    fields: &Map<String, Value>,
) -> (String, Head) {
    let seq = head.map_or(0, |h| h.seq.saturating_add(1));
    let mut text = format!(
        "{{\"seq\":{seq},\"time\":\"{time}\",\"event\":{}",
        Value::from(event)
    );
    let fields = fields.iter().filter(|(name, value)| {
        !value.is_null() && !["seq", "time", "event", "prev", "hash"].contains(&name.as_str())
    });
    for (name, value) in fields {
        text.push(',');
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    let prev = head.map_or([0; 32], |h| h.hash);
    text.push_str(",\"prev\":\"");
    text.push_str(&to_hex(&prev));
    text.push('"');
    let hash: Digest = Sha256::digest(text.as_bytes()).into();
    text.push_str(HASH);
    text.push_str(&to_hex(&hash));
    text.push_str("\"}\n");
    (text, Head { seq, hash })
}

/// What is wrong with a chain at a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The line is no record.
    NotARecord,
    /// The line breaks off.
    Torn,
    /// Its hash is not that of its octets.
    Edited,
    /// The hash that it names as the one before is another line's.
    Unlinked {
        /// The number of its record.
        seq: u64,
        /// The number that belongs here.
        expected: u64,
    },
    /// It begins a file and neither a chain nor a continuation.
    NoBeginning,
    /// The chain ends before a head that it once had.
    Short {
        /// That head.
        head: Head,
        /// The last record that is there.
        last: Option<u64>,
    },
    /// At the number of a head that it once had there is another record.
    OtherThan(Head),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("this is no record of an audit log"),
            Self::Torn => f.write_str("the line breaks off"),
            Self::Edited => f.write_str("its hash is not that of its octets: the line was changed"),
            Self::Unlinked { seq, expected } if seq > expected => write!(
                f,
                "record {seq} stands where {expected} belongs: {} removed before it",
                match seq - expected {
                    1 => "a record was".to_owned(),
                    n => format!("{n} records were"),
                }
            ),
            Self::Unlinked { seq, expected } if seq < expected => write!(
                f,
                "record {seq} stands where {expected} belongs: records were moved or put in"
            ),
            Self::Unlinked { seq, .. } => write!(
                f,
                "record {seq} does not follow the one before it: that one was replaced"
            ),
            Self::NoBeginning => {
                f.write_str("a file begins with its chain's first record or with a continuation")
            }
            Self::Short { head, last } => {
                match last {
                    Some(last) => write!(f, "it ends at record {last}")?,
                    None => f.write_str("it has no record")?,
                }
                let missing = head.seq.saturating_add(1) - last.map_or(0, |l| l.saturating_add(1));
                write!(
                    f,
                    ", but record {} was there: the last {missing} are cut off",
                    head.seq
                )
            }
            Self::OtherThan(head) => write!(
                f,
                "record {} is another one than that of the head: the end was rewritten",
                head.seq
            ),
        }
    }
}

/// A record that holds.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its number and hash.
    pub head: Head,
    /// All of it.
    pub record: Map<String, Value>,
}

/// Reads one line by itself: its form and its own hash.
///
/// # Errors
/// What is wrong with it.
pub fn check(line: &str) -> Result<(Checked, Digest), Flaw> {
    let Some((octets, hash)) = line.rsplit_once(HASH) else {
        return Err(if line.ends_with('}') {
            Flaw::NotARecord
        } else {
            Flaw::Torn
        });
    };
    let hash = hash.strip_suffix("\"}").ok_or(Flaw::Torn)?;
    let hash = digest(hash).ok_or(Flaw::NotARecord)?;
    if hash != <Digest>::from(Sha256::digest(octets.as_bytes())) {
        return Err(Flaw::Edited);
    }
    let record: Map<String, Value> = serde_json::from_str(line).map_err(|_| Flaw::NotARecord)?;
    let seq = record
        .get("seq")
        .and_then(Value::as_u64)
        .ok_or(Flaw::NotARecord)?;
    let prev = record.get("prev").and_then(Value::as_str).and_then(digest);
    let prev = prev.ok_or(Flaw::NotARecord)?;
    let head = Head { seq, hash };
    Ok((Checked { head, record }, prev))
}

/// Walks along a chain, line by line and file by file.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    head: Option<Head>,
    records: u64,
    /// Heads that the chain must have passed.
    anchors: Vec<Head>,
}

impl Walk {
    /// A walk that has not begun. The chain must hold each of `anchors`.
    pub fn new(anchors: Vec<Head>) -> Self {
        Self {
            anchors,
            ..Self::default()
        }
    }

    /// Where it stands.
    pub const fn head(&self) -> Option<Head> {
        self.head
    }

    /// Records seen.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// What is wrong with it. Nothing after it is proved.
    pub fn step(&mut self, line: &str) -> Result<Checked, Flaw> {
        let (checked, prev) = check(line)?;
        let seq = checked.head.seq;
        match self.head {
            Some(head) if head.hash == prev && seq == head.seq.saturating_add(1) => {}
            Some(head) => {
                return Err(Flaw::Unlinked {
                    seq,
                    expected: head.seq.saturating_add(1),
                });
            }
            None => {
                let event = checked.record.get("event").and_then(Value::as_str);
                let begins = match event {
                    Some("genesis") => seq == 0 && prev == [0; 32],
                    Some("continued") => seq > 0,
                    _ => false,
                };
                if !begins {
                    return Err(Flaw::NoBeginning);
                }
            }
        }
        if let Some(anchor) = self.anchors.iter().find(|a| a.seq == seq)
            && anchor.hash != checked.head.hash
        {
            return Err(Flaw::OtherThan(*anchor));
        }
        self.head = Some(checked.head);
        self.records += 1;
        Ok(checked)
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// When the chain ends before one of its anchors.
    pub fn finish(&self) -> Result<(), Flaw> {
        let last = self.head.map(|h| h.seq);
        match self.anchors.iter().find(|a| last.is_none_or(|l| l < a.seq)) {
            Some(head) => Err(Flaw::Short { head: *head, last }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of `n` records.
    fn chain(n: usize) -> (Vec<String>, Head) {
        let mut head = None;
        let lines = (0..n).map(|i| {
            let event = if i == 0 { "genesis" } else { "peer_refused" };
            let fields = serde_json::json!({"host": format!("mme{i}"), "none": null});
            let Value::Object(fields) = fields else {
                unreachable!()
            };
            let time = WallTime::from_unix_micros(1_780_000_000_000_000);
            let (line, next) = line(head, time, event, &fields);
            head = Some(next);
            line.trim_end().to_owned()
        });
        let lines = lines.collect();
        (lines, head.unwrap())
    }

    fn walk(lines: &[String], anchors: &[Head]) -> Result<u64, (usize, Flaw)> {
        let mut walk = Walk::new(anchors.to_vec());
        for (i, line) in lines.iter().enumerate() {
            walk.step(line).map_err(|flaw| (i + 1, flaw))?;
        }
        walk.finish().map_err(|flaw| (0, flaw))?;
        Ok(walk.records())
    }

    /// The hash by another implementation: `printf '%s' LINE_BEFORE_HASH | sha256sum`.
    #[test]
    fn a_line_is_what_a_shell_can_check() {
        let (lines, _) = chain(1);
        assert_eq!(
            lines[0],
            "{\"seq\":0,\"time\":\"2026-05-28T20:26:40.000000Z\",\"event\":\"genesis\",\
             \"host\":\"mme0\",\"prev\":\
             \"0000000000000000000000000000000000000000000000000000000000000000\",\"hash\":\
             \"d1f458cdd388b55716d1dcf1c6a80ec55f46bbff498f99ca0a5edc642c0b85bb\"}"
        );
    }

    #[test]
    fn a_whole_chain_holds() {
        let (lines, head) = chain(5);
        assert_eq!(walk(&lines, &[head]), Ok(5));
        assert_eq!(head.to_string().parse(), Ok(head));
    }

    #[test]
    fn any_changed_octet_is_seen() {
        let (lines, _) = chain(3);
        for at in 0..lines[1].len() {
            let mut octets = lines[1].clone().into_bytes();
            octets[at] ^= 1;
            let mut changed = lines.clone();
            changed[1] = String::from_utf8(octets).unwrap();
            let found = walk(&changed, &[]).unwrap_err();
            assert_eq!(found.0, 2, "octet {at}: {found:?}");
        }
    }

    #[test]
    fn a_removed_line_is_seen() {
        let (mut lines, _) = chain(5);
        lines.remove(2);
        let flaw = Flaw::Unlinked {
            seq: 3,
            expected: 2,
        };
        assert_eq!(walk(&lines, &[]), Err((3, flaw)));
        let (mut lines, _) = chain(5);
        lines.remove(0);
        assert_eq!(walk(&lines, &[]), Err((1, Flaw::NoBeginning)));
    }

    #[test]
    fn a_moved_line_is_seen() {
        let (mut lines, _) = chain(5);
        lines.swap(2, 3);
        let (at, flaw) = walk(&lines, &[]).unwrap_err();
        assert_eq!(at, 3, "{flaw}");
        let (mut lines, _) = chain(5);
        lines.insert(2, lines[1].clone());
        let (at, flaw) = walk(&lines, &[]).unwrap_err();
        assert_eq!(at, 3, "{flaw}");
    }

    #[test]
    fn a_cut_end_is_seen_against_a_head() {
        let (lines, head) = chain(5);
        let short = &lines[..3];
        assert_eq!(walk(short, &[]), Ok(3), "the chain alone cannot tell");
        let (at, flaw) = walk(short, &[head]).unwrap_err();
        assert_eq!(
            (at, flaw.clone()),
            (
                0,
                Flaw::Short {
                    head,
                    last: Some(2)
                }
            )
        );
        assert!(
            flaw.to_string().contains("the last 2 are cut off"),
            "{flaw}"
        );
        let mut torn = lines.clone();
        torn[4].truncate(60);
        assert_eq!(walk(&torn, &[]), Err((5, Flaw::Torn)));
    }

    #[test]
    fn a_rewritten_chain_is_seen_against_a_head() {
        let (mut lines, head) = chain(4);
        let (_, third) = (&lines, chain(3).1);
        let (other, _) = line(Some(third), WallTime::default(), "x", &Map::new());
        lines[3] = other.trim_end().to_owned();
        assert_eq!(walk(&lines, &[]), Ok(4));
        assert_eq!(walk(&lines, &[head]), Err((4, Flaw::OtherThan(head))));
    }
}
