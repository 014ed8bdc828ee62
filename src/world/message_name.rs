//! What a message is called, so that a rule can pick it.

use core::fmt;

use heiiki_gtp::c;
use heiiki_mme::s1;
use heiiki_nas::{emm, security};

use super::Link;

/// The name of a message in the words of its protocol.
///
/// Names compare without case, spaces and hyphens: `CreateSessionResponse` is `Create Session
/// Response`. A NAS message on S1 has two: its own, and that of the S1 procedure around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageName {
    outer: String,
    inner: Option<String>,
}

fn letters(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
}

impl MessageName {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            outer: name.to_owned(),
            inner: None,
        }
    }

    /// Whether the message is called `name`.
    pub fn is(&self, name: &str) -> bool {
        let same = |own: &str| letters(own).eq(letters(name));
        same(&self.outer) || self.inner.as_deref().is_some_and(same)
    }

    pub(super) fn of_datagram(link: Link, payload: &[u8]) -> Self {
        match (link, payload) {
            (Link::S5C, [_, kind, ..]) => {
                Self::new(c::MessageType(*kind).name().unwrap_or("GTPv2-C"))
            }
            (_, [_, 255, ..]) => Self::new("G-PDU"),
            (_, [_, 1, ..]) => Self::new("Echo Request"),
            (_, [_, 2, ..]) => Self::new("Echo Response"),
            (_, [_, 26, ..]) => Self::new("Error Indication"),
            (_, [_, 254, ..]) => Self::new("End Marker"),
            _ => Self::default(),
        }
    }

    pub(super) fn of_diameter(octets: &[u8]) -> Self {
        let [_, _, _, _, flags, a, b, c, ..] = *octets else {
            return Self::default();
        };
        let code = u32::from_be_bytes([0, a, b, c]);
        let request = flags & 0x80 != 0;
        let name = heiiki_diameter::CommandCode(code)
            .name()
            .unwrap_or("Diameter");
        let kind = if request { "Request" } else { "Answer" };
        Self::new(&format!("{name} {kind}"))
    }

    /// The NAS message inside has a name of its own as long as it is not ciphered.
    pub(super) fn of_s1(message: &s1::Message) -> Self {
        let inner = message.nas().and_then(nas_name).map(str::to_owned);
        Self {
            outer: message.name().to_owned(),
            inner,
        }
    }

    pub(super) fn of_packet(packet: &[u8]) -> Self {
        let protocol = match packet {
            [first, _, _, _, _, _, _, _, _, protocol, ..] if first >> 4 == 4 => *protocol,
            [first, _, _, _, _, _, next, ..] if first >> 4 == 6 => *next,
            _ => 255,
        };
        Self::new(match protocol {
            1 | 58 => "ICMP",
            6 => "TCP",
            17 => "UDP",
            _ => "IP",
        })
    }
}

fn nas_name(pdu: &[u8]) -> Option<&'static str> {
    let plain = if pdu.first()? >> 4 == 0 {
        pdu
    } else {
        security::plain_of_protected(pdu)?
    };
    match plain {
        [0x07, kind, ..] => emm::MessageType(*kind).name(),
        _ => None,
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner {
            Some(inner) => write!(f, "{inner} in {}", self.outer),
            None => f.write_str(&self.outer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_case_and_hyphens_do_not_count() {
        let name = MessageName::new("Create Session Response");
        assert!(name.is("CreateSessionResponse") && name.is("create-session-response"));
        assert!(!name.is("Create Session Request"));
    }

    #[test]
    fn both_names_of_a_nas_message_count() {
        let name = MessageName {
            outer: "InitialContextSetupRequest".to_owned(),
            inner: Some("ATTACH ACCEPT".to_owned()),
        };
        assert!(name.is("AttachAccept") && name.is("Initial Context Setup Request"));
        assert_eq!(
            name.to_string(),
            "ATTACH ACCEPT in InitialContextSetupRequest"
        );
    }
}
