//! A machine on a thread of its own.

use core::time::Duration;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use heiiki_net::clock;
use heiiki_net::reactor::{Reactor, Waker};
use heiiki_types::{Instant, Machine, Now, StreamInput};

/// Something to be done to a machine, in turn with its inputs.
type Act<M> = Box<dyn FnOnce(&mut M, Now) + Send>;

/// What a node's thread is asked to do.
enum Ask<M: Machine> {
    Input(M::Input),
    Act(Act<M>),
    Stop,
}

/// The way into a machine's thread. Clones lead to the same machine.
pub struct Inbox<M: Machine> {
    asks: Sender<Ask<M>>,
    /// Where the machine's thread waits for its sockets: what ends that wait.
    waker: Option<Waker>,
}

impl<M: Machine> Clone for Inbox<M> {
    fn clone(&self) -> Self {
        Self {
            asks: self.asks.clone(),
            waker: self.waker.clone(),
        }
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
        self.put(Ask::Input(input));
    }

    fn put(&self, ask: Ask<M>) {
        let _ = self.asks.send(ask);
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    /// Runs `act` on the machine, in turn with its inputs.
    pub fn act(&self, act: impl FnOnce(&mut M, Now) + Send + 'static) {
        self.put(Ask::Act(Box::new(act)));
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
        Self::with(None)
    }

    /// The same for a machine that will run on its sockets' thread.
    pub(super) fn on(reactor: &Reactor) -> Self {
        Self::with(Some(reactor.waker()))
    }

    fn with(waker: Option<Waker>) -> Self {
        let (asks, asked) = channel();
        Self {
            inbox: Inbox { asks, waker },
            asked,
        }
    }

    /// The way in.
    pub(super) fn inbox(&self) -> Inbox<M> {
        self.inbox.clone()
    }

    /// Runs `machine`; `outlet` gets every output, in order, on the machine's thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn run(
        self,
        name: &str,
        machine: M,
        outlet: impl Outlet<M> + Send + 'static,
    ) -> io::Result<NodeThread<M>> {
        let Self { inbox, asked } = self;
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(machine, &asked, outlet))?;
        Ok(NodeThread {
            inbox,
            thread: Some(thread),
        })
    }

    /// Runs `machine` on the thread that polls `reactor`: what happens on its connections goes
    /// straight into the machine.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn run_on(
        self,
        name: &str,
        machine: M,
        reactor: Reactor,
        side: impl Side<M> + Send + 'static,
    ) -> io::Result<NodeThread<M>> {
        let Self { inbox, asked } = self;
        let polled = Polled {
            machine,
            reactor,
            asked,
            side,
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || polled.serve())?;
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
        self.inbox.put(Ask::Stop);
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

/// Asks after which the outputs that were held back go: an order to cut waits for no more than these.
const TURN: usize = 64;

/// Where the outputs of a machine go.
pub(super) trait Outlet<M: Machine> {
    /// Takes one output.
    fn route(&mut self, output: M::Output);

    /// Called when the machine has done all that it was asked, or enough for one turn: what was
    /// held back, so that much of it goes with one call, is to go now.
    fn flush(&mut self) {}
}

impl<M: Machine, F: FnMut(M::Output)> Outlet<M> for F {
    fn route(&mut self, output: M::Output) {
        self(output);
    }
}

fn serve<M: Machine>(mut machine: M, asked: &Receiver<Ask<M>>, mut outlet: impl Outlet<M>) {
    loop {
        let wait = machine
            .poll_timeout()
            .map(|at| at.since(clock::monotonic()));
        // Without a deadline only an input ends the wait.
        let mut next = asked.recv_timeout(wait.unwrap_or(Duration::from_hours(1)));
        for left in (0..TURN).rev() {
            match next {
                Ok(Ask::Input(input)) => machine.handle_input(clock::now(), input),
                Ok(Ask::Act(act)) => act(&mut machine, clock::now()),
                Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    outlet.flush();
                    return;
                }
                Err(RecvTimeoutError::Timeout) => break,
            }
            drain(&mut machine, &mut outlet);
            if left == 0 {
                break;
            }
            next = asked.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            });
        }
        let now = clock::now();
        if machine.poll_timeout().is_some_and(|at| at <= now.at) {
            machine.handle_timeout(now);
            drain(&mut machine, &mut outlet);
        }
        outlet.flush();
    }
}

fn drain<M: Machine>(machine: &mut M, outlet: &mut impl Outlet<M>) {
    while let Some(output) = machine.poll_output() {
        outlet.route(output);
    }
}

/// Asks that are served in one turn, so that a flood of them leaves the sockets their share.
const ASKS: usize = 256;
/// Octets of one connection that are worked on before their answers leave: some two dozen requests.
const PIECE: usize = 8 * 1024;
/// How long the connections may take to send what is unsent and to part, once the machine has
/// stopped.
const FAREWELL: Duration = Duration::from_secs(2);

/// What stands between a machine and its sockets.
pub(super) trait Side<M: Machine> {
    /// What happened on a connection, as an input.
    fn take(&mut self, input: StreamInput) -> M::Input;

    /// Gets every output in order, and the reactor for those that are its business.
    fn route(&mut self, output: M::Output, reactor: &mut Reactor);
}

/// A machine and its sockets on one thread.
struct Polled<M: Machine, S> {
    machine: M,
    reactor: Reactor,
    asked: Receiver<Ask<M>>,
    side: S,
}

impl<M: Machine, S: Side<M>> Polled<M, S> {
    fn serve(mut self) {
        let mut inputs = Vec::new();
        let mut more = false;
        loop {
            let wait = if more {
                Some(Duration::ZERO)
            } else {
                self.machine
                    .poll_timeout()
                    .map(|at| at.since(clock::monotonic()))
            };
            if let Err(error) = self.reactor.wait(wait, &mut inputs) {
                tracing::error!(%error, "the node cannot wait for its sockets, and ends");
                return;
            }
            self.take_in(&mut inputs);
            let Some(rest) = self.answer_asks() else {
                self.part();
                return;
            };
            more = rest;
            let now = clock::now();
            if self.machine.poll_timeout().is_some_and(|at| at <= now.at) {
                self.machine.handle_timeout(now);
                self.drain();
            }
            self.reactor.flush();
        }
    }

    fn take_in(&mut self, inputs: &mut Vec<StreamInput>) {
        if inputs.is_empty() {
            return;
        }
        let now = clock::now();
        for input in inputs.drain(..) {
            self.take_pieces(now, input);
        }
    }

    /// What comes in one long piece is answered in short ones, so that the peer goes on with the
    /// first answers while the others are made.
    fn take_pieces(&mut self, now: Now, input: StreamInput) {
        let (conn, octets) = match input {
            StreamInput::Data { conn, octets } if octets.len() > PIECE => (conn, octets),
            other => return self.take_one(now, other),
        };
        let mut pieces = octets.chunks(PIECE).map(<[u8]>::to_vec).peekable();
        while let Some(octets) = pieces.next() {
            self.take_one(now, StreamInput::Data { conn, octets });
            if pieces.peek().is_some() {
                self.reactor.flush();
            }
        }
    }

    fn take_one(&mut self, now: Now, input: StreamInput) {
        let input = self.side.take(input);
        self.machine.handle_input(now, input);
        self.drain();
    }

    /// Whether more wait; `None` when the machine is to stop.
    fn answer_asks(&mut self) -> Option<bool> {
        for _ in 0..ASKS {
            match self.asked.try_recv() {
                Ok(Ask::Input(input)) => self.machine.handle_input(clock::now(), input),
                Ok(Ask::Act(act)) => act(&mut self.machine, clock::now()),
                Ok(Ask::Stop) | Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => return Some(false),
            }
            self.drain();
        }
        Some(true)
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.side.route(output, &mut self.reactor);
        }
    }

    /// Gives the farewells of a stopped machine time to leave, and those of its peers to come.
    fn part(mut self) {
        let end: Instant = clock::monotonic() + FAREWELL;
        let mut inputs = Vec::new();
        loop {
            self.reactor.flush();
            let left = end.since(clock::monotonic());
            if self.reactor.is_idle() || left.is_zero() {
                return;
            }
            if self.reactor.wait(Some(left), &mut inputs).is_err() {
                return;
            }
            self.take_in(&mut inputs);
        }
    }
}
