//! SIGTERM and SIGINT: the two ways to ask a server to end.

use core::time::Duration;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use tokio::signal::unix::{SignalKind, signal};

use crate::driver::Runtime;

/// Calls `stop` with the name of every signal that asks the process to end, from now on.
///
/// # Errors
/// When the system refuses the handlers.
pub(super) fn on_stop(
    runtime: &Runtime,
    stop: impl Fn(&'static str) + Send + 'static,
) -> io::Result<()> {
    let install = async move {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminate.recv() => stop("SIGTERM"),
                    _ = interrupt.recv() => stop("SIGINT"),
                }
            }
        });
        Ok(())
    };
    runtime.wait(install)?
}

/// Waits for such a signal.
#[derive(Debug)]
pub(super) struct Stop(Receiver<&'static str>);

impl Stop {
    /// Takes the signals from now on.
    ///
    /// # Errors
    /// When the system refuses the handlers.
    pub(super) fn install(runtime: &Runtime) -> io::Result<Self> {
        let (tx, rx) = channel();
        on_stop(runtime, move |name| {
            let _ = tx.send(name);
        })?;
        Ok(Self(rx))
    }

    /// Waits until the process is asked to end, and gives the signal's name.
    pub(super) fn wait(&self) -> &'static str {
        self.0.recv().unwrap_or("the end of the runtime")
    }

    /// The same for at most `time`.
    pub(super) fn wait_for(&self, time: Duration) -> Option<&'static str> {
        match self.0.recv_timeout(time) {
            Ok(name) => Some(name),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some("the end of the runtime"),
        }
    }
}
