//! Delete PDN Connection Set Request and Response, TS 29.274 §7.9.1 and §7.9.2.

use alloc::vec::Vec;

use super::Reject;
use super::presence::{self, ReferencePoint};
use crate::c::ie::{CauseIe, FqCsid, Ie, Ies, Recovery, ie_type, write, write_option};
use crate::octets::Reader;

/// Identifiers of one kind that are read of a message: a part of a node rarely has more sets.
const CSIDS_MAX: usize = 16;

/// Delete PDN Connection Set Request, TS 29.274 Table 7.9.1-1: a part of a node went down, and
/// the connections of these sets with it. Its header has no TEID but zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletePdnConnectionSetRequest {
    /// Sets of an MME.
    pub mme: Vec<FqCsid>,
    /// Sets of an SGW.
    pub sgw: Vec<FqCsid>,
    /// Sets of a PGW.
    pub pgw: Vec<FqCsid>,
}

fn sets(ies: &Ies<'_>, instance: u8) -> Result<Vec<FqCsid>, Reject> {
    ies.all(ie_type::FQ_CSID, instance)
        .take(CSIDS_MAX)
        .map(|octets| {
            let ie = (ie_type::FQ_CSID, instance);
            FqCsid::decode(&mut Reader::new(octets)).map_err(|f| Reject::fault(ie, f, "FQ-CSID"))
        })
        .collect()
}

impl DeletePdnConnectionSetRequest {
    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check(presence::DELETE_PDN_CONNECTION_SET_REQUEST, on, ies)?;
        // What could not be read here would leave dead connections.
        let request = Self {
            mme: sets(ies, 0)?,
            sgw: sets(ies, 1)?,
            pgw: sets(ies, 2)?,
        };
        if request == Self::default() {
            let ie = (ie_type::FQ_CSID, 1);
            return Err(Reject::conditional(ie, "FQ-CSID"));
        }
        Ok(request)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for (instance, sets) in (0..).zip([&self.mme, &self.sgw, &self.pgw]) {
            for set in sets {
                write::<FqCsid>(out, instance, set);
            }
        }
    }
}

/// Delete PDN Connection Set Response, TS 29.274 Table 7.9.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletePdnConnectionSetResponse {
    /// Whether the connections are being deleted.
    pub cause: CauseIe,
    /// The sender's restart counter.
    pub recovery: Option<u8>,
}

impl DeletePdnConnectionSetResponse {
    /// A response with a cause and nothing else.
    pub const fn new(cause: CauseIe) -> Self {
        Self {
            cause,
            recovery: None,
        }
    }

    pub(super) fn decode(ies: &Ies<'_>, on: ReferencePoint) -> Result<Self, Reject> {
        presence::check_response(presence::DELETE_PDN_CONNECTION_SET_RESPONSE, on, ies)?;
        Ok(Self {
            cause: ies.mandatory::<CauseIe>(0)?,
            recovery: ies.optional::<Recovery>(0),
        })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        write::<CauseIe>(out, 0, &self.cause);
        write_option::<Recovery>(out, 0, self.recovery.as_ref());
    }
}
