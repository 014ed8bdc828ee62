//! What bounds the node: every collection names the limit that it obeys.

/// How much of everything the node holds at most. What goes beyond is refused and reported as
/// [`Event::Overload`](crate::Event::Overload); an attach is then refused with EMM cause 22.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// UEs that are registered, or on their way to it.
    pub ues: usize,
    /// Attaches in flight that have not proved who they are.
    pub unproven: usize,
    /// Contexts kept after a detach, so that the UE may come back without a new authentication; the
    /// oldest goes first.
    pub detached: usize,
    /// Sessions, at most 2^20 - 1: the index bits of a TEID.
    pub sessions: usize,
    /// Downlink packets held for one session until its eNB is known.
    pub buffered_packets: usize,
    /// Downlink packets held for all sessions together.
    pub buffered_packets_total: usize,
    /// Octets of a NAS PDU; longer ones are dropped unread.
    pub nas_octets: usize,
    /// Requests to the HSS that wait for their answers.
    pub s6a_requests: usize,
    /// Requests to gateways that wait for their answers.
    pub s5c_requests: usize,
    /// Error Indications sent in any one second.
    pub error_indications: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ues: 100_000,
            unproven: 10_000,
            detached: 100_000,
            sessions: 100_000,
            buffered_packets: 32,
            buffered_packets_total: 65_536,
            nas_octets: 4_096,
            s6a_requests: 20_000,
            s5c_requests: 20_000,
            error_indications: 100,
        }
    }
}
