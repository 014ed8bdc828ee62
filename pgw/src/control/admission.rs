//! Whether a Create Session Request may have what it asks for, by the message, the configuration and
//! the UE's other sessions alone: nothing here takes a resource.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use heiiki_gtp::c::{
    BearerContextToBeCreated, Cause, CreateSessionRequest, FTeid, Indication, IndicationFlag,
    Interface, Paa, PdnType, Reject, RequestHandle, ie_type,
};
use heiiki_gtp::pco::{Form, Offer, Pco, Verdict};
use heiiki_types::{Ambr, Imsi, Prefix64, UeAddresses};

use super::Control;
use super::pool::Asked;
use super::session::TunnelEnd;
use crate::config::{Access, AccessId, Authentication, Families, SelectionMode};

/// A request that passed every check that needs no resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) imsi: Imsi,
    pub(super) access: AccessId,
    pub(super) sgw_c: TunnelEnd,
    pub(super) sgw_u: TunnelEnd,
    pub(super) asked: Asked,
    pub(super) cause: Cause,
    /// What became of the UE's name and password.
    pub(super) verdict: Verdict,
}

impl Wanted {
    /// Whether a session has what this request asks for.
    pub(super) fn is_met_by(&self, addresses: UeAddresses) -> bool {
        let v6 = addresses.v6().map(|v6| v6.prefix);
        let half = |asked: Option<bool>, has: bool| asked.map_or(!has, |same| has && same);
        let v4 = self
            .asked
            .v4
            .map(|wanted| wanted.is_none_or(|a| Some(a) == addresses.v4()));
        let prefix = self
            .asked
            .v6
            .map(|wanted| wanted.is_none_or(|p| Some(p) == v6));
        half(v4, addresses.v4().is_some()) && half(prefix, v6.is_some())
    }

    /// Whether a session has an address of a family that this request asks for.
    pub(super) fn overlaps(&self, addresses: UeAddresses) -> bool {
        self.asked.v4.is_some() && addresses.v4().is_some()
            || self.asked.v6.is_some() && addresses.v6().is_some()
    }
}

const fn wrong(cause: Cause, ie: (u8, u8), why: &'static str) -> Reject {
    Reject {
        cause,
        ie: Some(ie),
        why,
    }
}

const fn end(f_teid: &FTeid) -> TunnelEnd {
    TunnelEnd {
        address: f_teid.address.ip(),
        teid: f_teid.teid,
    }
}

/// Whether an access point with this APN Restriction may join sessions whose strictest one is
/// `maximum`, TS 29.274 Table 8.57-1. An access point without a restriction joins all but the
/// private ones that bear no other; spare values count as the strictest.
const fn restriction_fits(maximum: u8, own: u8) -> bool {
    match maximum {
        0 => true,
        1 => own <= 3,
        2 => own <= 2,
        3 => own <= 1,
        _ => false,
    }
}

impl Control {
    pub(super) fn check_create(
        &self,
        handle: RequestHandle,
        request: &CreateSessionRequest,
    ) -> Result<Wanted, Reject> {
        let imsi = request.imsi.ok_or(wrong(
            Cause::CONDITIONAL_IE_MISSING,
            (ie_type::IMSI, 0),
            "IMSI",
        ))?;
        if has_flag(request, IndicationFlag::UNAUTHENTICATED_IMSI) {
            let cause = Cause::USER_AUTHENTICATION_FAILED;
            return Err(Reject::new(cause, "the IMSI is not authenticated"));
        }
        let source = handle.remote.ip();
        let sgw_c = self.sgw_end(source, &request.sender_f_teid, Interface::S5S8_SGW_GTPC)?;
        let (access_id, access) = self.network.access_of(&request.apn).ok_or(wrong(
            Cause::MISSING_OR_UNKNOWN_APN,
            (ie_type::APN, 0),
            "unknown APN",
        ))?;
        let mode = request.selection_mode.ok_or(wrong(
            Cause::CONDITIONAL_IE_MISSING,
            (ie_type::SELECTION_MODE, 0),
            "Selection Mode",
        ))?;
        if !access.config.selection_modes.contains(&SelectionMode(mode)) {
            let cause = Cause::APN_ACCESS_DENIED_NO_SUBSCRIPTION;
            return Err(Reject::new(cause, "the subscription does not have the APN"));
        }
        let bearer = default_bearer(request)?;
        let maximum = request.maximum_apn_restriction.unwrap_or(0);
        if !restriction_fits(maximum, access.config.apn_restriction) {
            return Err(Reject::new(
                Cause::APN_RESTRICTION_TYPE_INCOMPATIBLE,
                "the UE has sessions that this APN does not bear",
            ));
        }
        let (asked, cause) = grant(access, request)?;
        let sgw_u = bearer.s5s8_u_sgw_f_teid.as_ref();
        let sgw_u = sgw_u.ok_or(Reject {
            cause: Cause::CONDITIONAL_IE_MISSING,
            ie: Some((ie_type::BEARER_CONTEXT, 0)),
            why: "S5/S8-U SGW F-TEID",
        })?;
        let sgw_u = self.sgw_end(source, sgw_u, Interface::S5S8_SGW_GTPU)?;
        let verdict = authenticate(access, request)?;
        let wanted = Wanted {
            imsi,
            access: access_id,
            sgw_c,
            sgw_u,
            asked,
            cause,
            verdict,
        };
        self.check_second(&wanted, bearer)?;
        Ok(wanted)
    }

    /// A second session of a SIM at one access point: not for a family that the first one has. One
    /// that another SGW has is stale, and so is one with the same default bearer: those are
    /// replaced.
    fn check_second(
        &self,
        wanted: &Wanted,
        bearer: &BearerContextToBeCreated,
    ) -> Result<(), Reject> {
        let is_second = self.sessions.of_imsi(wanted.imsi).any(|l| {
            l.access == wanted.access
                && l.session.ebi != bearer.ebi
                && l.session.sgw_c.address == wanted.sgw_c.address
                && !l.is_leaving()
                && wanted.overlaps(l.session.addresses)
        });
        if is_second {
            return Err(Reject::new(
                Cause::MULTIPLE_PDN_CONNECTIONS_FOR_A_GIVEN_APN_NOT_ALLOWED,
                "the SIM has a session at this APN",
            ));
        }
        Ok(())
    }

    /// The end that an F-TEID names, if it is of the right kind and the sending SGW's own: nobody
    /// may point a tunnel, and what is in it, at somebody else.
    ///
    /// The control plane is where the request comes from. The user plane may be at another address:
    /// one of the same entry on the list of SGWs, which is not another SGW that has sessions here.
    pub(super) fn sgw_end(
        &self,
        source: IpAddr,
        f_teid: &FTeid,
        interface: Interface,
    ) -> Result<TunnelEnd, Reject> {
        let end = end(f_teid);
        let is_control = interface == Interface::S5S8_SGW_GTPC;
        let ie = if is_control {
            (ie_type::F_TEID, 0)
        } else {
            (ie_type::BEARER_CONTEXT, 0)
        };
        if f_teid.interface != interface {
            return Err(wrong(
                Cause::MANDATORY_IE_INCORRECT,
                ie,
                "F-TEID of another interface",
            ));
        }
        let is_own = end.address == source
            || !is_control
                && self.is_same_entry(source, end.address)
                && self.sessions.of_sgw(end.address).next().is_none();
        if !is_own {
            return Err(wrong(
                Cause::MANDATORY_IE_INCORRECT,
                ie,
                "F-TEID that is not the sender's own",
            ));
        }
        Ok(end)
    }
}

fn has_flag(request: &CreateSessionRequest, flag: IndicationFlag) -> bool {
    let flags: Option<&Indication> = request.indication.as_ref();
    flags.is_some_and(|i| i.has(flag))
}

/// What can be granted of the PDN type that was asked for, and the cause that says so
/// (TS 23.401 §5.3.1.1, TS 29.274 §8.4).
fn grant(access: &Access, request: &CreateSessionRequest) -> Result<(Asked, Cause), Reject> {
    let type_asked = request.pdn_type.or_else(|| request.paa.map(Paa::pdn_type));
    let type_asked = type_asked.ok_or(wrong(
        Cause::CONDITIONAL_IE_MISSING,
        (ie_type::PAA, 0),
        "PDN Address Allocation",
    ))?;
    let (v4, v6) = match access.families() {
        Families::V4 => (true, false),
        Families::V6 => (false, true),
        Families::Both => (true, true),
    };
    let refused = Reject::new(
        Cause::PREFERRED_PDN_TYPE_NOT_SUPPORTED,
        "the APN does not hand out this kind of address",
    );
    let dual = has_flag(request, IndicationFlag::DUAL_ADDRESS_BEARER);
    let narrowed = Cause::NEW_PDN_TYPE_DUE_TO_NETWORK_PREFERENCE;
    let single = Cause::NEW_PDN_TYPE_DUE_TO_SINGLE_ADDRESS_BEARER_ONLY;
    let (use_v4, use_v6, cause) = match type_asked {
        PdnType::V4 if v4 => (true, false, Cause::REQUEST_ACCEPTED),
        PdnType::V6 if v6 => (false, true, Cause::REQUEST_ACCEPTED),
        PdnType::V4V6 if v4 && v6 && dual => (true, true, Cause::REQUEST_ACCEPTED),
        PdnType::V4V6 if v4 && v6 => (true, false, single),
        PdnType::V4V6 => (v4, v6, narrowed),
        _ => return Err(refused),
    };
    let (static_v4, static_v6) = static_parts(request.paa)?;
    let asked = Asked {
        v4: use_v4.then_some(static_v4),
        v6: use_v6.then_some(static_v6),
    };
    Ok((asked, cause))
}

/// The static address and the static prefix of a request. An IPv6 prefix has 64 bits
/// (TS 29.274 §8.14); zeros ask for any.
fn static_parts(paa: Option<Paa>) -> Result<(Option<Ipv4Addr>, Option<Prefix64>), Reject> {
    let v4 = paa.and_then(Paa::v4).filter(|a| !a.is_unspecified());
    let v6 = match paa {
        Some(Paa::V6 { prefix, length } | Paa::V4V6 { prefix, length, .. }) => {
            let network = Prefix64::of(prefix);
            if network.to_bits() != 0 && length != 64 {
                return Err(wrong(
                    Cause::CONDITIONAL_IE_MISSING,
                    (ie_type::PAA, 0),
                    "an IPv6 prefix of a UE has 64 bits",
                ));
            }
            (network.to_bits() != 0).then_some(network)
        }
        _ => None,
    };
    Ok((v4, v6))
}

pub(super) fn default_bearer(
    request: &CreateSessionRequest,
) -> Result<&BearerContextToBeCreated, Reject> {
    match request.bearer_contexts.as_slice() {
        [bearer] => Ok(bearer),
        [] => Err(wrong(
            Cause::MANDATORY_IE_MISSING,
            (ie_type::BEARER_CONTEXT, 0),
            "Bearer Context",
        )),
        _ => Err(wrong(
            Cause::MANDATORY_IE_INCORRECT,
            (ie_type::BEARER_CONTEXT, 0),
            "a new session has one bearer",
        )),
    }
}

/// The smaller of what was asked for and what the access point grants.
pub(super) fn limit(asked: Option<Ambr>, most: Option<Ambr>) -> Option<Ambr> {
    match (asked, most) {
        (Some(a), Some(m)) => Some(Ambr {
            uplink_bps: a.uplink_bps.min(m.uplink_bps),
            downlink_bps: a.downlink_bps.min(m.downlink_bps),
        }),
        (a, m) => a.or(m),
    }
}

/// The options of a request in the one form that counts: the extended one where everybody between
/// takes it.
fn options(request: &CreateSessionRequest) -> Option<Pco> {
    let extended = request.epco.as_deref();
    let short = request.pco.as_deref().or(request.apco.as_deref());
    extended
        .and_then(|octets| Pco::decode_as(Form::Extended, octets).ok())
        .or_else(|| Pco::decode(short?).ok())
}

/// What becomes of the name and the password that a UE sends. Whoever cannot be checked is not
/// admitted.
fn authenticate(access: &Access, request: &CreateSessionRequest) -> Result<Verdict, Reject> {
    let users = match &access.config.authentication {
        Authentication::None => return Ok(Verdict::Ignored),
        Authentication::Accept => return Ok(Verdict::Accepted),
        Authentication::Users(users) => users,
    };
    let options = options(request);
    let credentials = options.as_ref().and_then(Pco::credentials);
    if credentials.is_some_and(|c| users.iter().any(|user| user.is(&c))) {
        return Ok(Verdict::Accepted);
    }
    Err(Reject::new(
        Cause::USER_AUTHENTICATION_FAILED,
        "no user of this APN has sent this name and password",
    ))
}

/// What the UE is told, in each of the three forms in which a request may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) pco: Option<Vec<u8>>,
    pub(crate) apco: Option<Vec<u8>>,
    pub(crate) epco: Option<Vec<u8>>,
}

impl Options {
    /// Answers to what can be read of the options of a request.
    pub(super) fn answer(
        access: &Access,
        request: &CreateSessionRequest,
        addresses: UeAddresses,
        verdict: Verdict,
    ) -> Self {
        let config = &access.config;
        let offer = Offer {
            address: addresses.v4(),
            dns_v4: &config.dns,
            dns_v6: &config.dns_v6,
            p_cscf_v4: &config.p_cscf_v4,
            p_cscf_v6: &config.p_cscf_v6,
            mtu: Some(config.mtu),
            network_bearers: true,
            verdict,
        };
        let answer = |form, octets: Option<&[u8]>| {
            let asked = Pco::decode_as(form, octets?).ok()?;
            Some(asked.answer(form, &offer)?.encode_as(form))
        };
        let extended = has_flag(request, IndicationFlag::EXTENDED_PCO_SUPPORT);
        Self {
            pco: answer(Form::Short, request.pco.as_deref()),
            apco: answer(Form::Short, request.apco.as_deref()),
            epco: answer(Form::Extended, request.epco.as_deref().filter(|_| extended)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS 29.274 Table 8.57-1.
    #[test]
    fn apn_restrictions_combine_as_in_the_table() {
        // Rows: the maximum in force; columns: the new one, 0 to 4.
        let table = [
            [true, true, true, true, true],
            [true, true, true, true, false],
            [true, true, true, false, false],
            [true, true, false, false, false],
            [false, false, false, false, false],
        ];
        for (maximum, row) in (0..).zip(table) {
            for (own, fits) in (0..).zip(row) {
                assert_eq!(restriction_fits(maximum, own), fits, "{maximum} {own}");
            }
        }
        assert!(
            !restriction_fits(5, 0) && !restriction_fits(255, 1),
            "spare"
        );
    }
}
