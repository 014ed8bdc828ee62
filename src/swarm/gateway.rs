//! A gateway with a prompt disk, its SGWs and its segments played by whoever holds it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, UdpHeader};
use heiiki_gtp::c::{
    self, BearerContextToBeCreated, BearerQos, CreateSessionRequest, CreateSessionResponse,
    DeleteSessionRequest, FTeid, Header, Indication, IndicationFlag, Interface, Message, Paa,
    PdnType,
};
use heiiki_gtp::u;
use heiiki_pgw::{ApnConfig, Input, Output, Pgw, PgwConfig, TenantConfig, TenantId, Tokens};
use heiiki_types::{
    Ambr, Arp, Datagram, Ebi, Imsi, Instant, Machine as _, Now, Prefix, Protections, Qci, Rng,
    StorageInput, StorageOutput, Teid, Token, UeAddresses, UeIpv6, WallTime,
};

/// Where the gateway's control plane is.
const S5C: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 2_123);
/// The tenants; each has an access point of its own name, and both the same ranges.
pub(super) const TENANTS: [&str; 2] = ["red", "blue"];

/// A session as its SGW sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnel {
    pub(super) sgw: Ipv4Addr,
    pub(super) tenant: usize,
    pub(super) addresses: UeAddresses,
    pub(super) pgw_c: Teid,
    pub(super) pgw_u: FTeid,
    pub(super) sgw_c: Teid,
    pub(super) sgw_u: Teid,
}

/// The gateway and what it has said.
pub(super) struct Gateway {
    pub(super) pgw: Pgw,
    pub(super) now: Now,
    config: PgwConfig,
    sequence: u32,
    next_teid: u32,
    pub(super) s5c: Vec<Datagram>,
    pub(super) s5u: Vec<Datagram>,
    pub(super) sgi: Vec<(TenantId, Vec<u8>)>,
    pub(super) events: u64,
}

fn prefix(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|e| format!("{text}: {e}"))
}

fn config(change: impl FnOnce(&mut Protections)) -> Result<PgwConfig, String> {
    let tokens = Tokens {
        admin: Token::new("admin".into()),
        operate: Token::new("operate".into()),
        cut_only: Token::new("cut".into()),
    };
    let workers = [11, 12].map(|n| SocketAddr::from(([192, 0, 2, n], 2_152)));
    let mut config = PgwConfig::new("pgw-1", S5C, &workers, tokens);
    config.sgws = vec![prefix("198.51.100.0/24")?];
    config.infrastructure = vec![prefix("172.31.0.0/16")?, prefix("fd00:c0::/32")?];
    config.limits.sessions = 1_024;
    config.quarantine = Duration::from_secs(30);
    for name in TENANTS {
        let mut tenant = TenantConfig::new(name, "", prefix("10.20.0.0/16")?);
        tenant.prefixes.push(prefix("fd20::/32")?.into());
        tenant.ue_to_ue = heiiki_pgw::UeToUe::Allow;
        config.tenants.push(tenant);
        let apn = name.parse().map_err(|e| format!("{name}: {e}"))?;
        let mut apn = ApnConfig::new(apn, name, prefix("10.20.0.0/24")?);
        apn.pool_v6 = Some(prefix("fd20:0:1::/56")?);
        config.apns.push(apn);
    }
    change(&mut config.protections);
    Ok(config)
}

impl Gateway {
    /// A gateway that serves, drawn from a seed, with the same ranges for both tenants.
    pub(super) fn new(seed: u64, change: impl FnOnce(&mut Protections)) -> Result<Self, String> {
        let config = config(change)?;
        let pgw = Pgw::new(config.clone(), Rng::from_seed(seed).fork("pgw"));
        let mut gateway = Self {
            pgw: pgw.map_err(|e| format!("the configuration: {e:?}"))?,
            now: Now {
                at: Instant::from_micros(1_000_000),
                wall: WallTime::from_unix_micros(1_780_000_000_000_000),
            },
            config,
            sequence: 0x10_0000,
            next_teid: 0x1000,
            s5c: Vec::new(),
            s5u: Vec::new(),
            sgi: Vec::new(),
            events: 0,
        };
        gateway.pgw.start(gateway.now);
        gateway.drain();
        Ok(gateway)
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now.at += span;
        self.now.wall = self.now.wall + span;
        while self.pgw.poll_timeout().is_some_and(|at| at <= self.now.at) {
            self.pgw.handle_timeout(self.now);
            self.drain();
        }
    }

    fn input(&mut self, input: Input) {
        self.pgw.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.pgw.poll_output() {
            match output {
                Output::S5c(datagram) => self.s5c.push(datagram),
                Output::S5u { datagram, .. } => self.s5u.push(datagram),
                Output::Sgi { tenant, packet, .. } => self.sgi.push((tenant, packet)),
                Output::Storage(StorageOutput::Load) => {
                    self.store(StorageInput::Loaded(Vec::new()));
                }
                Output::Storage(StorageOutput::Persist { seq, .. }) => {
                    self.store(StorageInput::Persisted { seq });
                }
                Output::Event(_) => self.events += 1,
                Output::Sentinel { .. } | Output::AdminReply { .. } => {}
            }
        }
    }

    fn store(&mut self, input: StorageInput) {
        self.pgw.handle_input(self.now, Input::Storage(input));
    }

    /// Sends a datagram of GTP-C.
    pub(super) fn send_c(&mut self, sgw: Ipv4Addr, payload: Vec<u8>) {
        let datagram = Datagram {
            local: S5C,
            remote: (sgw, 2_123).into(),
            payload,
        };
        self.input(Input::S5c(datagram));
    }

    /// Sends a datagram of GTP-U to a worker.
    pub(super) fn send_u(&mut self, sgw: Ipv4Addr, worker: usize, payload: Vec<u8>) {
        let local = self.config.workers.get(worker).map(|w| w.s5u_local);
        let datagram = Datagram {
            local: local.unwrap_or(S5C),
            remote: (sgw, 2_152).into(),
            payload,
        };
        self.input(Input::S5u { worker, datagram });
    }

    /// Sends a packet up a session's tunnel.
    pub(super) fn uplink(&mut self, tunnel: &Tunnel, packet: &[u8]) {
        let worker = worker_of(&tunnel.pgw_u);
        self.send_u(tunnel.sgw, worker, gpdu(tunnel.pgw_u.teid, packet));
    }

    /// Sends a packet from a tenant's segment.
    pub(super) fn downlink(&mut self, tenant: usize, packet: Vec<u8>) {
        self.input(Input::Sgi {
            worker: 0,
            tenant: tenant_id(tenant),
            packet,
        });
    }

    pub(super) fn header(&mut self, message: &Message, teid: Option<u32>) -> Header {
        self.sequence = (self.sequence + 1) & 0xff_ffff;
        Header {
            message_type: message.message_type(),
            teid,
            sequence: self.sequence,
            piggybacked: false,
        }
    }

    /// Sends a request and returns its response.
    pub(super) fn ask(
        &mut self,
        sgw: Ipv4Addr,
        teid: Option<u32>,
        message: &Message,
    ) -> Result<Message, String> {
        let header = self.header(message, teid);
        self.send_c(sgw, c::encode(header, message));
        let responses = core::mem::take(&mut self.s5c);
        let own = responses
            .iter()
            .filter(|d| d.remote.ip() == IpAddr::V4(sgw));
        own.filter_map(|d| c::decode(&d.payload).ok())
            .find(|d| d.header.sequence == header.sequence)
            .and_then(|d| d.message.ok())
            .ok_or_else(|| format!("{:?} was not answered", header.message_type))
    }

    /// A request for a session of both families.
    pub(super) fn request(
        &mut self,
        sgw: Ipv4Addr,
        imsi: Imsi,
        tenant: usize,
    ) -> Result<Box<CreateSessionRequest>, String> {
        self.next_teid += 2;
        let end = |interface, teid| {
            let teid = Teid::new(teid).ok_or("a TEID of zero")?;
            Ok::<_, String>(FTeid::new(interface, teid, sgw.into()))
        };
        let arp = Arp {
            priority_level: 8,
            may_preempt: false,
            may_be_preempted: true,
        };
        let bearer = BearerContextToBeCreated {
            ebi: Ebi::FIRST,
            tft: None,
            s5s8_u_sgw_f_teid: Some(end(Interface::S5S8_SGW_GTPU, self.next_teid + 1)?),
            bearer_qos: BearerQos::non_gbr(Qci(9), arp),
        };
        let control = end(Interface::S5S8_SGW_GTPC, self.next_teid)?;
        let name = TENANTS.get(tenant).copied().unwrap_or_default();
        let apn = name.parse().map_err(|e| format!("{name}: {e}"))?;
        let mut request = CreateSessionRequest::new(control, apn, vec![bearer]);
        request.imsi = Some(imsi);
        request.selection_mode = Some(0);
        request.pdn_type = Some(PdnType::V4V6);
        request.indication = Some(Indication::default().with(IndicationFlag::DUAL_ADDRESS_BEARER));
        request.paa = Some(Paa::V4V6 {
            v4: Ipv4Addr::UNSPECIFIED,
            prefix: core::net::Ipv6Addr::UNSPECIFIED,
            length: 0,
        });
        request.maximum_apn_restriction = Some(0);
        request.apn_ambr = Some(Ambr {
            uplink_bps: 1_000_000_000,
            downlink_bps: 1_000_000_000,
        });
        request.serving_network = "00101".parse().ok();
        Ok(Box::new(request))
    }

    /// Sets a session up.
    pub(super) fn create(
        &mut self,
        sgw: Ipv4Addr,
        imsi: Imsi,
        tenant: usize,
    ) -> Result<Tunnel, String> {
        let request = self.request(sgw, imsi, tenant)?;
        let sgw_c = request.sender_f_teid.teid;
        let sgw_u = request
            .bearer_contexts
            .first()
            .and_then(|b| b.s5s8_u_sgw_f_teid);
        let sgw_u = sgw_u.ok_or("a request without a tunnel")?.teid;
        let message = Message::CreateSessionRequest(request);
        match self.ask(sgw, Some(0), &message)? {
            Message::CreateSessionResponse(response) => {
                tunnel(sgw, tenant, (sgw_c, sgw_u), &response)
                    .ok_or_else(|| format!("no session: {:?}", response.cause))
            }
            other => Err(format!("{other:?}")),
        }
    }

    /// Ends a session.
    pub(super) fn delete(&mut self, tunnel: &Tunnel) -> Result<(), String> {
        let message = Message::DeleteSessionRequest(DeleteSessionRequest {
            linked_ebi: Some(Ebi::FIRST),
            ..DeleteSessionRequest::default()
        });
        match self.ask(tunnel.sgw, Some(tunnel.pgw_c.get()), &message)? {
            Message::DeleteSessionResponse(r) if r.cause.is_accepted() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
}

fn tunnel(
    sgw: Ipv4Addr,
    tenant: usize,
    (sgw_c, sgw_u): (Teid, Teid),
    response: &CreateSessionResponse,
) -> Option<Tunnel> {
    let v6 = |address: core::net::Ipv6Addr| UeIpv6 {
        prefix: heiiki_types::Prefix64::of(address),
        interface: u64::try_from(address.to_bits() & u128::from(u64::MAX)).unwrap_or(0),
    };
    let addresses = match response.paa? {
        Paa::V4(v4) => UeAddresses::V4(v4),
        Paa::V6 { prefix, .. } => UeAddresses::V6(v6(prefix)),
        Paa::V4V6 { v4, prefix, .. } => UeAddresses::V4V6(v4, v6(prefix)),
        Paa::NonIp | Paa::Ethernet => return None,
    };
    Some(Tunnel {
        sgw,
        tenant,
        addresses,
        pgw_c: response.pgw_s5s8_f_teid?.teid,
        pgw_u: response.bearer_contexts.first()?.s5s8_u_pgw_f_teid?,
        sgw_c,
        sgw_u,
    })
}

/// The worker whose address is in an F-TEID.
pub(super) fn worker_of(end: &FTeid) -> usize {
    usize::from(end.address.ip() != IpAddr::V4(Ipv4Addr::new(192, 0, 2, 11)))
}

pub(super) fn tenant_id(tenant: usize) -> TenantId {
    TenantId(u16::try_from(tenant).unwrap_or(u16::MAX))
}

/// A G-PDU.
pub(super) fn gpdu(teid: Teid, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    let mut octets = u::encode_gpdu_header(teid, length).to_vec();
    octets.extend(packet);
    octets
}

/// A SIM by its number.
pub(super) fn sim(number: u64) -> Result<Imsi, String> {
    let text = format!("00101{number:010}");
    text.parse().map_err(|e| format!("{text}: {e}"))
}

/// A UDP packet of either family with this payload.
pub(super) fn udp(from: IpAddr, to: IpAddr, port: u16, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UdpHeader::LEN + payload.len()).ok()?;
    let (mut out, udp) = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let (from, to) = (from.octets(), to.octets());
            let mut ip = Ipv4Header::new(length, 64, IpNumber::UDP, from, to).ok()?;
            ip.header_checksum = ip.calc_header_checksum();
            let udp = UdpHeader::with_ipv4_checksum(4_000, port, &ip, payload).ok()?;
            (ip.to_bytes().to_vec(), udp)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let ip = Ipv6Header {
                payload_length: length,
                next_header: IpNumber::UDP,
                hop_limit: 64,
                source: from.octets(),
                destination: to.octets(),
                ..Ipv6Header::default()
            };
            let udp = UdpHeader::with_ipv6_checksum(4_000, port, &ip, payload).ok()?;
            (ip.to_bytes().to_vec(), udp)
        }
        _ => return None,
    };
    out.extend(udp.to_bytes());
    out.extend(payload);
    Some(out)
}
