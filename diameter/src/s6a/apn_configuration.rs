use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use heiiki_types::{Ambr, Apn, Arp, Qci};

use super::subscription_data::{Charging, ambr_to_avp, charging_to_avp, read_ambr};
use crate::avp::{Avp, AvpRef};
use crate::dictionary as d;
use crate::fields::{Fault, Fields, Value};
use crate::result::{AnswerError, ResultCode};

/// APN-Configuration-Profile, TS 29.272 §7.3.34.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApnConfigurationProfile {
    /// Context-Identifier of the default APN.
    pub default_context: u32,
    /// Whether these are all APNs of the subscriber, or only the changed ones.
    pub all_apn_included: bool,
    /// The APNs, at least one.
    pub apns: Vec<ApnConfiguration>,
}

impl ApnConfigurationProfile {
    /// The default APN, if the profile has it.
    pub fn default_apn(&self) -> Option<&ApnConfiguration> {
        self.apns.iter().find(|a| a.context == self.default_context)
    }

    pub(super) fn to_avp(&self) -> Avp {
        let mut members = Vec::with_capacity(2 + self.apns.len());
        members.push(Avp::u32(&d::CONTEXT_IDENTIFIER, self.default_context));
        members.push(Avp::u32(
            &d::ALL_APN_CONFIGURATIONS_INCLUDED_INDICATOR,
            u32::from(!self.all_apn_included),
        ));
        members.extend(self.apns.iter().map(ApnConfiguration::to_avp));
        Avp::group(&d::APN_CONFIGURATION_PROFILE, &members)
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let included: u32 = f.required(&d::ALL_APN_CONFIGURATIONS_INCLUDED_INDICATOR)?;
        let apns = f.groups(&d::APN_CONFIGURATION, ApnConfiguration::read)?;
        if apns.is_empty() {
            return Err(AnswerError::missing(&d::APN_CONFIGURATION));
        }
        Ok(Self {
            default_context: f.required(&d::CONTEXT_IDENTIFIER)?,
            all_apn_included: included == 0,
            apns,
        })
    }
}

/// Service-Selection within an APN-Configuration, TS 29.272 §7.3.36.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceSelection {
    /// This APN.
    Apn(Apn),
    /// `*`: any APN that has no configuration of its own.
    Wildcard,
}

impl ServiceSelection {
    /// Whether the configuration is for `apn`, by name or by being the wildcard.
    pub fn covers(&self, apn: &Apn) -> bool {
        match self {
            Self::Apn(own) => own == apn,
            Self::Wildcard => true,
        }
    }
}

impl fmt::Display for ServiceSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apn(apn) => apn.fmt(f),
            Self::Wildcard => f.write_str("*"),
        }
    }
}

impl Value for ServiceSelection {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        match avp.data {
            b"*" => Ok(Self::Wildcard),
            _ => Apn::read(avp).map(Self::Apn),
        }
    }
}

/// PDN-Type, TS 29.272 §7.3.62.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PdnType {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both in one connection.
    V4V6,
    /// Either, not both.
    V4orV6,
    /// No IP.
    NonIp,
}

impl PdnType {
    const fn number(self) -> u32 {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
            Self::V4V6 => 2,
            Self::V4orV6 => 3,
            Self::NonIp => 4,
        }
    }
}

impl Value for PdnType {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        Ok(match u32::read(avp)? {
            0 => Self::V4,
            1 => Self::V6,
            2 => Self::V4V6,
            3 => Self::V4orV6,
            4 => Self::NonIp,
            _ => return Err(Fault::Value),
        })
    }
}

/// The gateway of a PDN connection, by address, by name or both (MIP6-Agent-Info, TS 29.272
/// §7.3.45).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PgwIdentity {
    /// MIP-Home-Agent-Address, at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// Destination-Host of MIP-Home-Agent-Host.
    pub host: Option<String>,
    /// Destination-Realm of MIP-Home-Agent-Host.
    pub realm: Option<String>,
}

impl PgwIdentity {
    pub(super) fn to_avp(&self) -> Avp {
        let addresses = self.addresses.iter();
        let mut members: Vec<Avp> = addresses
            .map(|a| Avp::address(&d::MIP_HOME_AGENT_ADDRESS, *a))
            .collect();
        let text = |def: &d::AvpDef, t: &Option<String>| t.as_ref().map(|t| Avp::text(def, t));
        let names: Vec<Avp> = text(&d::DESTINATION_REALM, &self.realm)
            .into_iter()
            .chain(text(&d::DESTINATION_HOST, &self.host))
            .collect();
        if !names.is_empty() {
            members.push(Avp::group(&d::MIP_HOME_AGENT_HOST, &names));
        }
        Avp::group(&d::MIP6_AGENT_INFO, &members)
    }

    pub(super) fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let names = f.group(&d::MIP_HOME_AGENT_HOST, |n| {
            Ok((
                n.optional_identity(&d::DESTINATION_HOST)?,
                n.optional_identity(&d::DESTINATION_REALM)?,
            ))
        })?;
        let (host, realm) = names.unwrap_or_default();
        Ok(Self {
            addresses: f.repeated(&d::MIP_HOME_AGENT_ADDRESS)?,
            host,
            realm,
        })
    }
}

/// APN-Configuration, TS 29.272 §7.3.35.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApnConfiguration {
    /// Context-Identifier, unique within the subscription.
    pub context: u32,
    /// Which APN.
    pub apn: ServiceSelection,
    /// The address families that the subscriber may have.
    pub pdn_type: PdnType,
    /// Static addresses, at most two.
    pub served_party_ips: Vec<IpAddr>,
    /// QCI of the default bearer.
    pub qci: Qci,
    /// ARP of the default bearer.
    pub arp: Arp,
    /// AMBR of the APN.
    pub ambr: Option<Ambr>,
    /// 3GPP-Charging-Characteristics of the APN.
    pub charging_characteristics: Option<u16>,
    /// The gateway, if the HSS knows one.
    pub pgw: Option<PgwIdentity>,
    /// PDN-GW-Allocation-Type: 0 static, 1 dynamic.
    pub pgw_allocation: Option<u32>,
    /// VPLMN-Dynamic-Address-Allowed: 0 no, 1 yes.
    pub vplmn_dynamic_address: Option<u32>,
}

impl ApnConfiguration {
    fn to_avp(&self) -> Avp {
        let number = |def: &d::AvpDef, n: Option<u32>| n.map(|n| Avp::u32(def, n));
        let mut members = Vec::with_capacity(12);
        members.push(Avp::u32(&d::CONTEXT_IDENTIFIER, self.context));
        let ips = self.served_party_ips.iter();
        members.extend(ips.map(|ip| Avp::address(&d::SERVED_PARTY_IP_ADDRESS, *ip)));
        members.push(Avp::u32(&d::PDN_TYPE, self.pdn_type.number()));
        members.push(Avp::display(&d::SERVICE_SELECTION, &self.apn));
        members.push(qos_to_avp(self.qci, self.arp));
        members.extend(number(
            &d::VPLMN_DYNAMIC_ADDRESS_ALLOWED,
            self.vplmn_dynamic_address,
        ));
        members.extend(self.pgw.as_ref().map(PgwIdentity::to_avp));
        members.extend(number(&d::PDN_GW_ALLOCATION_TYPE, self.pgw_allocation));
        members.extend(self.charging_characteristics.map(charging_to_avp));
        members.extend(self.ambr.map(ambr_to_avp));
        Avp::group(&d::APN_CONFIGURATION, &members)
    }

    /// The grammar lets EPS-Subscribed-QoS-Profile be absent, but an MME cannot make a default
    /// bearer without it: its absence is an error here.
    fn read(f: &Fields<'_>) -> Result<Self, AnswerError> {
        let served_party_ips: Vec<IpAddr> = f.repeated(&d::SERVED_PARTY_IP_ADDRESS)?;
        if let Some(third) = served_party_ips.get(2) {
            return Err(AnswerError::avp(
                ResultCode::AVP_OCCURS_TOO_MANY_TIMES,
                Avp::address(&d::SERVED_PARTY_IP_ADDRESS, *third),
            ));
        }
        let (qci, arp) = f
            .group(&d::EPS_SUBSCRIBED_QOS_PROFILE, read_qos)?
            .ok_or_else(|| AnswerError::missing(&d::EPS_SUBSCRIBED_QOS_PROFILE))?;
        let charging: Option<Charging> = f.optional(&d::TGPP_CHARGING_CHARACTERISTICS)?;
        Ok(Self {
            context: f.required(&d::CONTEXT_IDENTIFIER)?,
            apn: f.required(&d::SERVICE_SELECTION)?,
            pdn_type: f.required(&d::PDN_TYPE)?,
            served_party_ips,
            qci,
            arp,
            ambr: f.group(&d::AMBR, read_ambr)?,
            charging_characteristics: charging.map(|c| c.0),
            pgw: f.group(&d::MIP6_AGENT_INFO, PgwIdentity::read)?,
            pgw_allocation: f.optional(&d::PDN_GW_ALLOCATION_TYPE)?,
            vplmn_dynamic_address: f.optional(&d::VPLMN_DYNAMIC_ADDRESS_ALLOWED)?,
        })
    }
}

/// EPS-Subscribed-QoS-Profile, TS 29.272 §7.3.37. On the wire 0 means enabled.
fn qos_to_avp(qci: Qci, arp: Arp) -> Avp {
    Avp::group(
        &d::EPS_SUBSCRIBED_QOS_PROFILE,
        &[
            Avp::u32(&d::QOS_CLASS_IDENTIFIER, u32::from(qci.0)),
            Avp::group(
                &d::ALLOCATION_RETENTION_PRIORITY,
                &[
                    Avp::u32(&d::PRIORITY_LEVEL, u32::from(arp.priority_level)),
                    Avp::u32(&d::PRE_EMPTION_CAPABILITY, u32::from(!arp.may_preempt)),
                    Avp::u32(
                        &d::PRE_EMPTION_VULNERABILITY,
                        u32::from(!arp.may_be_preempted),
                    ),
                ],
            ),
        ],
    )
}

struct Octet(u8);

impl Value for Octet {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        let number = u8::try_from(u32::read(avp)?).ok();
        number.filter(|n| *n > 0).map(Self).ok_or(Fault::Value)
    }
}

struct Level(u8);

impl Value for Level {
    fn read(avp: AvpRef<'_>) -> Result<Self, Fault> {
        let Octet(level) = Octet::read(avp)?;
        Some(level)
            .filter(|n| *n <= 15)
            .map(Self)
            .ok_or(Fault::Value)
    }
}

fn read_qos(f: &Fields<'_>) -> Result<(Qci, Arp), AnswerError> {
    let Octet(qci) = f.required(&d::QOS_CLASS_IDENTIFIER)?;
    let arp = f
        .group(&d::ALLOCATION_RETENTION_PRIORITY, |a| {
            let Level(priority_level) = a.required(&d::PRIORITY_LEVEL)?;
            // TS 29.212 §5.3.46 and §5.3.47: absent means may not pre-empt, may be pre-empted.
            let capability: Option<u32> = a.optional(&d::PRE_EMPTION_CAPABILITY)?;
            let vulnerability: Option<u32> = a.optional(&d::PRE_EMPTION_VULNERABILITY)?;
            Ok(Arp {
                priority_level,
                may_preempt: capability == Some(0),
                may_be_preempted: vulnerability.unwrap_or(0) == 0,
            })
        })?
        .ok_or_else(|| AnswerError::missing(&d::ALLOCATION_RETENTION_PRIORITY))?;
    Ok((Qci(qci), arp))
}
