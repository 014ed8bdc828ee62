//! Reads typed values out of the AVPs of a message or a group, in any order.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::{Apn, Imei, Imsi, Key128, Key256, Msisdn, PlmnId};

use crate::avp::{Avp, AvpRef, from_tbcd};
use crate::dictionary::{AvpDef, Kind};
use crate::message::Message;
use crate::result::{AnswerError, ResultCode};

/// What is wrong with the data of an AVP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Length,
    Value,
}

/// A type that the data of an AVP is read as.
pub(crate) trait Value: Sized {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault>;
}

impl Value for u32 {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        avp.as_u32().ok_or(Fault::Length)
    }
}

impl Value for String {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        text(avp).map(Self::from)
    }
}

fn text(avp: AvpRef<'_>) -> Result<&str, Fault> {
    avp.as_str().ok_or(Fault::Value)
}

impl<const N: usize> Value for [u8; N] {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        avp.data.try_into().map_err(|_| Fault::Length)
    }
}

impl Value for Key128 {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        <[u8; 16]>::read(avp).map(Self::new)
    }
}

impl Value for Key256 {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        <[u8; 32]>::read(avp).map(Self::new)
    }
}

impl Value for IpAddr {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        avp.as_address().ok_or(match avp.data {
            [0, 1 | 2, ..] | [] | [_] => Fault::Length,
            _ => Fault::Value,
        })
    }
}

/// TS 29.272 §7.3.9: as in NAS.
impl Value for PlmnId {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        Self::from_octets(Value::read(avp)?).map_err(|_| Fault::Value)
    }
}

macro_rules! text_values {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
                avp.as_str().and_then(|t| t.parse().ok()).ok_or(Fault::Value)
            }
        })*
    };
}

text_values!(Imsi, Imei, Apn);

/// TS 29.329 §6.3.2: telephony BCD without the octet of number type.
impl Value for Msisdn {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        from_tbcd(avp.data)
            .and_then(|t| t.parse().ok())
            .ok_or(Fault::Value)
    }
}

/// A host or realm name: printable ASCII without blanks, since it ends up in logs and as a key.
fn identity(avp: AvpRef<'_>) -> Result<&str, Fault> {
    let graphic = |d: &[u8]| (1..=255).contains(&d.len()) && d.iter().all(u8::is_ascii_graphic);
    if graphic(avp.data) {
        text(avp)
    } else {
        Err(Fault::Value)
    }
}

fn error(fault: Fault, avp: AvpRef<'_>, def: &AvpDef) -> AnswerError {
    let mut failed = avp.to_owned();
    match fault {
        Fault::Length if def.kind == Kind::Grouped => {
            failed.data.clear();
            AnswerError::avp(ResultCode::INVALID_AVP_LENGTH, failed)
        }
        Fault::Length => AnswerError::avp(ResultCode::INVALID_AVP_LENGTH, failed),
        Fault::Value => AnswerError::avp(ResultCode::INVALID_AVP_VALUE, failed),
    }
}

/// The AVPs of a message or of a group.
pub(crate) enum Fields<'a> {
    Message(&'a [Avp]),
    Group(Vec<AvpRef<'a>>),
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a Message) -> Self {
        Self::Message(&message.avps)
    }

    fn of_group(group: AvpRef<'a>) -> Result<Self, Fault> {
        let avps = group.members().collect::<Result<_, _>>();
        Ok(Self::Group(avps.map_err(|_| Fault::Length)?))
    }

    fn each(&self, def: &AvpDef) -> impl Iterator<Item = AvpRef<'a>> {
        let (message, group) = match self {
            Self::Message(avps) => (*avps, &[][..]),
            Self::Group(avps) => (&[][..], &avps[..]),
        };
        let message = message.iter().filter(move |a| a.is(def)).map(Avp::as_ref);
        let group = group.iter().copied().filter(move |a| a.is(def));
        message.chain(group)
    }

    /// The one AVP that `def` defines; a second one is an error (5009).
    fn single(&self, def: &AvpDef) -> Result<Option<AvpRef<'a>>, AnswerError> {
        match self {
            Self::Message(avps) => single(avps.iter().filter(|a| a.is(def)).map(Avp::as_ref)),
            Self::Group(avps) => single(avps.iter().copied().filter(|a| a.is(def))),
        }
    }

    /// A value that may be absent. A value that makes no sense in an AVP without the M bit counts
    /// as absent (RFC 6733 §4.1); a wrong length never does.
    pub(crate) fn optional<T: Value>(&self, def: &AvpDef) -> Result<Option<T>, AnswerError> {
        self.optional_by(def, T::read)
    }

    fn optional_by<T>(
        &self,
        def: &AvpDef,
        read: impl FnOnce(AvpRef<'a>) -> Result<T, Fault>,
    ) -> Result<Option<T>, AnswerError> {
        let Some(avp) = self.single(def)? else {
            return Ok(None);
        };
        match read(avp) {
            Ok(value) => Ok(Some(value)),
            Err(Fault::Value) if !avp.mandatory => Ok(None),
            Err(fault) => Err(error(fault, avp, def)),
        }
    }

    /// A value that must be there.
    pub(crate) fn required<T: Value>(&self, def: &AvpDef) -> Result<T, AnswerError> {
        self.required_by(def, T::read)
    }

    fn required_by<T>(
        &self,
        def: &AvpDef,
        read: impl FnOnce(AvpRef<'a>) -> Result<T, Fault>,
    ) -> Result<T, AnswerError> {
        let avp = self.single(def)?.ok_or_else(|| AnswerError::missing(def))?;
        read(avp).map_err(|fault| error(fault, avp, def))
    }

    /// A text that must be there, in place or copied.
    pub(crate) fn text<T: From<&'a str>>(&self, def: &AvpDef) -> Result<T, AnswerError> {
        self.required_by(def, |avp| text(avp).map(T::from))
    }

    /// All values, in their order.
    pub(crate) fn repeated<T: Value>(&self, def: &AvpDef) -> Result<Vec<T>, AnswerError> {
        self.each(def)
            .map(|avp| T::read(avp).map_err(|fault| error(fault, avp, def)))
            .collect()
    }

    /// A group that may be absent.
    pub(crate) fn group<T>(
        &self,
        def: &AvpDef,
        read: impl Fn(&Self) -> Result<T, AnswerError>,
    ) -> Result<Option<T>, AnswerError> {
        self.single(def)?
            .map(|avp| within(avp, def, &read))
            .transpose()
    }

    /// All groups of a kind.
    pub(crate) fn groups<T>(
        &self,
        def: &AvpDef,
        read: impl Fn(&Self) -> Result<T, AnswerError>,
    ) -> Result<Vec<T>, AnswerError> {
        self.each(def).map(|avp| within(avp, def, &read)).collect()
    }

    /// A name that must be there, in place or copied.
    pub(crate) fn identity<T: From<&'a str>>(&self, def: &AvpDef) -> Result<T, AnswerError> {
        self.required_by(def, |avp| identity(avp).map(T::from))
    }

    pub(crate) fn optional_identity<T: From<&'a str>>(
        &self,
        def: &AvpDef,
    ) -> Result<Option<T>, AnswerError> {
        self.optional_by(def, |avp| identity(avp).map(T::from))
    }
}

fn single<'a>(
    mut found: impl Iterator<Item = AvpRef<'a>>,
) -> Result<Option<AvpRef<'a>>, AnswerError> {
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(second) => Err(AnswerError::avp(
            ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
            second.to_owned(),
        )),
    }
}

fn within<'a, T>(
    avp: AvpRef<'a>,
    def: &AvpDef,
    read: &impl Fn(&Fields<'a>) -> Result<T, AnswerError>,
) -> Result<T, AnswerError> {
    let fields = Fields::of_group(avp).map_err(|fault| error(fault, avp, def))?;
    read(&fields).map_err(|e| e.within(avp))
}
