use alloc::vec::Vec;
use core::net::IpAddr;

use heiiki_types::Teid;

use super::extension::{self, Extensions};
use super::header::{
    E, ECHO_REQUEST, ECHO_RESPONSE, END_MARKER, ERROR_INDICATION, G_PDU, Header, S,
    SUPPORTED_EXTENSION_HEADERS, VERSION_AND_PROTOCOL,
};
use crate::error::{DecodeError, What};
use crate::octets::{Reader, patch_length};

/// A GTP-U message, TS 29.281 §6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Echo Request, TS 29.281 §7.2.1.
    EchoRequest {
        /// Comes back in the response.
        seq: u16,
    },
    /// Echo Response, TS 29.281 §7.2.2. Its Recovery element is zero and means nothing: restarts
    /// show in GTP-C.
    EchoResponse {
        /// The request's.
        seq: u16,
    },
    /// Error Indication, TS 29.281 §7.3.1: a G-PDU came for a tunnel that is not there.
    ErrorIndication {
        /// Not evaluated.
        seq: u16,
        /// The TEID of that G-PDU (Tunnel Endpoint Identifier Data I).
        teid: Teid,
        /// The address that it was sent to (GTP-U Peer Address).
        peer: IpAddr,
        /// The port that it came from, if the sender says so.
        udp_port: Option<u16>,
    },
    /// Supported Extension Headers Notification, TS 29.281 §7.2.3.
    SupportedExtensionHeaders {
        /// The types of the extension headers that the sender understands.
        types: &'a [u8],
    },
    /// End Marker, TS 29.281 §7.3.2: nothing follows on this path of the tunnel.
    EndMarker {
        /// The tunnel.
        teid: Teid,
    },
    /// G-PDU: a user packet.
    GPdu {
        /// The tunnel.
        teid: Teid,
        /// The sequence number, when the sender numbers its packets.
        sequence: Option<u16>,
        /// The user packet.
        payload: &'a [u8],
    },
}

/// Tunnel Endpoint Identifier Data I, TV, four octets (TS 29.281 §8.3).
const IE_TEID_DATA_I: u8 = 16;
/// Recovery, TV, one octet (TS 29.281 §8.2).
const IE_RECOVERY: u8 = 14;
/// GTP-U Peer Address, TLV (TS 29.281 §8.4).
const IE_PEER_ADDRESS: u8 = 133;
/// Extension Header Type List, type, one octet of length, list (TS 29.281 §8.5).
const IE_EXTENSION_HEADERS: u8 = 141;

/// Takes any GTP-U datagram apart, flags, extension headers and all.
///
/// # Errors
///
/// [`What::ExtensionHeader`] asks for a Supported Extension Headers Notification
/// (TS 29.281 §5.2.1); everything else is for the counters.
pub fn decode(octets: &[u8]) -> Result<Message<'_>, DecodeError> {
    let mut reader = Reader::new(octets);
    let header = Header::decode(&mut reader)?;
    let extensions = match header.extension {
        Some(first) => Extensions::decode(&mut reader, first)?,
        None => Extensions::default(),
    };
    let tunnel = || Teid::new(header.teid).ok_or_else(|| DecodeError::new(4, What::Teid));
    let seq = header.sequence.unwrap_or(0);
    match header.message_type {
        ECHO_REQUEST => Ok(Message::EchoRequest { seq }),
        ECHO_RESPONSE => Ok(Message::EchoResponse { seq }),
        ERROR_INDICATION => error_indication(&mut reader, seq, extensions),
        SUPPORTED_EXTENSION_HEADERS => supported_extension_headers(&mut reader),
        END_MARKER => Ok(Message::EndMarker { teid: tunnel()? }),
        G_PDU => Ok(Message::GPdu {
            teid: tunnel()?,
            sequence: header.sequence,
            payload: reader.rest(),
        }),
        other => Err(DecodeError::new(1, What::MessageType(other))),
    }
}

/// The next information element: its type and value. Types below 128 have a fixed length and none
/// on the wire; one that is not known ends the reading (TS 29.281 §8.1).
fn element<'a>(reader: &mut Reader<'a>) -> Result<Option<(u8, &'a [u8])>, DecodeError> {
    if reader.is_empty() {
        return Ok(None);
    }
    let at = reader.at();
    let truncated = |_| DecodeError::new(at, What::Truncated);
    let ie = reader.u8().map_err(truncated)?;
    let length = match ie {
        IE_RECOVERY => 1,
        IE_TEID_DATA_I => 4,
        IE_EXTENSION_HEADERS => usize::from(reader.u8().map_err(truncated)?),
        0x80.. => usize::from(reader.u16().map_err(truncated)?),
        _ => return Ok(None),
    };
    let value = reader.take(length).map_err(truncated)?;
    Ok(Some((ie, value)))
}

fn error_indication<'a>(
    reader: &mut Reader<'a>,
    seq: u16,
    extensions: Extensions,
) -> Result<Message<'a>, DecodeError> {
    let (mut teid, mut peer) = (None, None);
    loop {
        let at = reader.at();
        let Some((ie, value)) = element(reader)? else {
            break;
        };
        let bad = DecodeError::new(at, What::BadIe(ie));
        match ie {
            IE_TEID_DATA_I if teid.is_none() => {
                let value = value.first_chunk::<4>().ok_or(bad)?;
                teid = Some(Teid::new(u32::from_be_bytes(*value)).ok_or(bad)?);
            }
            IE_PEER_ADDRESS if peer.is_none() => {
                let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
                let v6 = || <[u8; 16]>::try_from(value).map(IpAddr::from);
                peer = Some(v4.or_else(|_| v6()).map_err(|_| bad)?);
            }
            _ => {}
        }
    }
    let missing = |ie| DecodeError::new(reader.at(), What::MissingIe(ie));
    Ok(Message::ErrorIndication {
        seq,
        teid: teid.ok_or_else(|| missing(IE_TEID_DATA_I))?,
        peer: peer.ok_or_else(|| missing(IE_PEER_ADDRESS))?,
        udp_port: extensions.udp_port,
    })
}

fn supported_extension_headers<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, DecodeError> {
    while let Some((ie, types)) = element(reader)? {
        if ie == IE_EXTENSION_HEADERS {
            return Ok(Message::SupportedExtensionHeaders { types });
        }
    }
    let missing = What::MissingIe(IE_EXTENSION_HEADERS);
    Err(DecodeError::new(reader.at(), missing))
}

/// Writes a message. S is set where TS 29.281 §5.1 wants it: in Echo and Error Indication, and in a
/// G-PDU with a sequence number. A user packet longer than 65,531 octets, or a list of more than
/// 255 extension headers, does not fit its length field.
pub fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    match *message {
        Message::EchoRequest { seq } => start(&mut out, ECHO_REQUEST, 0, Some(seq), None),
        Message::EchoResponse { seq } => {
            start(&mut out, ECHO_RESPONSE, 0, Some(seq), None);
            out.extend([IE_RECOVERY, 0]);
        }
        Message::ErrorIndication {
            seq,
            teid,
            peer,
            udp_port,
        } => {
            start(&mut out, ERROR_INDICATION, 0, Some(seq), udp_port);
            out.push(IE_TEID_DATA_I);
            out.extend(teid.get().to_be_bytes());
            match peer {
                IpAddr::V4(a) => {
                    out.extend([IE_PEER_ADDRESS, 0, 4]);
                    out.extend(a.octets());
                }
                IpAddr::V6(a) => {
                    out.extend([IE_PEER_ADDRESS, 0, 16]);
                    out.extend(a.octets());
                }
            }
        }
        Message::SupportedExtensionHeaders { types } => {
            start(&mut out, SUPPORTED_EXTENSION_HEADERS, 0, Some(0), None);
            let length = u8::try_from(types.len()).unwrap_or(u8::MAX);
            out.extend([IE_EXTENSION_HEADERS, length]);
            out.extend(types.iter().take(usize::from(length)));
        }
        Message::EndMarker { teid } => start(&mut out, END_MARKER, teid.get(), None, None),
        Message::GPdu {
            teid,
            sequence,
            payload,
        } => {
            start(&mut out, G_PDU, teid.get(), sequence, None);
            out.extend(payload);
        }
    }
    patch_length(&mut out, 2, 8);
    out
}

/// Writes the header and the extension header, with a length of zero.
fn start(
    out: &mut Vec<u8>,
    message_type: u8,
    teid: u32,
    sequence: Option<u16>,
    udp_port: Option<u16>,
) {
    let s = if sequence.is_some() { S } else { 0 };
    let e = if udp_port.is_some() { E } else { 0 };
    out.extend([VERSION_AND_PROTOCOL | e | s, message_type, 0, 0]);
    out.extend(teid.to_be_bytes());
    if s | e == 0 {
        return;
    }
    out.extend(sequence.unwrap_or(0).to_be_bytes());
    let next = udp_port.map_or(0, |_| extension::UDP_PORT);
    out.extend([0, next]);
    if let Some(port) = udp_port {
        out.extend(extension::udp_port(port));
    }
}
