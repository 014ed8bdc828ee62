//! The links of a lab: what the virtual network does to a message on its way.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use heiiki_types::Rng;

use super::MessageName;

/// A link, named by its reference point. MME and SGW are one node, so there is no S11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Link {
    /// UE and eNB to MME: NAS in a modelled S1.
    #[serde(rename = "S1-NAS")]
    S1Nas,
    /// eNB to SGW: GTP-U.
    #[serde(rename = "S1-U")]
    S1U,
    /// MME to HSS: Diameter.
    #[serde(rename = "S6a")]
    S6a,
    /// SGW to PGW, control plane: GTPv2-C.
    #[serde(rename = "S5-C")]
    S5C,
    /// SGW to PGW, user plane: GTP-U.
    #[serde(rename = "S5-U")]
    S5U,
    /// PGW to a tenant's corporate segment: IP.
    #[serde(rename = "SGi")]
    Sgi,
    /// Operator to HSS and PGW, and HSS to PGW: HTTP bodies.
    #[serde(rename = "Admin")]
    Admin,
}

impl Link {
    /// Every link, in the order of a packet's way from the UE.
    pub const ALL: [Self; 7] = [
        Self::S1Nas,
        Self::S1U,
        Self::S6a,
        Self::S5C,
        Self::S5U,
        Self::Sgi,
        Self::Admin,
    ];

    /// The name in files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1Nas => "S1-NAS",
            Self::S1U => "S1-U",
            Self::S6a => "S6a",
            Self::S5C => "S5-C",
            Self::S5U => "S5-U",
            Self::Sgi => "SGi",
            Self::Admin => "Admin",
        }
    }

    /// Whether the transport below repairs losses (TCP): there a lost packet only comes late, and
    /// nothing is doubled, reordered or changed unless a rule does it to a whole message.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::S6a | Self::Admin)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text is not the name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLink;

impl fmt::Display for UnknownLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a link is one of S1-NAS, S1-U, S6a, S5-C, S5-U, SGi, Admin")
    }
}

impl core::error::Error for UnknownLink {}

impl FromStr for Link {
    type Err = UnknownLink;

    fn from_str(text: &str) -> Result<Self, UnknownLink> {
        Self::ALL
            .into_iter()
            .find(|l| l.name().eq_ignore_ascii_case(text))
            .ok_or(UnknownLink)
    }
}

/// What a link does to every message on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkProfile {
    /// One way.
    pub delay: Duration,
    /// Up to this much more, evenly spread.
    pub jitter: Duration,
    /// Probability of loss, 0 to 1.
    pub loss: f64,
    /// Probability that a message comes twice.
    pub duplicate: f64,
    /// Probability that a message is overtaken: it is held for four more delays.
    pub reorder: f64,
    /// Probability that one bit is flipped.
    pub corrupt: f64,
}

impl LinkProfile {
    /// A quiet link: nothing but a delay.
    pub const fn quiet(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            corrupt: 0.0,
        }
    }
}

/// What a rule decides for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rule has nothing to say; later rules and the profile decide.
    Pass,
    /// The message is lost, on a reliable link too (a relay in between failed).
    Drop,
    /// The message comes this much later than the link's delay.
    Delay(Duration),
    /// The message comes now and once more after this time.
    Duplicate(Duration),
}

/// A message on its way, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The link.
    pub link: Link,
    /// The node that sent it.
    pub from: &'a str,
    /// The node that it goes to.
    pub to: &'a str,
    /// What it is in the words of its protocol, such as `Create Session Response`.
    pub name: &'a MessageName,
    /// How many octets it has.
    pub octets: usize,
}

/// An ordered rule of a link; stays until it is removed.
pub type Rule = Box<dyn FnMut(&Packet<'_>) -> Verdict + Send>;

/// A rule that drops the `nth` (from 1) message called `name`, and no other.
pub fn drop_nth(name: &str, nth_of: u32) -> Rule {
    nth(name, nth_of, Verdict::Drop)
}

/// A rule that decides about the `nth` (from 1) message called `name`, and no other.
pub fn nth(name: &str, nth: u32, verdict: Verdict) -> Rule {
    let name = name.to_owned();
    let mut seen = 0;
    Box::new(move |packet| {
        if !packet.name.is(&name) {
            return Verdict::Pass;
        }
        seen += 1;
        if seen == nth { verdict } else { Verdict::Pass }
    })
}

/// When each copy of a message arrives, and whether the copy has a flipped bit.
pub(crate) fn fate(
    link: Link,
    profile: &LinkProfile,
    verdict: Verdict,
    rng: &mut Rng,
) -> Vec<(Duration, bool)> {
    let micros = u64::try_from(profile.jitter.as_micros()).unwrap_or(u64::MAX);
    let jitter =
        |rng: &mut Rng| Duration::from_micros(if micros == 0 { 0 } else { rng.below(micros) });
    let mut delay = profile.delay + jitter(rng);
    // Every draw is made whatever came before it, so that a rule does not shift the stream.
    let (lost, doubled) = (rng.chance(profile.loss), rng.chance(profile.duplicate));
    let (overtaken, corrupt) = (rng.chance(profile.reorder), rng.chance(profile.corrupt));
    let again = profile.delay + jitter(rng);
    let mut copies = Vec::with_capacity(1);
    match verdict {
        Verdict::Drop => return copies,
        Verdict::Delay(more) => delay += more,
        Verdict::Duplicate(after) => copies.push((delay + after, false)),
        Verdict::Pass => {}
    }
    if link.is_reliable() {
        if lost {
            delay += RETRANSMISSION;
        }
        copies.push((delay, false));
        return copies;
    }
    if lost {
        return copies;
    }
    if overtaken {
        delay += profile.delay * 4;
    }
    copies.push((delay, corrupt));
    if doubled {
        copies.push((delay + again, false));
    }
    copies
}

/// How much later a segment comes that TCP had to send again: the least retransmission time-out of
/// common systems.
const RETRANSMISSION: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for link in Link::ALL {
            assert_eq!(link.name().parse(), Ok(link));
        }
        assert!("S11".parse::<Link>().is_err());
    }

    #[test]
    fn the_nth_message_of_a_name_is_dropped() {
        let mut rule = drop_nth("Create Session Response", 2);
        let mut see = |name| {
            let name = &MessageName::new(name);
            rule(&Packet {
                link: Link::S5C,
                from: "pgw",
                to: "mme",
                name,
                octets: 0,
            })
        };
        assert_eq!(see("Create Session Response"), Verdict::Pass);
        assert_eq!(see("Delete Session Response"), Verdict::Pass);
        assert_eq!(see("Create Session Response"), Verdict::Drop);
        assert_eq!(see("Create Session Response"), Verdict::Pass);
    }

    #[test]
    fn tcp_turns_loss_into_delay() {
        let profile = LinkProfile {
            loss: 1.0,
            ..LinkProfile::quiet(Duration::from_millis(5))
        };
        let mut rng = Rng::from_seed(1);
        let late = [(Duration::from_millis(205), false)];
        assert_eq!(fate(Link::S6a, &profile, Verdict::Pass, &mut rng), late);
        assert_eq!(fate(Link::S6a, &profile, Verdict::Drop, &mut rng), []);
        assert_eq!(fate(Link::S5C, &profile, Verdict::Pass, &mut rng), []);
    }
}
