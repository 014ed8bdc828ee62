//! A scenario is run: its steps in order, what they must come to, and the evidence of it.
//!
//! [`run`] takes a checked [`Scenario`](crate::plan::Scenario) and a lab in either world and comes
//! back with a [`Report`]; an [`Observer`] is told on the way. [`write_evidence`] puts the report
//! into a folder. The verdict is *inconclusive* when a positive control failed, or when a probe
//! could not be sent: then the run has proved nothing.

mod attach;
mod content;
mod evidence;
mod explain;
mod figure;
mod html;
mod ledger;
mod limits;
mod observer;
mod operate;
mod probe;
mod report;
mod run;
mod stream;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod title;
mod traffic;
mod value;

pub use evidence::write_evidence;
pub use observer::{Observer, Terminal};
pub use report::{
    AssertReport, CutReport, DirectionView, Evidence, ProbeRecord, Report, SentinelRow, StepReport,
    StreamRecord, TransferRecord,
};
pub use run::run;
