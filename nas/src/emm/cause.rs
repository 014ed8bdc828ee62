use crate::code::code;

code! {
    /// EMM cause, TS 24.301 §9.9.3.9 and Annex A.
    EmmCause {
        IMSI_UNKNOWN_IN_HSS = 2, "IMSI unknown in HSS";
        ILLEGAL_UE = 3, "illegal UE";
        IMEI_NOT_ACCEPTED = 5, "IMEI not accepted";
        ILLEGAL_ME = 6, "illegal ME";
        EPS_SERVICES_NOT_ALLOWED = 7, "EPS services not allowed";
        EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED = 8, "EPS services and non-EPS services not allowed";
        UE_IDENTITY_CANNOT_BE_DERIVED = 9, "UE identity cannot be derived by the network";
        IMPLICITLY_DETACHED = 10, "implicitly detached";
        PLMN_NOT_ALLOWED = 11, "PLMN not allowed";
        TRACKING_AREA_NOT_ALLOWED = 12, "tracking area not allowed";
        ROAMING_NOT_ALLOWED = 13, "roaming not allowed in this tracking area";
        EPS_SERVICES_NOT_ALLOWED_IN_PLMN = 14, "EPS services not allowed in this PLMN";
        NO_SUITABLE_CELLS = 15, "no suitable cells in tracking area";
        MSC_NOT_REACHABLE = 16, "MSC temporarily not reachable";
        NETWORK_FAILURE = 17, "network failure";
        CS_DOMAIN_NOT_AVAILABLE = 18, "CS domain not available";
        ESM_FAILURE = 19, "ESM failure";
        MAC_FAILURE = 20, "MAC failure";
        SYNCH_FAILURE = 21, "synch failure";
        CONGESTION = 22, "congestion";
        SECURITY_CAPABILITIES_MISMATCH = 23, "UE security capabilities mismatch";
        SECURITY_MODE_REJECTED = 24, "security mode rejected, unspecified";
        NOT_AUTHORIZED_FOR_CSG = 25, "not authorized for this CSG";
        NON_EPS_AUTHENTICATION_UNACCEPTABLE = 26, "non-EPS authentication unacceptable";
        REDIRECTION_TO_5GCN = 31, "redirection to 5GCN required";
        SERVICE_OPTION_NOT_AUTHORIZED = 35, "requested service option not authorized in this PLMN";
        CS_SERVICE_NOT_AVAILABLE = 39, "CS service temporarily not available";
        NO_EPS_BEARER_CONTEXT_ACTIVATED = 40, "no EPS bearer context activated";
        SEVERE_NETWORK_FAILURE = 42, "severe network failure";
        SEMANTICALLY_INCORRECT_MESSAGE = 95, "semantically incorrect message";
        INVALID_MANDATORY_INFORMATION = 96, "invalid mandatory information";
        MESSAGE_TYPE_UNKNOWN = 97, "message type non-existent or not implemented";
        MESSAGE_TYPE_NOT_COMPATIBLE = 98, "message type not compatible with the protocol state";
        IE_UNKNOWN = 99, "information element non-existent or not implemented";
        CONDITIONAL_IE_ERROR = 100, "conditional IE error";
        MESSAGE_NOT_COMPATIBLE = 101, "message not compatible with the protocol state";
        PROTOCOL_ERROR = 111, "protocol error, unspecified";
    }
}
