use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// Why a text is not an access point name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidApn;

impl fmt::Display for InvalidApn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an APN is labels of letters, digits and hyphens joined by dots, at most 63 octets a \
             label and 100 in all",
        )
    }
}

impl core::error::Error for InvalidApn {}

/// Access point name, TS 23.003 §9.1. Kept in lower case, since APNs compare without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Apn(String);

impl Apn {
    /// The whole name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network identifier: the name without an operator identifier
    /// (`mnc<MNC>.mcc<MCC>.gprs`), TS 23.003 §9.1.2.
    #[must_use]
    pub fn network_identifier(&self) -> Self {
        let labels = self.0.rsplitn(4, '.');
        let mut labels = labels.into_iter();
        let is = |label: Option<&str>, prefix: &str| {
            label.is_some_and(|l| {
                l.strip_prefix(prefix)
                    .is_some_and(|d| d.len() == 3 && d.bytes().all(|c| c.is_ascii_digit()))
            })
        };
        let operator =
            labels.next() == Some("gprs") && is(labels.next(), "mcc") && is(labels.next(), "mnc");
        match labels.next() {
            Some(ni) if operator => Self(String::from(ni)),
            _ => self.clone(),
        }
    }
}

impl FromStr for Apn {
    type Err = InvalidApn;

    fn from_str(text: &str) -> Result<Self, InvalidApn> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && l.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        // On the wire each label has a length octet in place of its dot, and one more.
        if text.len() < 100 && text.split('.').all(label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidApn)
        }
    }
}

impl fmt::Display for Apn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Apn {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Apn {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count() {
        assert_eq!("Corp.Example".parse::<Apn>(), "corp.example".parse());
    }

    #[test]
    fn operator_identifier_is_not_part_of_the_network_identifier() {
        let ni: Apn = "corp.example".parse().unwrap();
        let full: Apn = "corp.example.mnc001.mcc001.gprs".parse().unwrap();
        assert_eq!(full.network_identifier(), ni);
        let lookalike: Apn = "corp.example.mncx01.mcc001.gprs".parse().unwrap();
        assert_eq!(lookalike.network_identifier(), lookalike);
        assert_eq!(ni.network_identifier(), ni);
    }

    #[test]
    fn what_a_name_cannot_be() {
        for bad in ["", ".", "a..b", "-a", "a-", "a_b", "a b", &"x".repeat(64)] {
            assert!(bad.parse::<Apn>().is_err(), "{bad}");
        }
    }
}
