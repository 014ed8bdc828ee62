//! Random operations on a whole gateway, with the design's invariants after each.

use alloc::collections::{BTreeMap, BTreeSet};

use heiiki_gtp::c::Cause;
use heiiki_types::{Duration, Rng};

use super::bed::{BLUE, Bed, INTRANET, OTHER_SGW, RED, SGW, Tunnel, config, imsi, udp};
use crate::TenantId;

const SIMS: u64 = 6;
const APNS: [(&str, TenantId); 2] = [("red.corp", RED), ("blue.corp", BLUE)];

struct Model {
    bed: Bed,
    rng: Rng,
    /// What each SIM holds, by its bearer.
    tunnels: BTreeMap<(u32, u8), (Tunnel, TenantId)>,
    versions: BTreeMap<u32, u64>,
    barred: BTreeSet<u32>,
}

impl Model {
    fn below(&mut self, bound: u64) -> u32 {
        u32::try_from(self.rng.below(bound)).unwrap()
    }

    fn version(&mut self, sim: u32) -> u64 {
        let version = self.versions.entry(sim).or_default();
        *version += 1;
        *version
    }

    fn create(&mut self) {
        let sim = self.below(SIMS);
        let (apn, tenant) = APNS[usize::from(self.rng.chance(0.5))];
        let sgw = if self.rng.chance(0.5) { SGW } else { OTHER_SGW };
        let ebi = 5 + u8::try_from(self.rng.below(2)).unwrap();
        let mut request = self.bed.request_from(sgw, imsi(sim), apn);
        request.bearer_contexts[0].ebi = heiiki_types::Ebi::new(ebi).unwrap();
        let is_second = self.tunnels.iter().any(|((s, e), (tunnel, t))| {
            *s == sim && *e != ebi && *t == tenant && tunnel.sgw == sgw
        });
        let outcome = self.bed.create_with(sgw, request);
        if is_second {
            // Cause 116, and nothing else has changed; but the bar comes first.
            let expected = if self.barred.contains(&sim) { 89 } else { 116 };
            assert_eq!(outcome.map(|_| ()), Err(Cause(expected)));
            return;
        }
        if outcome.map_or_else(|cause| cause.0, |_| 16) != 89 {
            // What had the same bearer or was at the same access point is stale, whether or not
            // there is room for the new session.
            self.tunnels
                .retain(|(s, e), (_, t)| *s != sim || (*e != ebi && *t != tenant));
        }
        match outcome {
            Ok(tunnel) => {
                assert!(!self.barred.contains(&sim));
                self.tunnels.insert((sim, ebi), (tunnel, tenant));
            }
            Err(cause) => {
                assert!([89, 84, 73].contains(&cause.0), "{cause}");
                assert_eq!(cause.0 == 89, self.barred.contains(&sim));
            }
        }
    }

    fn pick(&mut self) -> Option<((u32, u8), Tunnel)> {
        let n = usize::try_from(self.rng.below(self.tunnels.len() as u64)).unwrap();
        let (key, (tunnel, _)) = self.tunnels.iter().nth(n)?;
        Some((*key, *tunnel))
    }

    fn delete(&mut self) {
        if let Some((key, tunnel)) = self.pick()
            && key.1 == 5
        {
            assert_eq!(self.bed.delete(&tunnel).0, 16);
            self.tunnels.remove(&key);
        }
    }

    fn bar(&mut self) {
        let sim = self.below(SIMS);
        let version = self.version(sim);
        let (status, body) = self.bed.bar(imsi(sim), version);
        assert_eq!(status, 200);
        let held = self.tunnels.keys().filter(|k| k.0 == sim).count();
        assert_eq!(body["sessions"], held);
        self.tunnels.retain(|k, _| k.0 != sim);
        self.barred.insert(sim);
    }

    fn lift(&mut self) {
        let sim = self.below(SIMS);
        let version = self.version(sim);
        assert_eq!(self.bed.lift(imsi(sim), version).0, 200);
        self.barred.remove(&sim);
    }

    fn packets(&mut self) {
        self.bed.sgi.clear();
        self.bed.s5u.clear();
        let all: Vec<_> = self.tunnels.values().copied().collect();
        for (n, (tunnel, tenant)) in all.iter().enumerate() {
            self.bed.uplink(tunnel, &udp(tunnel.address, INTRANET, 9));
            assert_eq!(self.bed.sgi.len(), n + 1);
            assert_eq!(self.bed.sgi[n].0, *tenant);
            self.bed
                .downlink(*tenant, &udp(INTRANET, tunnel.address, 9));
            assert_eq!(self.bed.received(tunnel).len(), 1);
        }
        assert!(self.bed.s5u.is_empty());
    }

    fn check(&mut self) {
        let control = self.bed.pgw.control();
        assert_eq!(control.waiting(), 0);
        assert_eq!(control.session_count() as usize, self.tunnels.len());
        assert_eq!(control.barred_sessions().count(), 0);
        let bars: BTreeSet<_> = control.bars().collect();
        assert_eq!(bars, self.barred.iter().map(|n| imsi(*n)).collect());
        // One address, one session, and the workers know exactly what control knows.
        let held: BTreeSet<_> = control.sessions().collect();
        let addresses: BTreeSet<_> = held.iter().map(|(_, _, t, a)| (*t, *a)).collect();
        assert_eq!(addresses.len(), held.len());
        let workers = self.bed.pgw.workers().iter();
        let known: BTreeSet<_> = workers
            .flat_map(crate::user_plane::Worker::sessions)
            .map(|s| {
                assert!(s.forwards);
                (s.session, s.imsi, s.tenant, s.addresses)
            })
            .collect();
        assert_eq!(known, held);
        let expected: BTreeSet<_> = self
            .tunnels
            .values()
            .map(|(t, n)| (*n, t.address.into()))
            .collect();
        assert_eq!(addresses, expected);
    }
}

fn run(seed: u64) {
    let mut config = config();
    for apn in &mut config.apns {
        apn.pool = "10.20.0.0/28".parse().unwrap();
    }
    config.limits.sessions = 24;
    let mut model = Model {
        bed: Bed::new(config),
        rng: Rng::from_seed(seed),
        tunnels: BTreeMap::new(),
        versions: BTreeMap::new(),
        barred: BTreeSet::new(),
    };
    for _ in 0..120 {
        match model.rng.below(20) {
            0..8 => model.create(),
            8..11 => model.delete(),
            11..13 => model.bar(),
            13..15 => model.lift(),
            15..17 => {
                let seconds = model.rng.below(90);
                model.bed.advance(Duration::from_secs(seconds));
            }
            17 => {
                let fresh = Bed::new(super::bed::config());
                let old = core::mem::replace(&mut model.bed, fresh);
                model.bed = old.crash();
            }
            _ => model.packets(),
        }
        model.check();
    }
    model.packets();
    assert_eq!(model.bed.get("/v1/audit")["closed"], true);
}

#[test]
fn random_operations_keep_the_invariants() {
    for seed in 0..40 {
        run(seed);
    }
}
