//! The commands of the base protocol itself, RFC 6733 §5: between the two ends of one connection.

mod capabilities;
mod disconnect;
mod watchdog;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::message::ApplicationId;

pub use capabilities::{Capabilities, CapabilitiesAnswer, VendorApplication};
pub use disconnect::{DisconnectCause, DisconnectPeerAnswer, DisconnectPeerRequest};
pub use watchdog::{DeviceWatchdogAnswer, DeviceWatchdogRequest};

/// The AVP by which a message names its application: Vendor-Specific-Application-Id for a vendor's
/// application, Auth-Application-Id else.
pub fn vendor_application(application: ApplicationId) -> Avp {
    let auth = Avp::u32(&d::AUTH_APPLICATION_ID, application.0);
    match application.vendor() {
        None => auth,
        Some(vendor) => Avp::group(
            &d::VENDOR_SPECIFIC_APPLICATION_ID,
            &[Avp::u32(&d::VENDOR_ID, vendor), auth],
        ),
    }
}
