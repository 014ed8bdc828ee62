use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::result::AnswerError;

/// Supported-Features, TS 29.229 §6.3.29.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeatures {
    /// The vendor of the list.
    pub vendor: u32,
    /// Feature-List-ID.
    pub list_id: u32,
    /// Feature-List, one bit a feature.
    pub features: u32,
}

/// Bits of Feature-List with Feature-List-ID 1, TS 29.272 §7.3.10.
pub mod feature_list_1 {
    /// Barring of every packet service.
    pub const ODB_ALL_APN: u32 = 1;
    /// Barring of the home network's access points while roaming.
    pub const ODB_HPLMN_APN: u32 = 1 << 1;
    /// Barring of the visited network's access points.
    pub const ODB_VPLMN_APN: u32 = 1 << 2;
    /// Zones that the subscriber may be in.
    pub const REGIONAL_SUBSCRIPTION: u32 = 1 << 9;
    /// The MME tells when a UE can be reached.
    pub const UE_REACHABILITY_NOTIFICATION: u32 = 1 << 26;
    /// The MME tells state and place of a UE.
    pub const STATE_AND_LOCATION_RETRIEVAL: u32 = 1 << 28;
}

impl SupportedFeatures {
    /// List 1 of 3GPP with these bits.
    pub const fn list_1(features: u32) -> Self {
        Self {
            vendor: d::VENDOR_3GPP,
            list_id: 1,
            features,
        }
    }

    /// The bits of list 1 of 3GPP among several lists, if it is there.
    pub fn in_list_1(lists: &[Self]) -> Option<u32> {
        let own = |l: &&Self| l.vendor == d::VENDOR_3GPP && l.list_id == 1;
        lists.iter().find(own).map(|l| l.features)
    }

    pub(super) fn to_avp(self) -> Avp {
        Avp::group(
            &d::SUPPORTED_FEATURES,
            &[
                Avp::u32(&d::VENDOR_ID, self.vendor),
                Avp::u32(&d::FEATURE_LIST_ID, self.list_id),
                Avp::u32(&d::FEATURE_LIST, self.features),
            ],
        )
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        Ok(Self {
            vendor: f.required(&d::VENDOR_ID)?,
            list_id: f.required(&d::FEATURE_LIST_ID)?,
            features: f.required(&d::FEATURE_LIST)?,
        })
    }
}
