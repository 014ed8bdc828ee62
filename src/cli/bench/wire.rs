//! Diameter as this tool speaks it: written out by hand, so that a mistake of the server's codec
//! is not repeated here.

/// The client's Diameter identity.
pub(super) const HOST: &str = "mme.epc.mnc001.mcc001.3gppnetwork.org";
/// Its realm.
pub(super) const REALM: &str = "epc.mnc001.mcc001.3gppnetwork.org";
/// The visited network, 001-01, as it goes into a request and into KASME.
pub(super) const PLMN: [u8; 3] = [0x00, 0xf1, 0x10];

const TGPP: u32 = 10_415;
const S6A: u32 = 16_777_251;
const CER: u32 = 257;
const DWR: u32 = 280;
const ULR: u32 = 316;
const CLR: u32 = 317;
const AIR: u32 = 318;
const DIGITS: usize = 15;

/// A message or the inside of a group being written.
struct Writer(Vec<u8>);

impl Writer {
    fn avp(&mut self, code: u32, vendor: Option<u32>, data: &[u8]) {
        let header = if vendor.is_some() { 12 } else { 8 };
        let flags: u32 = if vendor.is_some() { 0xc0 } else { 0x40 };
        let length = u32::try_from(header + data.len()).unwrap_or(0);
        self.0.extend_from_slice(&code.to_be_bytes());
        self.0
            .extend_from_slice(&(flags << 24 | length).to_be_bytes());
        if let Some(vendor) = vendor {
            self.0.extend_from_slice(&vendor.to_be_bytes());
        }
        self.0.extend_from_slice(data);
        while !self.0.len().is_multiple_of(4) {
            self.0.push(0);
        }
    }

    fn number(&mut self, code: u32, vendor: Option<u32>, value: u32) {
        self.avp(code, vendor, &value.to_be_bytes());
    }

    fn application(&mut self) {
        let mut group = Self(Vec::new());
        group.number(266, None, TGPP);
        group.number(258, None, S6A);
        self.avp(260, None, &group.0);
    }

    fn origin(&mut self) {
        self.avp(264, None, HOST.as_bytes());
        self.avp(296, None, REALM.as_bytes());
    }
}

fn message(flags: u8, command: u32, application: u32, ids: [u32; 2], body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(20 + body.len()).unwrap_or(0);
    let mut out = Vec::with_capacity(20 + body.len());
    out.extend_from_slice(&(1 << 24 | length).to_be_bytes());
    out.extend_from_slice(&(u32::from(flags) << 24 | command).to_be_bytes());
    for word in [application, ids[0], ids[1]] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// The capabilities exchange. A later `state` takes the place of an earlier connection.
pub(super) fn capabilities(state: u32) -> Vec<u8> {
    let mut w = Writer(Vec::new());
    w.origin();
    w.avp(257, None, &[0, 1, 127, 0, 0, 1]);
    w.number(266, None, 0);
    w.avp(269, None, b"bench-hss");
    w.number(278, None, state);
    w.number(265, None, TGPP);
    w.application();
    message(0x80, CER, 0, [1, 1], &w.0)
}

/// A request whose IMSI, session and identifiers are put into their places.
pub(super) struct Template {
    octets: Vec<u8>,
    session: usize,
    imsi: usize,
}

impl Template {
    fn new(command: u32, rest: impl FnOnce(&mut Writer)) -> Self {
        let mut w = Writer(Vec::new());
        let session = format!("{HOST};bench;0000000000");
        w.avp(263, None, session.as_bytes());
        let session = 20 + 8 + session.len() - 10;
        w.application();
        w.number(277, None, 1);
        w.origin();
        w.avp(283, None, REALM.as_bytes());
        let imsi = 20 + w.0.len() + 8;
        w.avp(1, None, &[b'0'; DIGITS]);
        rest(&mut w);
        Self {
            octets: message(0xc0, command, S6A, [0, 0], &w.0),
            session,
            imsi,
        }
    }

    /// Asks for one vector.
    pub(super) fn authentication() -> Self {
        Self::new(AIR, |w| {
            let mut group = Writer(Vec::new());
            group.number(1410, Some(TGPP), 1);
            group.number(1412, Some(TGPP), 1);
            w.avp(1408, Some(TGPP), &group.0);
            w.avp(1407, Some(TGPP), &PLMN);
        })
    }

    /// Registers the SIM here.
    pub(super) fn location() -> Self {
        Self::new(ULR, |w| {
            w.number(1032, Some(TGPP), 1004);
            w.number(1405, Some(TGPP), 0x22);
            w.avp(1407, Some(TGPP), &PLMN);
        })
    }

    /// Appends the request for `imsi` with the hop-by-hop identifier `id`.
    pub(super) fn write(&self, imsi: u64, id: u32, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend_from_slice(&self.octets);
        let Some(request) = out.get_mut(at..) else {
            return;
        };
        for place in [12, 16] {
            if let Some(word) = request.get_mut(place..place + 4) {
                word.copy_from_slice(&id.to_be_bytes());
            }
        }
        let mut digits = |at: usize, count: usize, mut value: u64| {
            for digit in request.get_mut(at..at + count).into_iter().flatten().rev() {
                *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
                value /= 10;
            }
        };
        digits(self.imsi, DIGITS, imsi);
        digits(self.session, 10, u64::from(id));
    }
}

/// The length that a message says it has.
pub(super) fn length(octets: &[u8]) -> Option<usize> {
    let [_, a, b, c] = *octets.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes([0, a, b, c]))
        .ok()
        .filter(|n| *n >= 20)
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// An answer to a request of ours.
    Answer {
        id: u32,
        /// Whether it answers an authentication request.
        authentication: bool,
        result: u32,
        session: &'a [u8],
        vector: Option<Vector<'a>>,
    },
    /// A request of the server: what it is answered with.
    Request(Vec<u8>),
    /// Something that has no business here.
    Strange,
}

/// The E-UTRAN-Vector of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vector<'a> {
    pub(super) rand: &'a [u8; 16],
    pub(super) xres: &'a [u8; 8],
    pub(super) autn: &'a [u8; 16],
    pub(super) kasme: &'a [u8; 32],
}

fn word(octets: &[u8], at: usize) -> u32 {
    octets
        .get(at..)
        .and_then(|o| o.first_chunk::<4>())
        .map_or(0, |w| u32::from_be_bytes(*w))
}

/// Walks AVPs: code with vendor, and data.
fn each<'a>(mut octets: &'a [u8], mut see: impl FnMut((u32, bool), &'a [u8])) {
    while octets.len() >= 8 {
        let (code, flags) = (word(octets, 0), word(octets, 4));
        let length = usize::try_from(flags & 0x00ff_ffff).unwrap_or(0);
        let vendor = flags & 0x8000_0000 != 0;
        let header = if vendor { 12 } else { 8 };
        let Some(data) = octets.get(header..length) else {
            return;
        };
        see((code, vendor), data);
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn vector(group: &[u8]) -> Option<Vector<'_>> {
    let (mut rand, mut xres, mut autn, mut kasme) = (None, None, None, None);
    each(group, |code, data| match code {
        (1447, true) => rand = data.try_into().ok(),
        (1448, true) => xres = data.try_into().ok(),
        (1449, true) => autn = data.try_into().ok(),
        (1450, true) => kasme = data.try_into().ok(),
        _ => {}
    });
    Some(Vector {
        rand: rand?,
        xres: xres?,
        autn: autn?,
        kasme: kasme?,
    })
}

/// Reads one message.
pub(super) fn read(octets: &[u8]) -> Received<'_> {
    let (flags, command) = (word(octets, 4) >> 24, word(octets, 4) & 0x00ff_ffff);
    let (application, hop, end) = (word(octets, 8), word(octets, 12), word(octets, 16));
    let body = octets.get(20..).unwrap_or_default();
    if flags & 0x80 != 0 {
        return request(command, [hop, end], body);
    }
    if hop != end || (application != S6A && command != CER) {
        return Received::Strange;
    }
    let (mut result, mut session, mut found) = (0, &[][..], None);
    each(body, |code, data| match code {
        (268, false) => result = word(data, 0),
        (263, false) => session = data,
        (297, false) => each(data, |inner, data| {
            if inner == (298, false) {
                result = word(data, 0);
            }
        }),
        (1413, true) => each(data, |inner, data| {
            if inner == (1414, true) {
                found = vector(data);
            }
        }),
        _ => {}
    });
    Received::Answer {
        id: hop,
        authentication: command == AIR,
        result,
        session,
        vector: found,
    }
}

fn request(command: u32, ids: [u32; 2], body: &[u8]) -> Received<'_> {
    let mut w = Writer(Vec::new());
    match command {
        DWR => {
            w.number(268, None, 2001);
            w.origin();
            Received::Request(message(0, DWR, 0, ids, &w.0))
        }
        CLR => {
            each(body, |code, data| {
                if code == (263, false) {
                    w.avp(263, None, data);
                }
            });
            w.application();
            w.number(268, None, 2001);
            w.number(277, None, 1);
            w.origin();
            Received::Request(message(0x40, CLR, S6A, ids, &w.0))
        }
        _ => Received::Strange,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heiiki_diameter::Message;
    use heiiki_diameter::base::Capabilities;
    use heiiki_diameter::s6a::{AuthenticationInformationRequest, UpdateLocationRequest};

    #[test]
    fn requests_are_what_the_specification_says() {
        let cer = Message::decode(&capabilities(7)).unwrap();
        let caps = Capabilities::from_request(&cer).unwrap();
        assert_eq!(caps.origin_host, HOST);
        assert_eq!(caps.origin_state_id, Some(7));
        let mut octets = Vec::new();
        Template::authentication().write(1_010_000_000_042, 99, &mut octets);
        assert_eq!(length(&octets), Some(octets.len()));
        let air = Message::decode(&octets).unwrap();
        let air = AuthenticationInformationRequest::from_message(&air).unwrap();
        assert_eq!(air.imsi.to_string(), "001010000000042");
        assert_eq!(air.session_id, format!("{HOST};bench;0000000099"));
        assert_eq!(air.visited_plmn, "00101".parse().unwrap());
        let mut octets = Vec::new();
        Template::location().write(1_010_000_000_007, 3, &mut octets);
        let ulr = Message::decode(&octets).unwrap();
        let ulr = UpdateLocationRequest::from_message(&ulr).unwrap();
        assert_eq!(ulr.imsi.to_string(), "001010000000007");
    }
}
