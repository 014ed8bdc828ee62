//! A machine on a thread of its own.

use core::time::Duration;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use heiiki_net::clock;
use heiiki_types::{Machine, Now};

/// Something to be done to a machine, in turn with its inputs.
type Act<M> = Box<dyn FnOnce(&mut M, Now) + Send>;

/// What a node's thread is asked to do.
enum Ask<M: Machine> {
    Input(M::Input),
    Act(Act<M>),
    Stop,
}

/// The way into a machine's thread. Clones lead to the same machine.
pub struct Inbox<M: Machine>(Sender<Ask<M>>);

impl<M: Machine> Clone for Inbox<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Machine> core::fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Inbox")
    }
}

impl<M: Machine> Inbox<M> {
    /// Hands an input to the machine. Once the machine has stopped, inputs go nowhere.
    pub fn send(&self, input: M::Input) {
        let _ = self.0.send(Ask::Input(input));
    }

    /// Runs `act` on the machine, in turn with its inputs.
    pub fn act(&self, act: impl FnOnce(&mut M, Now) + Send + 'static) {
        let _ = self.0.send(Ask::Act(Box::new(act)));
    }

    /// Runs `ask` on the machine and waits for what it returns; `None` once it has stopped.
    pub fn ask<R: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut M, Now) -> R + Send + 'static,
    ) -> Option<R> {
        let (tx, rx) = channel();
        self.act(move |machine, now| drop(tx.send(ask(machine, now))));
        rx.recv().ok()
    }
}

/// A machine's thread before it runs: its inbox can be handed out first.
pub(super) struct Waiting<M: Machine> {
    inbox: Inbox<M>,
    asked: Receiver<Ask<M>>,
}

impl<M: Machine> core::fmt::Debug for Waiting<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Waiting")
    }
}

/// A running machine; stops when told or dropped.
pub struct NodeThread<M: Machine> {
    inbox: Inbox<M>,
    thread: Option<JoinHandle<()>>,
}

impl<M: Machine> core::fmt::Debug for NodeThread<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NodeThread")
    }
}

impl<M: Machine + Send + 'static> Waiting<M>
where
    M::Input: Send,
{
    /// A thread that does not run yet.
    pub(super) fn new() -> Self {
        let (tx, asked) = channel();
        Self {
            inbox: Inbox(tx),
            asked,
        }
    }

    /// The way in.
    pub(super) fn inbox(&self) -> Inbox<M> {
        self.inbox.clone()
    }

    /// Runs `machine`; `route` gets every output, in order, on the machine's thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn run(
        self,
        name: &str,
        machine: M,
        route: impl FnMut(M::Output) + Send + 'static,
    ) -> io::Result<NodeThread<M>> {
        let Self { inbox, asked } = self;
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(machine, &asked, route))?;
        Ok(NodeThread {
            inbox,
            thread: Some(thread),
        })
    }
}

impl<M: Machine> NodeThread<M> {
    /// The way in.
    pub fn inbox(&self) -> Inbox<M> {
        self.inbox.clone()
    }

    /// Lets the machine finish what is in its inbox, then ends its thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _ = self.inbox.0.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl<M: Machine> Drop for NodeThread<M> {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve<M: Machine>(mut machine: M, asked: &Receiver<Ask<M>>, mut route: impl FnMut(M::Output)) {
    loop {
        let wait = machine
            .poll_timeout()
            .map(|at| at.since(clock::monotonic()));
        // Without a deadline only an input ends the wait.
        let next = asked.recv_timeout(wait.unwrap_or(Duration::from_hours(1)));
        let now = clock::now();
        match next {
            Ok(Ask::Input(input)) => machine.handle_input(now, input),
            Ok(Ask::Act(act)) => act(&mut machine, now),
            Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        while let Some(output) = machine.poll_output() {
            route(output);
        }
        if machine.poll_timeout().is_some_and(|at| at <= now.at) {
            machine.handle_timeout(now);
            while let Some(output) = machine.poll_output() {
                route(output);
            }
        }
    }
}
