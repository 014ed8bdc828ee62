/// The way a message goes. Some message types mean something else, or nothing, the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the UE to the network.
    Uplink,
    /// From the network to the UE.
    Downlink,
}

impl Direction {
    /// The DIRECTION bit of the algorithms, TS 33.401 §B.1: 0 uplink, 1 downlink.
    pub const fn bit(self) -> u8 {
        match self {
            Self::Uplink => 0,
            Self::Downlink => 1,
        }
    }
}
