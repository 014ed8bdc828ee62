//! The asynchronous half of a process: one thread that carries S6a and HTTP.

use core::future::Future;
use std::io;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A tokio runtime on a thread of its own; ends with the drop.
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread or no descriptors left.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("async".to_owned())
            .spawn(move || {
                // An error means that the sender is gone, which ends the runtime as well.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where tasks are spawned.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future to its end from an ordinary thread.
    pub fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<T> {
        let (tx, rx) = std::sync::mpsc::channel();
        self.handle
            .spawn(async move { drop(tx.send(future.await)) });
        rx.recv()
            .map_err(|_| io::Error::other("the runtime has ended"))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
