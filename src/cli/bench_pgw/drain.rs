//! A process that receives and does nothing else, for comparison.

use heiiki_net::udp::{BatchSocket, Incoming, Waker};

use super::packet::{ASK, HEAD, TOLD, read};
use super::stage::failed;
use super::traffic::BUFFER;
use crate::cli::failure::Outcome;
use crate::cli::out;

/// Takes datagrams and counts them until it is killed; tells how many when it is asked as a sink is.
pub(super) fn run(address: &str) -> Outcome {
    let address = address.parse().map_err(failed)?;
    let mut socket = BatchSocket::bind(address, BUFFER).map_err(failed)?;
    let waker = Waker::new().map_err(failed)?;
    let mut incoming = Incoming::new();
    out::line(format_args!("ready drain address={}", socket.local()))?;
    let (mut packets, mut octets) = (0_u64, 0_u64);
    loop {
        socket.receive(&mut incoming).map_err(failed)?;
        if incoming.is_empty() {
            socket.wait(&waker, None).map_err(failed)?;
            continue;
        }
        let mut asked = None;
        for (from, datagram) in incoming.datagrams() {
            let payload = datagram.get(HEAD..).unwrap_or_default();
            if payload.starts_with(ASK) {
                asked = read(datagram).map(|r| (from, r.teid, r.ends));
            } else {
                packets += 1;
                octets += u64::try_from(datagram.len() - 8).unwrap_or(0);
            }
        }
        if let Some((from, teid, ends)) = asked {
            let mut answer = TOLD.to_vec();
            answer.extend(packets.to_be_bytes());
            answer.extend(octets.to_be_bytes());
            let back = super::packet::Ends {
                from: ends.to,
                to: ends.from,
            };
            let head = super::packet::head(teid, back, answer.len());
            socket.push(0, from, 0, &head, &answer);
            socket.flush();
        }
    }
}
