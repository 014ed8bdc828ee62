use alloc::vec::Vec;
use core::fmt;

use crate::avp::{Avp, Avps, MAX_AVPS, encode_all};
use crate::dictionary::{self, AvpDef};
use crate::error::{DecodeError, What};
use crate::result::AnswerResult;

/// Octets of the message header.
pub const HEADER_LEN: usize = 20;

/// AVPs for which room is made at first: requests of S6a have about as many, and the allocator has
/// so many octets at hand.
const USUAL_AVPS: usize = 11;

const FLAG_REQUEST: u8 = 0x80;
const FLAG_PROXIABLE: u8 = 0x40;
const FLAG_ERROR: u8 = 0x20;
const FLAG_RETRANSMIT: u8 = 0x10;

macro_rules! codes {
    ($type:ident; $($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// The name in its specification.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}
pub(crate) use codes;

/// A command code, RFC 6733 §3.1: 24 bits, one for a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandCode(pub u32);

codes! { CommandCode;
    /// CER and CEA, RFC 6733 §5.3.
    CAPABILITIES_EXCHANGE = 257, "Capabilities-Exchange";
    /// DWR and DWA, RFC 6733 §5.5.
    DEVICE_WATCHDOG = 280, "Device-Watchdog";
    /// DPR and DPA, RFC 6733 §5.4.
    DISCONNECT_PEER = 282, "Disconnect-Peer";
    /// ULR and ULA, TS 29.272 §7.2.3.
    UPDATE_LOCATION = 316, "Update-Location";
    /// CLR and CLA, TS 29.272 §7.2.7.
    CANCEL_LOCATION = 317, "Cancel-Location";
    /// AIR and AIA, TS 29.272 §7.2.5.
    AUTHENTICATION_INFORMATION = 318, "Authentication-Information";
    /// IDR and IDA, TS 29.272 §7.2.9.
    INSERT_SUBSCRIBER_DATA = 319, "Insert-Subscriber-Data";
    /// DSR and DSA, TS 29.272 §7.2.11.
    DELETE_SUBSCRIBER_DATA = 320, "Delete-Subscriber-Data";
    /// PUR and PUA, TS 29.272 §7.2.13.
    PURGE_UE = 321, "Purge-UE";
    /// RSR and RSA, TS 29.272 §7.2.15.
    RESET = 322, "Reset";
    /// NOR and NOA, TS 29.272 §7.2.17.
    NOTIFY = 323, "Notify";
    /// ECR and ECA, TS 29.272 §7.2.19.
    ME_IDENTITY_CHECK = 324, "ME-Identity-Check";
}

/// An application identifier, RFC 6733 §2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(pub u32);

codes! { ApplicationId;
    /// The base protocol itself.
    BASE = 0, "Base";
    /// S6a and S6d: MME or SGSN to HSS.
    S6A = 16_777_251, "S6a";
    /// S13: MME to EIR.
    S13 = 16_777_252, "S13";
    /// What a relay agent advertises: it has every application in common with everybody.
    RELAY = 0xffff_ffff, "Relay";
}

impl ApplicationId {
    /// The vendor under which the application is advertised, if it is a vendor's (RFC 6733 §11.3).
    pub const fn vendor(self) -> Option<u32> {
        match self {
            Self::S6A | Self::S13 => Some(dictionary::VENDOR_3GPP),
            _ => None,
        }
    }
}

/// The command flags, RFC 6733 §3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the header has four independent bits"
)]
pub struct Flags {
    /// R: a request; clear in an answer.
    pub request: bool,
    /// P: agents may carry the message on.
    pub proxiable: bool,
    /// E: the answer reports a protocol error and has the grammar of RFC 6733 §7.2.
    pub error: bool,
    /// T: the request was perhaps sent before.
    pub retransmit: bool,
}

impl Flags {
    fn from_octet(octet: u8) -> Self {
        Self {
            request: octet & FLAG_REQUEST != 0,
            proxiable: octet & FLAG_PROXIABLE != 0,
            error: octet & FLAG_ERROR != 0,
            retransmit: octet & FLAG_RETRANSMIT != 0,
        }
    }

    fn octet(self) -> u8 {
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        flag(self.request, FLAG_REQUEST)
            | flag(self.proxiable, FLAG_PROXIABLE)
            | flag(self.error, FLAG_ERROR)
            | flag(self.retransmit, FLAG_RETRANSMIT)
    }
}

/// A Diameter message: header and AVPs in their order, RFC 6733 §3.
///
/// ```text
///  version 1 (1) | length (3) | flags R P E T (1) | command (3)
///  application (4) | hop-by-hop (4) | end-to-end (4) | AVPs
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The command flags.
    pub flags: Flags,
    /// The command code.
    pub command: CommandCode,
    /// The application that the command belongs to.
    pub application: ApplicationId,
    /// Ties an answer to its request on one connection.
    pub hop_by_hop: u32,
    /// Ties copies of a request to each other, whatever way they took.
    pub end_to_end: u32,
    /// The AVPs.
    pub avps: Vec<Avp>,
}

/// A message whose header is sound, together with the first AVP that is not.
#[derive(Debug)]
pub(crate) struct Partial {
    pub(crate) message: Message,
    pub(crate) fault: Option<(DecodeError, Avp)>,
}

impl Message {
    /// An empty message with zero identifiers; the [`Endpoint`](crate::Endpoint) fills them in.
    pub fn new(command: CommandCode, application: ApplicationId, flags: Flags) -> Self {
        Self {
            flags,
            command,
            application,
            hop_by_hop: 0,
            end_to_end: 0,
            avps: Vec::new(),
        }
    }

    /// An empty answer to this request: same command, application, identifiers and P bit.
    #[must_use]
    pub fn answer(&self) -> Self {
        Self {
            flags: Flags {
                proxiable: self.flags.proxiable,
                ..Flags::default()
            },
            avps: Vec::new(),
            ..*self
        }
    }

    /// Reads exactly one message.
    pub fn decode(octets: &[u8]) -> Result<Self, DecodeError> {
        let Partial { message, fault } = Self::decode_partial(octets)?;
        match fault {
            None => Ok(message),
            Some((error, _)) => Err(error),
        }
    }

    pub(crate) fn decode_partial(octets: &[u8]) -> Result<Partial, DecodeError> {
        let have = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        let Some((header, body)) = octets.split_first_chunk::<HEADER_LEN>() else {
            let what = What::Truncated { need: 20, have };
            return Err(DecodeError { at: 0, what });
        };
        let ([version, l0, l1, l2, flags, c0, c1, c2], ids) = split_header(header);
        if version != 1 {
            let what = What::Version(version);
            return Err(DecodeError { at: 0, what });
        }
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        if length != have || !length.is_multiple_of(4) {
            let what = What::MessageLength(length);
            return Err(DecodeError { at: 1, what });
        }
        let [application, hop_by_hop, end_to_end] = ids;
        let mut message = Self {
            flags: Flags::from_octet(flags),
            command: CommandCode(u32::from_be_bytes([0, c0, c1, c2])),
            application: ApplicationId(application),
            hop_by_hop,
            end_to_end,
            avps: Vec::new(),
        };
        let fault = message.read_avps(octets, body).err().map(|error| {
            let at = usize::try_from(error.at).unwrap_or(usize::MAX);
            (error, Avp::salvage(octets.get(at..).unwrap_or(&[])))
        });
        Ok(Partial { message, fault })
    }

    fn read_avps(&mut self, octets: &[u8], body: &[u8]) -> Result<(), DecodeError> {
        let start = u32::try_from(octets.len() - body.len()).unwrap_or(u32::MAX);
        for avp in Avps::new(body, start) {
            let avp = avp?;
            if self.avps.len() == MAX_AVPS {
                let what = What::TooManyAvps;
                return Err(DecodeError { at: start, what });
            }
            if self.avps.is_empty() {
                self.avps.reserve(USUAL_AVPS);
            }
            self.avps.push(avp.to_owned());
        }
        Ok(())
    }

    /// The octets of the message.
    pub fn encode(&self) -> Vec<u8> {
        let body: usize = self.avps.iter().map(Avp::encoded_len).sum();
        let mut out = Vec::with_capacity(HEADER_LEN + body);
        self.encode_with(&mut out, |out| encode_all(&self.avps, out));
        out
    }

    /// Writes a message with this header, whose AVPs `write` appends, to an empty vector.
    pub(crate) fn encode_with(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&[1, 0, 0, 0]);
        let flags = u32::from(self.flags.octet()) << 24;
        out.extend_from_slice(&(flags | self.command.0 & 0x00ff_ffff).to_be_bytes());
        out.extend_from_slice(&self.application.0.to_be_bytes());
        out.extend_from_slice(&self.hop_by_hop.to_be_bytes());
        out.extend_from_slice(&self.end_to_end.to_be_bytes());
        write(out);
        set_length(out);
    }

    /// Gives the octets of an answer the hop-by-hop identifier of its request on a connection, and
    /// further AVPs at the end.
    pub(crate) fn address(octets: &mut Vec<u8>, hop_by_hop: u32, further: &[Avp]) {
        if let Some(place) = octets.get_mut(12..16) {
            place.copy_from_slice(&hop_by_hop.to_be_bytes());
        }
        if further.is_empty() {
            return;
        }
        encode_all(further, octets);
        set_length(octets);
    }

    /// The first AVP that `def` defines.
    pub fn find(&self, def: &AvpDef) -> Option<&Avp> {
        self.avps.iter().find(|a| a.is(def))
    }

    /// The text of the first AVP that `def` defines.
    pub fn text(&self, def: &AvpDef) -> Option<&str> {
        self.find(def)?.as_str()
    }

    /// The number in the first AVP that `def` defines.
    pub fn number(&self, def: &AvpDef) -> Option<u32> {
        self.find(def)?.as_u32()
    }

    /// Session-Id.
    pub fn session_id(&self) -> Option<&str> {
        self.text(&dictionary::SESSION_ID)
    }

    /// Origin-Host: who made the message, which need not be who sent it on this connection.
    pub fn origin_host(&self) -> Option<&str> {
        self.text(&dictionary::ORIGIN_HOST)
    }

    /// Origin-Realm.
    pub fn origin_realm(&self) -> Option<&str> {
        self.text(&dictionary::ORIGIN_REALM)
    }

    /// The result of an answer.
    pub fn result(&self) -> Option<AnswerResult> {
        AnswerResult::of(self)
    }
}

/// Fills the length of a whole message in.
fn set_length(octets: &mut [u8]) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX) & 0x00ff_ffff;
    if let Some(first) = octets.first_chunk_mut::<4>() {
        *first = (1 << 24 | length).to_be_bytes();
    }
}

fn split_header(header: &[u8; HEADER_LEN]) -> ([u8; 8], [u32; 3]) {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *header;
    let [i, j, k, l, m, n, o, p, q, r, s, t] = rest;
    let word = u32::from_be_bytes;
    (
        [a, b, c, d, e, f, g, h],
        [word([i, j, k, l]), word([m, n, o, p]), word([q, r, s, t])],
    )
}
