//! Information elements, one to a file. Each is the *value part* of its element: the IEI and the
//! length belong to the message that carries it.

mod access_point_name;
mod apn_ambr;
mod digits;
mod eps_mobile_identity;
mod eps_qos;
mod gprs_timer;
mod imeisv;
mod ksi;
mod mobile_identity;
mod pdn_address;
mod pdn_type;
mod plmn_list;
mod request_type;
mod res;
mod tai;
mod tai_list;
mod ue_network_capability;
mod ue_security_capability;

pub use eps_mobile_identity::EpsMobileIdentity;
pub use eps_qos::EpsQos;
pub use gprs_timer::{GprsTimer, GprsTimer2, GprsTimer3};
pub use imeisv::{Imeisv, InvalidImeisv};
pub use ksi::Ksi;
pub use mobile_identity::{IdentityType, MobileIdentity};
pub use pdn_address::PdnAddress;
pub use pdn_type::PdnType;
pub use request_type::RequestType;
pub use res::Res;
pub use tai_list::TaiList;
pub use ue_network_capability::UeNetworkCapability;
pub use ue_security_capability::UeSecurityCapability;

pub(crate) use access_point_name::{decode_apn, encode_apn};
pub(crate) use apn_ambr::{decode_ambr, encode_ambr};
pub(crate) use eps_mobile_identity::{decode_guti, encode_guti};
pub(crate) use plmn_list::{decode_plmns, encode_plmns};
pub(crate) use tai::{decode_tai, encode_tai};
