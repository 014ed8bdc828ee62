//! The bits and values that S6a's flags and enumerations have here.

/// Values of RAT-Type, TS 29.212 §5.3.31.
pub mod rat_type {
    /// Radio of the third generation: an SGSN asks.
    pub const UTRAN: u32 = 1000;
    /// Radio of the second generation: an SGSN asks.
    pub const GERAN: u32 = 1001;
    /// Wide-band E-UTRAN.
    pub const EUTRAN: u32 = 1004;
    /// E-UTRAN for narrow-band devices.
    pub const EUTRAN_NB_IOT: u32 = 1005;
    /// E-UTRAN for machines with little bandwidth.
    pub const LTE_M: u32 = 1007;
}

/// Bits of ULR-Flags, TS 29.272 §7.3.7.
pub mod ulr_flags {
    /// The HSS shall cancel the registration of an SGSN too.
    pub const SINGLE_REGISTRATION: u32 = 1;
    /// The request is of S6a, not of S6d.
    pub const S6A: u32 = 1 << 1;
    /// The MME has the subscription and wants none.
    pub const SKIP_SUBSCRIBER_DATA: u32 = 1 << 2;
    /// The sender is an MME and an SGSN in one.
    pub const NODE_TYPE: u32 = 1 << 4;
    /// The UE attaches; the HSS cancels at the MME where it was.
    pub const INITIAL_ATTACH: u32 = 1 << 5;
}

/// Bits of ULA-Flags, TS 29.272 §7.3.8.
pub mod ula_flags {
    /// The HSS keeps the registrations of MME and SGSN apart.
    pub const SEPARATION: u32 = 1;
}

/// Bits of CLR-Flags, TS 29.272 §7.3.152.
pub mod clr_flags {
    /// The request is of S6a, not of S6d.
    pub const S6A: u32 = 1;
    /// The UE is to attach again at once.
    pub const REATTACH_REQUIRED: u32 = 1 << 1;
}

/// Bits of PUR-Flags, TS 29.272 §7.3.149.
pub mod pur_flags {
    /// The MME has deleted its record.
    pub const PURGED_IN_MME: u32 = 1;
    /// The SGSN has deleted its record.
    pub const PURGED_IN_SGSN: u32 = 1 << 1;
}

/// Bits of PUA-Flags, TS 29.272 §7.3.48.
pub mod pua_flags {
    /// The MME shall not give the M-TMSI to another UE yet.
    pub const FREEZE_M_TMSI: u32 = 1;
}

/// Bits of IDR-Flags, TS 29.272 §7.3.103.
pub mod idr_flags {
    /// The HSS wants to hear when the UE can be reached.
    pub const UE_REACHABILITY: u32 = 1;
    /// The answer shall have EPS-User-State.
    pub const EPS_USER_STATE: u32 = 1 << 2;
    /// The answer shall have EPS-Location-Information.
    pub const EPS_LOCATION: u32 = 1 << 3;
    /// The location shall be that of this moment.
    pub const CURRENT_LOCATION: u32 = 1 << 4;
    /// The answer shall have RAT-Type.
    pub const RAT_TYPE: u32 = 1 << 7;
}

/// Bits of DSR-Flags, TS 29.272 §7.3.25: what is withdrawn.
pub mod dsr_flags {
    /// The zones that the subscriber may be in.
    pub const REGIONAL_SUBSCRIPTION: u32 = 1;
    /// The charging characteristics of the subscriber.
    pub const CHARGING_CHARACTERISTICS: u32 = 1 << 2;
    /// The APNs whose Context-Identifier is in the request.
    pub const PDN_SUBSCRIPTION_CONTEXTS: u32 = 1 << 3;
    /// APN-OI-Replacement of the subscriber.
    pub const APN_OI_REPLACEMENT: u32 = 1 << 10;
    /// The timer of periodic updates.
    pub const PERIODIC_RAU_TAU_TIMER: u32 = 1 << 14;
    /// The number of the subscriber.
    pub const MSISDN: u32 = 1 << 23;
}

/// Bits of NOR-Flags, TS 29.272 §7.3.49.
pub mod nor_flags {
    /// The HSS shall cancel the registration of an SGSN.
    pub const SINGLE_REGISTRATION: u32 = 1;
    /// The UE can be reached.
    pub const UE_REACHABLE_FROM_MME: u32 = 1 << 3;
    /// The UE can take short messages again.
    pub const READY_FOR_SM_FROM_MME: u32 = 1 << 6;
    /// The request is of S6a, not of S6d.
    pub const S6A: u32 = 1 << 8;
}

/// Values of Alert-Reason, TS 29.272 §7.3.83.
pub mod alert_reason {
    /// The UE is there.
    pub const UE_PRESENT: u32 = 0;
    /// The UE has room for messages.
    pub const UE_MEMORY_AVAILABLE: u32 = 1;
}

/// Values of User-State, TS 29.272 §7.3.114.
pub mod user_state {
    /// Not attached.
    pub const DETACHED: u32 = 0;
    /// Attached and idle, and not to be paged.
    pub const ATTACHED_NOT_REACHABLE: u32 = 1;
    /// Attached and idle; paging reaches it.
    pub const ATTACHED_REACHABLE: u32 = 2;
    /// Connected and not to be paged.
    pub const CONNECTED_NOT_REACHABLE: u32 = 3;
    /// Connected.
    pub const CONNECTED_REACHABLE: u32 = 4;
}

/// Values of Error-Diagnostic, TS 29.272 §7.3.128.
pub mod error_diagnostic {
    /// There is a GPRS subscription.
    pub const GPRS_DATA_SUBSCRIBED: u32 = 0;
    /// There is no GPRS subscription.
    pub const NO_GPRS_DATA_SUBSCRIBED: u32 = 1;
    /// Every APN is barred.
    pub const ODB_ALL_APN: u32 = 2;
    /// The APNs of the home network are barred while roaming.
    pub const ODB_HPLMN_APN: u32 = 3;
    /// The APNs of the visited network are barred.
    pub const ODB_VPLMN_APN: u32 = 4;
}

/// Bits of Operator-Determined-Barring, TS 29.272 §7.3.30.
pub mod odb {
    /// Every packet service.
    pub const ALL_PACKET_SERVICES: u32 = 1;
    /// Access points of the home network while roaming.
    pub const ROAMER_HPLMN_AP: u32 = 1 << 1;
    /// Access points of the visited network.
    pub const ROAMER_VPLMN_AP: u32 = 1 << 2;
}

/// Bits of Access-Restriction-Data, TS 29.272 §7.3.31: what is not allowed.
pub mod restriction {
    /// UTRAN.
    pub const UTRAN: u32 = 1;
    /// GERAN.
    pub const GERAN: u32 = 1 << 1;
    /// Wide-band E-UTRAN.
    pub const WB_EUTRAN: u32 = 1 << 4;
    /// E-UTRAN for narrow-band devices.
    pub const NB_IOT: u32 = 1 << 6;
    /// E-UTRAN for machines.
    pub const LTE_M: u32 = 1 << 11;
}
