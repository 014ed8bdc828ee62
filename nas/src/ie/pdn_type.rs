use crate::code::code;

code! {
    /// PDN type, TS 24.301 §9.9.4.10.
    PdnType {
        V4 = 1, "IPv4";
        V6 = 2, "IPv6";
        V4V6 = 3, "IPv4v6";
        UNUSED = 4, "unused, read as IPv6 by the network";
        NON_IP = 5, "non IP";
        ETHERNET = 6, "Ethernet";
    }
}

impl PdnType {
    /// Whether IPv4 is asked for.
    pub const fn has_v4(self) -> bool {
        matches!(self, Self::V4 | Self::V4V6)
    }

    /// Whether IPv6 is asked for.
    pub const fn has_v6(self) -> bool {
        matches!(self, Self::V6 | Self::V4V6 | Self::UNUSED)
    }
}
