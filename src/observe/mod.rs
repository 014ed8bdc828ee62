//! What is shown of a run: captures, event logs, ladders, the timeline and the verdict.
//!
//! Everything here subscribes to what nodes and links put out; nothing reaches into a node.

mod capture;
mod events;
mod ip;
mod ladder;
mod mask;
mod pcapng;
mod terminal;

pub use capture::{Capture, IpLink, Keys};
pub use events::EventLog;
pub use ladder::{Arrow, ladder};
pub use terminal::{
    AssertionRow, CutReport, Mark, ProbeView, Stamp, Stamps, Style, Summary, TimelineRow, Verdict,
    heading, short,
};
