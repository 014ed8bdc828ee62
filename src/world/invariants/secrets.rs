//! Invariant 6: K and OPc never leave the HSS and the card; session keys cross S6a alone, and
//! nothing of either kind is in the log.

use std::collections::{BTreeMap, BTreeSet};

use heiiki_hss::SubscriberImport;
use heiiki_nas::kdf;
use heiiki_nas::security::{Eea, Eia};
use heiiki_types::{Key128, Key256};

use super::{Violation, broken};
use crate::log::Entry;
use crate::world::Link;

/// Octets that must not be seen.
#[derive(Default)]
pub(super) struct Secrets {
    /// Sixteen octets of each, and what they are.
    known: BTreeMap<[u8; 16], Secret>,
    /// Which octets a secret begins with: most of what is looked at ends here.
    first: [u64; 4],
    /// Expected responses; the UE sends one back in the clear, so S1 shows them too.
    responses: BTreeSet<[u8; 8]>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Secret {
    what: &'static str,
    /// Whether S6a carries it.
    on_s6a: bool,
}

impl Secrets {
    /// The secrets of the SIMs.
    pub(super) fn new(subscribers: &[SubscriberImport]) -> Self {
        let mut secrets = Self::default();
        for SubscriberImport { k, opc, .. } in subscribers {
            secrets.add("K", false, *k.expose());
            secrets.add("OPc", false, *opc.expose());
        }
        secrets
    }

    fn add(&mut self, what: &'static str, on_s6a: bool, octets: [u8; 16]) {
        let [first, ..] = octets;
        if let Some(word) = self.first.get_mut(usize::from(first >> 6)) {
            *word |= 1 << (first & 63);
        }
        self.known.insert(octets, Secret { what, on_s6a });
    }

    /// The keys of a vector that was handed out.
    pub(super) fn session(&mut self, ck: &Key128, ik: &Key128, kasme: &Key256, xres: &[u8]) {
        self.add("CK", false, *ck.expose());
        self.add("IK", false, *ik.expose());
        for half in kasme.expose().as_chunks::<16>().0 {
            self.add("KASME", true, *half);
        }
        let integrity = kdf::nas_int(kasme, Eia::Eia2);
        self.add("KNASint", false, *integrity.expose());
        let ciphering = kdf::nas_enc(kasme, Eea::Eea2);
        self.add("KNASenc", false, *ciphering.expose());
        if let Some(xres) = xres.first_chunk::<8>() {
            self.responses.insert(*xres);
        }
    }

    fn begins(&self, octet: u8) -> bool {
        let word = self.first.get(usize::from(octet >> 6));
        word.is_some_and(|w| w >> (octet & 63) & 1 == 1)
    }

    fn find(&self, octets: &[u8], allowed: impl Fn(Secret) -> bool) -> Option<&'static str> {
        octets.windows(16).find_map(|window| {
            let window = window.first_chunk::<16>().filter(|w| self.begins(w[0]))?;
            let secret = *self.known.get(window)?;
            (!allowed(secret)).then_some(secret.what)
        })
    }

    /// Looks at what crosses a link.
    pub(super) fn octets(&self, link: Link, octets: &[u8]) -> Option<Violation> {
        let found = self.find(octets, |secret| secret.on_s6a && link == Link::S6a);
        let shows_responses = matches!(link, Link::S6a | Link::S1Nas);
        let found = found.or_else(|| {
            if shows_responses {
                return None;
            }
            self.response(octets)
        })?;
        broken(6, format!("{found} of a SIM crosses {link}"))
    }

    fn response(&self, octets: &[u8]) -> Option<&'static str> {
        if self.responses.is_empty() {
            return None;
        }
        octets.windows(8).find_map(|window| {
            let known = self.responses.contains(window.first_chunk::<8>()?);
            known.then_some("XRES")
        })
    }

    /// Looks at an entry of the log as a file shows it.
    pub(super) fn entry(&mut self, entry: &Entry) -> Option<Violation> {
        let mut text = core::mem::take(&mut self.scratch);
        text.clear();
        let written = serde_json::to_writer(&mut text, entry);
        debug_assert!(written.is_ok(), "an entry that cannot be written");
        let found = self.text("the log", &text);
        self.scratch = text;
        found
    }

    /// Looks for secrets in a text: as hexadecimal digits, and as lists of numbers.
    pub(super) fn text(&self, place: &str, text: &[u8]) -> Option<Violation> {
        let found = digits(text).chain(numbers(text)).find_map(|octets| {
            self.find(&octets, |_| false)
                .or_else(|| self.response(&octets))
        })?;
        broken(6, format!("{found} of a SIM is in {place}"))
    }
}

/// Eight octets are the shortest secret.
const SHORTEST: usize = 8;

/// The octets of every long run of hexadecimal digits, read from its first and its second digit.
fn digits(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let runs = text.split(|c| !c.is_ascii_hexdigit());
    let runs = runs.filter(|run| run.len() >= 2 * SHORTEST);
    runs.flat_map(|run| [Some(run), run.get(1..)])
        .flatten()
        .map(|run| {
            let pairs = run.as_chunks::<2>().0.iter();
            pairs.map(|[a, b]| digit(*a) << 4 | digit(*b)).collect()
        })
}

fn digit(c: u8) -> u8 {
    char::from(c)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
        .unwrap_or(0)
}

/// The octets of every long list of small numbers.
fn numbers(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let lists = text.split(|c| !c.is_ascii_digit() && *c != b',');
    let lists = lists.filter(|list| list.len() >= 2 * SHORTEST - 1);
    lists.filter_map(|list| {
        let numbers = list.split(|c| *c == b',');
        let octets: Option<Vec<u8>> = numbers
            .map(|n| core::str::from_utf8(n).ok()?.parse().ok())
            .collect();
        octets.filter(|o| o.len() >= SHORTEST)
    })
}
