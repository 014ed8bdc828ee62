use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// The wire of a host: packets wait on either side of it. Buffers of received packets are used
/// again for packets to be sent.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) received: VecDeque<Vec<u8>>,
    pub(super) sent: VecDeque<Vec<u8>>,
    /// Lent by the segment while the host works.
    pub(super) free: Vec<Vec<u8>>,
    mtu: usize,
}

impl Wire {
    pub(super) const FREE: usize = 8_192;

    pub(super) const fn new(mtu: usize) -> Self {
        Self {
            received: VecDeque::new(),
            sent: VecDeque::new(),
            free: Vec::new(),
            mtu,
        }
    }
}

#[derive(Debug)]
pub(super) struct Received<'a> {
    packet: Vec<u8>,
    free: &'a mut Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Sending<'a> {
    sent: &'a mut VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
}

impl phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let result = f(&self.packet);
        if self.free.len() < Wire::FREE {
            self.free.push(self.packet);
        }
        result
    }
}

impl phy::TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, len: usize, f: F) -> R {
        self.buffer.clear();
        self.buffer.resize(len, 0);
        let result = f(&mut self.buffer);
        self.sent.push_back(self.buffer);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sending<'_>)> {
        let packet = self.received.pop_front()?;
        let buffer = self.free.pop().unwrap_or_default();
        let received = Received {
            packet,
            free: &mut self.free,
        };
        let sending = Sending {
            sent: &mut self.sent,
            buffer,
        };
        Some((received, sending))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sending<'_>> {
        let buffer = self.free.pop().unwrap_or_default();
        Some(Sending {
            sent: &mut self.sent,
            buffer,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}
