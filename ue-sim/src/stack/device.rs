//! The queue between the IP stack and the radio.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

use super::packet::HEADROOM;

/// One downlink packet at a time in, uplink packets with headroom out.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) downlink: Option<Vec<u8>>,
    pub(super) uplink: VecDeque<Vec<u8>>,
    pub(super) mtu: usize,
}

impl Device for Queue {
    type RxToken<'a> = Received;
    type TxToken<'a> = Slot<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Slot<'_>)> {
        let packet = self.downlink.take()?;
        Some((Received(packet), Slot(&mut self.uplink)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Slot<'_>> {
        Some(Slot(&mut self.uplink))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

pub(super) struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(super) struct Slot<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxToken for Slot<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = alloc::vec![0; HEADROOM + len];
        let result = f(packet.get_mut(HEADROOM..).unwrap_or_default());
        self.0.push_back(packet);
        result
    }
}
