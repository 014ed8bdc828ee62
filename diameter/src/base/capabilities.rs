use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::avp::Avp;
use crate::dictionary as d;
use crate::fields::Fields;
use crate::message::{ApplicationId, CommandCode, Flags, Message};
use crate::result::{AnswerError, AnswerResult};

/// Inband-Security-Id: no security mechanism of Diameter's own.
pub(crate) const NO_INBAND_SECURITY: u32 = 0;

/// Vendor-Specific-Application-Id, RFC 6733 §6.11. Its members come in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorApplication {
    /// The vendor. RFC 6733 wants one; older peers may send none or several, of which the first
    /// counts.
    pub vendor: Option<u32>,
    /// Auth-Application-Id.
    pub auth: Option<ApplicationId>,
    /// Acct-Application-Id.
    pub acct: Option<ApplicationId>,
}

/// What a node says of itself in CER and CEA, RFC 6733 §5.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The node.
    pub origin_host: String,
    /// Its realm.
    pub origin_realm: String,
    /// Its addresses, at least one.
    pub host_ips: Vec<IpAddr>,
    /// Who made it; 0 when that has no number.
    pub vendor_id: u32,
    /// What it calls itself.
    pub product_name: String,
    /// Rises when the state of the node was lost.
    pub origin_state_id: Option<u32>,
    /// Vendors whose AVPs it understands.
    pub supported_vendors: Vec<u32>,
    /// Auth-Application-Id at the top level.
    pub auth_applications: Vec<ApplicationId>,
    /// Acct-Application-Id at the top level.
    pub acct_applications: Vec<ApplicationId>,
    /// Applications of vendors.
    pub vendor_applications: Vec<VendorApplication>,
    /// Inband-Security-Id; empty means 0, no security.
    pub inband_security: Vec<u32>,
    /// Firmware-Revision.
    pub firmware_revision: Option<u32>,
}

impl Capabilities {
    /// Whether the node has the application, alone or because it relays everything.
    pub fn has(&self, application: ApplicationId) -> bool {
        let vendors = self.vendor_applications.iter();
        self.auth_applications
            .iter()
            .chain(&self.acct_applications)
            .copied()
            .chain(vendors.flat_map(|v| v.auth.into_iter().chain(v.acct)))
            .any(|a| a == application || a == ApplicationId::RELAY)
    }

    /// Whether the node can do without a security mechanism of Diameter's own.
    pub fn takes_no_security(&self) -> bool {
        self.inband_security.is_empty() || self.inband_security.contains(&NO_INBAND_SECURITY)
    }

    fn avps(&self) -> impl Iterator<Item = Avp> {
        let number = |def: &'static d::AvpDef| move |n: &u32| Avp::u32(def, *n);
        let app = |def: &'static d::AvpDef| move |a: &ApplicationId| Avp::u32(def, a.0);
        let ips = self.host_ips.iter();
        [
            Avp::text(&d::ORIGIN_HOST, &self.origin_host),
            Avp::text(&d::ORIGIN_REALM, &self.origin_realm),
        ]
        .into_iter()
        .chain(ips.map(|ip| Avp::address(&d::HOST_IP_ADDRESS, *ip)))
        .chain([
            Avp::u32(&d::VENDOR_ID, self.vendor_id),
            Avp::text(&d::PRODUCT_NAME, &self.product_name),
        ])
        .chain(self.origin_state_id.iter().map(number(&d::ORIGIN_STATE_ID)))
        .chain(
            self.supported_vendors
                .iter()
                .map(number(&d::SUPPORTED_VENDOR_ID)),
        )
        .chain(
            self.auth_applications
                .iter()
                .map(app(&d::AUTH_APPLICATION_ID)),
        )
        .chain(
            self.inband_security
                .iter()
                .map(number(&d::INBAND_SECURITY_ID)),
        )
        .chain(
            self.acct_applications
                .iter()
                .map(app(&d::ACCT_APPLICATION_ID)),
        )
        .chain(self.vendor_applications.iter().map(|v| v.to_avp()))
        .chain(
            self.firmware_revision
                .iter()
                .map(number(&d::FIRMWARE_REVISION)),
        )
    }

    /// The CER, without its identifiers.
    pub fn to_request(&self) -> Message {
        let flags = Flags {
            request: true,
            ..Flags::default()
        };
        let mut m = Message::new(
            CommandCode::CAPABILITIES_EXCHANGE,
            ApplicationId::BASE,
            flags,
        );
        m.avps.extend(self.avps());
        m
    }

    /// Reads a CER.
    pub fn from_request(message: &Message) -> Result<Self, AnswerError> {
        d::check(message)?;
        let all = Self::read(&Fields::of(message), true)?;
        if all.host_ips.is_empty() {
            return Err(AnswerError::missing(&d::HOST_IP_ADDRESS));
        }
        Ok(all)
    }

    /// `whole` is false for an answer that refuses: it need not say more than who sent it.
    fn read(f: &Fields<'_>, whole: bool) -> Result<Self, AnswerError> {
        let applications = |def| -> Result<Vec<_>, AnswerError> {
            Ok(f.repeated(def)?.into_iter().map(ApplicationId).collect())
        };
        Ok(Self {
            origin_host: f.identity(&d::ORIGIN_HOST)?,
            origin_realm: f.identity(&d::ORIGIN_REALM)?,
            host_ips: f.repeated(&d::HOST_IP_ADDRESS)?,
            vendor_id: if whole {
                f.required(&d::VENDOR_ID)?
            } else {
                f.optional(&d::VENDOR_ID)?.unwrap_or(0)
            },
            product_name: if whole {
                f.required(&d::PRODUCT_NAME)?
            } else {
                f.optional(&d::PRODUCT_NAME)?.unwrap_or_default()
            },
            origin_state_id: f.optional(&d::ORIGIN_STATE_ID)?,
            supported_vendors: f.repeated(&d::SUPPORTED_VENDOR_ID)?,
            auth_applications: applications(&d::AUTH_APPLICATION_ID)?,
            acct_applications: applications(&d::ACCT_APPLICATION_ID)?,
            vendor_applications: f
                .groups(&d::VENDOR_SPECIFIC_APPLICATION_ID, VendorApplication::read)?,
            inband_security: f.repeated(&d::INBAND_SECURITY_ID)?,
            firmware_revision: f.optional(&d::FIRMWARE_REVISION)?,
        })
    }
}

impl VendorApplication {
    fn to_avp(self) -> Avp {
        let number = |def: &d::AvpDef, n: Option<u32>| n.map(|n| Avp::u32(def, n));
        let members: Vec<Avp> = [
            number(&d::VENDOR_ID, self.vendor),
            number(&d::AUTH_APPLICATION_ID, self.auth.map(|a| a.0)),
            number(&d::ACCT_APPLICATION_ID, self.acct.map(|a| a.0)),
        ]
        .into_iter()
        .flatten()
        .collect();
        Avp::group(&d::VENDOR_SPECIFIC_APPLICATION_ID, &members)
    }

    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        Ok(Self {
            vendor: f.repeated(&d::VENDOR_ID)?.first().copied(),
            auth: f.optional(&d::AUTH_APPLICATION_ID)?.map(ApplicationId),
            acct: f.optional(&d::ACCT_APPLICATION_ID)?.map(ApplicationId),
        })
    }
}

/// CEA, RFC 6733 §5.3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilitiesAnswer {
    /// Whether the peers may talk.
    pub result: AnswerResult,
    /// What the node says of itself; mostly empty when it refuses.
    pub capabilities: Capabilities,
}

impl CapabilitiesAnswer {
    /// The message, without its identifiers.
    pub fn to_message(&self) -> Message {
        let flags = Flags::default();
        let mut m = Message::new(
            CommandCode::CAPABILITIES_EXCHANGE,
            ApplicationId::BASE,
            flags,
        );
        m.avps.push(self.result.to_avp());
        m.avps.extend(self.capabilities.avps());
        m
    }

    /// Reads the message. A refusal may lack everything but its result and origin.
    pub fn from_message(message: &Message) -> Result<Self, AnswerError> {
        let result = message
            .result()
            .ok_or_else(|| AnswerError::missing(&d::RESULT_CODE))?;
        let capabilities = Capabilities::read(&Fields::of(message), result.is_success())?;
        Ok(Self {
            result,
            capabilities,
        })
    }
}
