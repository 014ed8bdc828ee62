use alloc::vec::Vec;

use heiiki_types::{Guti, PlmnId};

use super::EmmCause;
use crate::ie::{decode_guti, decode_plmns, encode_guti, encode_plmns};
use crate::octets::{Reader, lv, lv_e, tlv, tv};
use crate::options::Format::{Half, Tlv, TlvE, Tv};
use crate::options::{Options, Table};
use crate::{DecodeError, GprsTimer, GprsTimer3, TaiList};

/// ATTACH ACCEPT, TS 24.301 §8.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachAccept {
    /// For what the UE is registered, 0 to 7 (§9.9.3.10): the constants of this type.
    pub result: u8,
    /// How often an idle UE updates its tracking area.
    pub t3412: GprsTimer,
    /// Where the UE may move without an update.
    pub tai_list: TaiList,
    /// The ESM message that sets up the default bearer.
    pub esm_container: Vec<u8>,
    /// The temporary identity that the UE uses from now on.
    pub guti: Option<Guti>,
    /// Why a combined attach succeeded for EPS alone.
    pub emm_cause: Option<EmmCause>,
    /// How long a UE waits after five failed attempts.
    pub t3402: Option<GprsTimer>,
    /// How long a UE stays registered when periodic updates fail.
    pub t3423: Option<GprsTimer>,
    /// Networks that count as the same one; at most 15.
    pub equivalent_plmns: Vec<PlmnId>,
    /// What the network can do, as it came (§9.9.3.12A): 1 or 2 octets.
    pub eps_network_feature_support: Option<Vec<u8>>,
    /// Replaces `t3412` when it is there.
    pub t3412_extended: Option<GprsTimer3>,
}

const GUTI: u8 = 0x50;
const EMM_CAUSE: u8 = 0x53;
const T3402: u8 = 0x17;
const T3423: u8 = 0x59;
const EQUIVALENT_PLMNS: u8 = 0x4a;
const EPS_NETWORK_FEATURE_SUPPORT: u8 = 0x64;
const T3412_EXTENDED: u8 = 0x5e;

const OPTIONAL: Table = &[
    (GUTI, Tlv),
    (0x13, Tv(5)),
    (0x23, Tlv),
    (EMM_CAUSE, Tv(1)),
    (T3402, Tv(1)),
    (T3423, Tv(1)),
    (EQUIVALENT_PLMNS, Tlv),
    (0x34, Tlv),
    (EPS_NETWORK_FEATURE_SUPPORT, Tlv),
    (0xf0, Half),
    (T3412_EXTENDED, Tlv),
    (0x6a, Tlv),
    (0x6e, Tlv),
    (0x65, Tlv),
    (0xe0, Half),
    (0xd0, Half),
    (0x6b, Tlv),
    (0xc0, Half),
    (0x6c, Tlv),
    (0x7a, TlvE),
    (0x7c, TlvE),
    (0x66, Tlv),
    (0xb0, Half),
    (0x35, Tlv),
    (0x36, Tlv),
    (0x38, Tlv),
    (0x1d, Tlv),
    (0x1e, Tlv),
];

impl AttachAccept {
    /// Registered for EPS services.
    pub const EPS_ONLY: u8 = 1;
    /// Registered for EPS and circuit-switched services.
    pub const COMBINED: u8 = 2;

    /// The answer to an EPS attach, with nothing optional in it.
    pub const fn new(t3412: GprsTimer, tai_list: TaiList, esm_container: Vec<u8>) -> Self {
        Self {
            result: Self::EPS_ONLY,
            t3412,
            tai_list,
            esm_container,
            guti: None,
            emm_cause: None,
            t3402: None,
            t3423: None,
            equivalent_plmns: Vec::new(),
            eps_network_feature_support: None,
            t3412_extended: None,
        }
    }

    pub(crate) fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let result = r.u8()? & 7;
        let t3412 = GprsTimer::from_octet(r.u8()?);
        let tai_list = r.lv_as(TaiList::decode)?;
        let esm_container = r.lv_e()?.to_vec();
        let options = Options::read(r, OPTIONAL)?;
        Ok(Self {
            result,
            t3412,
            tai_list,
            esm_container,
            guti: options.read_as(GUTI, decode_guti),
            emm_cause: options.octet(EMM_CAUSE).map(EmmCause),
            t3402: options.octet(T3402).map(GprsTimer::from_octet),
            t3423: options.octet(T3423).map(GprsTimer::from_octet),
            equivalent_plmns: options
                .read_as(EQUIVALENT_PLMNS, decode_plmns)
                .unwrap_or_default(),
            eps_network_feature_support: options.octets(EPS_NETWORK_FEATURE_SUPPORT, 1, 2),
            t3412_extended: options.octet(T3412_EXTENDED).map(GprsTimer3::from_octet),
        })
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.result & 7, self.t3412.octet()]);
        lv(out, &self.tai_list.encode());
        lv_e(out, &self.esm_container);
        let guti = self.guti.as_ref().map(encode_guti);
        tlv(out, GUTI, guti.as_deref(), 11);
        tv(out, EMM_CAUSE, self.emm_cause.map(|c| c.0));
        tv(out, T3402, self.t3402.map(GprsTimer::octet));
        tv(out, T3423, self.t3423.map(GprsTimer::octet));
        let plmns = encode_plmns(&self.equivalent_plmns);
        let plmns = Some(plmns.as_slice()).filter(|p| !p.is_empty());
        tlv(out, EQUIVALENT_PLMNS, plmns, 45);
        let features = self.eps_network_feature_support.as_deref();
        tlv(out, EPS_NETWORK_FEATURE_SUPPORT, features, 2);
        let t3412_extended = self.t3412_extended.map(|t| [t.octet()]);
        tlv(
            out,
            T3412_EXTENDED,
            t3412_extended.as_ref().map(<[u8; 1]>::as_slice),
            1,
        );
    }
}
