use crate::code::code;

code! {
    /// Why a UE asks for a PDN connection, TS 24.008 §10.5.6.17.
    RequestType {
        INITIAL = 1, "initial request";
        HANDOVER = 2, "handover";
        UNUSED = 3, "unused, read as initial request by the network";
        EMERGENCY = 4, "emergency";
    }
}
