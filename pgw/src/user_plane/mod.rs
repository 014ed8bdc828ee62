//! The user plane: workers that pass packets between tunnels and segments.
//!
//! A [`Worker`] owns the sessions whose place in the table falls to it, and is the only one that
//! touches them. It takes batches of packets that stay in the caller's buffers and writes a
//! verdict beside each: nothing is copied or allocated for a packet that passes. Control changes
//! its tables by [`Update`]s between batches; a packet of the batch after the answer sees the
//! change, and no later one misses it.

mod batch;
mod bearer;
mod downlink;
mod entry;
mod headers;
mod icmp;
mod limit;
mod link;
mod packet;
mod police;
mod report;
mod split;
mod tables;
mod update;
mod uplink;
mod worker;

pub use batch::{Downlink, DownlinkVerdict, Origin, Reply, Uplink, UplinkVerdict};
pub(crate) use packet::{count_hop, packet_ends, sum};
pub use update::{
    Answer, BearerEntry, BearerUsage, Direction, Gone, Notice, Reach, RefusedPacket, SessionEntry,
    SessionId, Slot, Update, Usage, WorkerCounters,
};
pub use worker::{Worker, WorkerSession};
