use crate::{Instant, WallTime};

/// The time that comes with every input: a machine has no other clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time, for timers.
    pub at: Instant,
    /// Civil time, for records and expiry.
    pub wall: WallTime,
}

/// The one shape of every state machine of the workspace.
///
/// *Mutate once, drain, mutate again*: after [`handle_input`](Self::handle_input) or
/// [`handle_timeout`](Self::handle_timeout) call [`poll_output`](Self::poll_output) until it
/// returns `None`, then look at [`poll_timeout`](Self::poll_timeout). A machine reads no clock,
/// opens no socket, starts no thread and has no randomness but what it was given, so the same
/// inputs at the same times give the same outputs.
pub trait Machine {
    /// What goes in.
    type Input;
    /// What comes out.
    type Output;

    /// Takes one input. Never panics, whatever octets the input holds.
    fn handle_input(&mut self, now: Now, input: Self::Input);

    /// Runs everything whose deadline is at or before `now.at`. Calling it early does nothing.
    fn handle_timeout(&mut self, now: Now);

    /// The next output, in the order in which it was caused.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When [`handle_timeout`](Self::handle_timeout) must be called next; may change after every
    /// other call.
    fn poll_timeout(&self) -> Option<Instant>;
}
