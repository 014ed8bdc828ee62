//! Invariant 4: sequence numbers of authentication, read off S6a.

use std::collections::{BTreeMap, BTreeSet};

use heiiki_diameter::s6a::{AuthenticationInformationAnswer, AuthenticationInformationRequest};
use heiiki_diameter::{CommandCode, Message};
use heiiki_hss::auc::auts;
use heiiki_hss::auc::sqn::Sqn;
use heiiki_hss::{Event, Resynchronisation};
use heiiki_types::Imsi;

use super::secrets::Secrets;
use super::{Truth, Violation, broken};

/// What was asked for and handed out.
#[derive(Debug, Default)]
pub(super) struct Vectors {
    /// The SIM of each request, by its session.
    asked: BTreeMap<String, Imsi>,
    /// The last SEQ of each SIM and IND.
    last: BTreeMap<(Imsi, u8), u64>,
    /// SEQs of the genuine resynchronisation tokens of each SIM.
    tokens: BTreeMap<Imsi, BTreeSet<u64>>,
}

/// The messages in what one node sent at once.
fn messages(mut octets: &[u8]) -> impl Iterator<Item = Message> {
    core::iter::from_fn(move || {
        let [_, a, b, c, ..] = *octets else {
            return None;
        };
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let (first, rest) = octets.split_at_checked(length.max(1))?;
        octets = rest;
        Some(Message::decode(first))
    })
    .filter_map(Result::ok)
}

impl Vectors {
    /// Looks at octets of a Diameter connection. The session keys in them are secrets from now on.
    pub(super) fn diameter(
        &mut self,
        truth: &Truth,
        secrets: &mut Secrets,
        octets: &[u8],
    ) -> Option<Violation> {
        let mut found = None;
        for message in messages(octets) {
            if message.command != CommandCode::AUTHENTICATION_INFORMATION {
                continue;
            }
            if message.flags.request {
                self.request(truth, &message);
            } else {
                let answer = self.answer(truth, secrets, &message);
                found = found.or(answer);
            }
        }
        found
    }

    fn request(&mut self, truth: &Truth, message: &Message) {
        let Ok(request) = AuthenticationInformationRequest::from_message(message) else {
            return;
        };
        let imsi = request.imsi;
        self.asked.insert(request.session_id, imsi);
        let token = request.requested_eutran.and_then(|r| r.resync);
        if let (Some(token), Some(sim)) = (token, truth.sims.get(&imsi))
            && let Some((rand, auts)) = token.split_first_chunk::<16>()
            && let Ok(auts) = auts.try_into()
            && let Ok(sqn) = auts::open(&sim.milenage, rand, auts)
        {
            self.tokens.entry(imsi).or_default().insert(sqn.seq());
        }
    }

    fn answer(
        &mut self,
        truth: &Truth,
        secrets: &mut Secrets,
        message: &Message,
    ) -> Option<Violation> {
        let answer = AuthenticationInformationAnswer::from_message(message).ok()?;
        let imsi = self.asked.remove(&answer.session_id)?;
        let sim = truth.sims.get(&imsi)?;
        let mut found = None;
        for vector in answer.vectors {
            let (_, ck, ik, ak) = sim.milenage.f2345(&vector.rand);
            secrets.session(&ck, &ik, &vector.kasme, vector.xres.expose());
            let Some(hidden) = vector.autn.first_chunk::<6>() else {
                continue;
            };
            let sqn = Sqn::from_octets(ak.xor(*hidden));
            let issued = self.issued(imsi, sqn);
            found = found.or(issued);
        }
        found
    }

    /// A vector with this number was handed out.
    pub(super) fn issued(&mut self, imsi: Imsi, sqn: Sqn) -> Option<Violation> {
        let (seq, ind) = (sqn.seq(), sqn.ind());
        let before = self.last.insert((imsi, ind), seq)?;
        if seq > before {
            return None;
        }
        broken(
            4,
            format!("{imsi} gets a vector with SEQ {seq} and IND {ind} after SEQ {before}"),
        )
    }

    /// Looks at what the HSS says of resynchronisations.
    pub(super) fn event(&self, event: &Event) -> Option<Violation> {
        let Event::AuthenticationInformation {
            imsi,
            resynchronisation: Some(Resynchronisation::Raised { from, to }),
            ..
        } = event
        else {
            return None;
        };
        let genuine = self.tokens.get(imsi).is_some_and(|t| t.contains(to));
        if !genuine {
            return broken(
                4,
                format!("an AUTS that the SIM did not make moves {imsi} from SEQ {from} to {to}"),
            );
        }
        if to > from {
            return None;
        }
        broken(
            4,
            format!("an AUTS takes {imsi} back from SEQ {from} to {to}"),
        )
    }
}
