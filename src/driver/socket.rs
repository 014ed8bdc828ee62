//! A control-plane UDP socket: a thread that reads it, and a handle that writes it.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use heiiki_net::udp::{BatchSocket, MAX_DATAGRAM, Udp, Waker};
use heiiki_types::Datagram;

use super::Taps;
use crate::Link;
use crate::log::Frame;

/// Socket buffers each way, octets: room for a burst while a virtual processor is not scheduled.
pub(crate) const BUFFER: usize = 4 << 20;

/// A bound socket whose datagrams go to a machine. Reading ends with the drop.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: Arc<Udp>,
    waker: Waker,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Sends from a [`Socket`]'s address.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    udp: Arc<Udp>,
    link: Link,
    taps: Taps,
}

impl Sender {
    /// Sends a datagram. What cannot be sent is lost, as any datagram can be; the log says why.
    pub(crate) fn send(&self, datagram: &Datagram) {
        let (from, to) = (self.udp.local(), datagram.remote);
        let payload = &datagram.payload;
        self.taps
            .frame(self.link, &Frame::Datagram { from, to, payload });
        if let Err(error) = self.udp.send(to, payload) {
            tracing::debug!(to = %datagram.remote, %error, "a datagram was not sent");
        }
    }
}

/// Sends from a [`Socket`]'s address, many datagrams at once.
#[derive(Debug)]
pub(crate) struct BatchSender {
    udp: BatchSocket,
    link: Link,
    taps: Taps,
}

impl BatchSender {
    /// Queues a datagram. What cannot be sent is lost, as any datagram can be.
    pub(crate) fn push(&mut self, datagram: &Datagram) {
        let (from, to) = (self.udp.local(), datagram.remote);
        let payload = &datagram.payload;
        self.taps
            .frame(self.link, &Frame::Datagram { from, to, payload });
        self.udp.push(0, to, 0, &[], payload);
    }

    /// Sends what was queued.
    pub(crate) fn flush(&mut self) {
        self.udp.flush();
    }
}

impl Socket {
    /// The way out for many datagrams, on a link that may have a tap.
    pub(crate) fn batch_sender(&self, link: Link, taps: &Taps) -> io::Result<BatchSender> {
        Ok(BatchSender {
            udp: BatchSocket::beside(&self.udp)?,
            link,
            taps: taps.clone(),
        })
    }

    /// Binds `address`.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let udp = Arc::new(Udp::bind(address, BUFFER)?);
        let stop = Arc::new(AtomicBool::new(false));
        Ok(Self {
            udp,
            waker: Waker::new()?,
            stop,
            thread: None,
        })
    }

    /// The bound address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.udp.local()
    }

    /// The way out, on a link that may have a tap.
    pub(crate) fn sender(&self, link: Link, taps: &Taps) -> Sender {
        Sender {
            udp: Arc::clone(&self.udp),
            link,
            taps: taps.clone(),
        }
    }

    /// Begins to read; every datagram goes to `deliver`.
    pub(crate) fn read(
        &mut self,
        name: &str,
        deliver: impl Fn(Datagram) + Send + 'static,
    ) -> io::Result<()> {
        let (udp, waker) = (Arc::clone(&self.udp), self.waker.clone());
        let stop = Arc::clone(&self.stop);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut buffer = vec![0; MAX_DATAGRAM];
                while !stop.load(Ordering::Acquire) && udp.wait(&waker, None).is_ok() {
                    drain(&udp, &mut buffer, &deliver);
                }
            })?;
        self.thread = Some(thread);
        Ok(())
    }
}

fn drain(udp: &Udp, buffer: &mut [u8], deliver: &impl Fn(Datagram)) {
    while let Ok(Some((length, remote))) = udp.receive(buffer) {
        let payload = buffer.get(..length).unwrap_or_default().to_vec();
        deliver(Datagram {
            local: udp.local(),
            remote,
            payload,
        });
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
