use crate::code::code;

code! {
    /// ESM cause, TS 24.301 §9.9.4.4 and Annex B.
    EsmCause {
        OPERATOR_DETERMINED_BARRING = 8, "operator determined barring";
        INSUFFICIENT_RESOURCES = 26, "insufficient resources";
        MISSING_OR_UNKNOWN_APN = 27, "missing or unknown APN";
        UNKNOWN_PDN_TYPE = 28, "unknown PDN type";
        USER_AUTHENTICATION_FAILED = 29, "user authentication failed";
        REJECTED_BY_GATEWAY = 30, "request rejected by Serving GW or PDN GW";
        REJECTED_UNSPECIFIED = 31, "request rejected, unspecified";
        SERVICE_OPTION_NOT_SUPPORTED = 32, "service option not supported";
        SERVICE_OPTION_NOT_SUBSCRIBED = 33, "requested service option not subscribed";
        SERVICE_OPTION_OUT_OF_ORDER = 34, "service option temporarily out of order";
        PTI_ALREADY_IN_USE = 35, "PTI already in use";
        REGULAR_DEACTIVATION = 36, "regular deactivation";
        EPS_QOS_NOT_ACCEPTED = 37, "EPS QoS not accepted";
        NETWORK_FAILURE = 38, "network failure";
        REACTIVATION_REQUESTED = 39, "reactivation requested";
        TFT_SEMANTIC_ERROR = 41, "semantic error in the TFT operation";
        TFT_SYNTACTICAL_ERROR = 42, "syntactical error in the TFT operation";
        INVALID_EPS_BEARER_IDENTITY = 43, "invalid EPS bearer identity";
        PACKET_FILTER_SEMANTIC_ERROR = 44, "semantic errors in packet filters";
        PACKET_FILTER_SYNTACTICAL_ERROR = 45, "syntactical errors in packet filters";
        PTI_MISMATCH = 47, "PTI mismatch";
        LAST_PDN_DISCONNECTION_NOT_ALLOWED = 49, "last PDN disconnection not allowed";
        PDN_TYPE_IPV4_ONLY = 50, "PDN type IPv4 only allowed";
        PDN_TYPE_IPV6_ONLY = 51, "PDN type IPv6 only allowed";
        SINGLE_ADDRESS_BEARERS_ONLY = 52, "single address bearers only allowed";
        ESM_INFORMATION_NOT_RECEIVED = 53, "ESM information not received";
        PDN_CONNECTION_DOES_NOT_EXIST = 54, "PDN connection does not exist";
        MULTIPLE_PDN_CONNECTIONS_NOT_ALLOWED = 55,
            "multiple PDN connections for a given APN not allowed";
        COLLISION = 56, "collision with network initiated request";
        PDN_TYPE_IPV4V6_ONLY = 57, "PDN type IPv4v6 only allowed";
        PDN_TYPE_NON_IP_ONLY = 58, "PDN type non IP only allowed";
        UNSUPPORTED_QCI = 59, "unsupported QCI value";
        BEARER_HANDLING_NOT_SUPPORTED = 60, "bearer handling not supported";
        PDN_TYPE_ETHERNET_ONLY = 61, "PDN type Ethernet only allowed";
        MAXIMUM_BEARERS_REACHED = 65, "maximum number of EPS bearers reached";
        APN_NOT_SUPPORTED_IN_RAT_AND_PLMN = 66,
            "requested APN not supported in current RAT and PLMN combination";
        INVALID_PTI = 81, "invalid PTI value";
        SEMANTICALLY_INCORRECT_MESSAGE = 95, "semantically incorrect message";
        INVALID_MANDATORY_INFORMATION = 96, "invalid mandatory information";
        MESSAGE_TYPE_UNKNOWN = 97, "message type non-existent or not implemented";
        MESSAGE_TYPE_NOT_COMPATIBLE = 98, "message type not compatible with the protocol state";
        IE_UNKNOWN = 99, "information element non-existent or not implemented";
        CONDITIONAL_IE_ERROR = 100, "conditional IE error";
        MESSAGE_NOT_COMPATIBLE = 101, "message not compatible with the protocol state";
        PROTOCOL_ERROR = 111, "protocol error, unspecified";
        APN_RESTRICTION_INCOMPATIBLE = 112,
            "APN restriction value incompatible with active EPS bearer context";
        MULTIPLE_ACCESSES_NOT_ALLOWED = 113,
            "multiple accesses to a PDN connection not allowed";
    }
}
