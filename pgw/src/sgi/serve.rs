use alloc::vec::Vec;

use heiiki_types::Instant;

use super::Host;
use super::datagram::{self, Datagram};
use super::lane::{DNS, ECHO, Role, SINK, SOURCE};
use super::source::Sources;
use crate::config::{Service, TenantId};

/// Where RTP is sent back.
const VOICE: u16 = 5_004;
/// Where a controller hears its devices.
const PLC: u16 = 502;

/// What a datagram for a host needs to be served.
pub(super) struct Served<'a> {
    pub(super) now: Instant,
    pub(super) tenant: TenantId,
    pub(super) sources: &'a mut Sources,
    pub(super) free: &'a mut Vec<Vec<u8>>,
    /// What goes back at once.
    pub(super) answer: Option<Vec<u8>>,
}

impl Served<'_> {
    /// Serves a datagram; false if the port serves nobody.
    pub(super) fn serve(
        &mut self,
        host: &mut Host,
        datagram: &Datagram<'_>,
        packet: &[u8],
    ) -> bool {
        let Some(service) = host.role.datagrams(datagram.to.1) else {
            return false;
        };
        match service {
            Service::Throughput if datagram.to.1 == SINK => {
                if let Some(told) = host.sunk.take(datagram.payload, packet.len()) {
                    self.respond(datagram, &told);
                }
            }
            Service::Throughput => self.sources.order(self.now, self.tenant, datagram),
            Service::Echo | Service::Voice => {
                let mut out = self.free.pop().unwrap_or_default();
                datagram.turn(packet, &mut out);
                self.answer = Some(out);
            }
            Service::Dns => {
                if let Some(answer) = host.role.zone.answer(datagram.payload) {
                    self.respond(datagram, &answer);
                }
            }
            Service::Plc => self.sources.device(self.now, self.tenant, datagram),
            Service::Http => return false,
        }
        true
    }

    fn respond(&mut self, to: &Datagram<'_>, payload: &[u8]) {
        let mut out = self.free.pop().unwrap_or_default();
        datagram::write((to.to, to.from), to.class, (payload, &[]), false, &mut out);
        self.answer = Some(out);
    }
}

impl Role {
    /// What is served on a UDP port.
    fn datagrams(&self, port: u16) -> Option<Service> {
        let service = match port {
            DNS => Service::Dns,
            ECHO => Service::Echo,
            SINK | SOURCE => Service::Throughput,
            VOICE => Service::Voice,
            PLC => Service::Plc,
            _ => return None,
        };
        self.services.contains(&service).then_some(service)
    }
}
