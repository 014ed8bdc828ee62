//! SIMs that exist for a measurement, and the check of every vector that comes for them.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use heiiki_types::to_hex;
use sha2::{Digest as _, Sha256};

use super::wire::{PLMN, Vector};

/// IMSI of the first SIM: 001 01 0000000000.
pub(super) const FIRST_IMSI: u64 = 1_010_000_000_000;
/// The access point of every SIM.
pub(super) const APN: &str = "bench.corp";

/// K and OPc of the `n`th SIM, the same in every run.
fn keys(n: u32) -> ([u8; 16], [u8; 16]) {
    let mut hash = Sha256::new();
    hash.update(b"bench-hss SIM");
    hash.update(n.to_be_bytes());
    let octets: [u8; 32] = hash.finalize().into();
    let (k, opc) = octets.as_chunks::<16>().0.split_at(1);
    (
        k.first().copied().unwrap_or_default(),
        opc.first().copied().unwrap_or_default(),
    )
}

/// Writes the file that is imported.
pub(super) fn write_csv(path: &Path, count: u32) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "imsi,k,opc,amf,tenant,apn")?;
    for n in 0..count {
        let (k, opc) = keys(n);
        let imsi = FIRST_IMSI + u64::from(n);
        writeln!(
            out,
            "{imsi:015},{},{},8000,bench,{APN}",
            to_hex(&k),
            to_hex(&opc)
        )?;
    }
    out.flush()
}

/// The `n`th SIM's K and OPc, for a whole run.
pub(super) struct Sims {
    keys: Vec<([u8; 16], [u8; 16])>,
    /// The highest SEQ that was seen of each, plus one.
    seen: Vec<u64>,
    /// One answer of this many is computed again.
    every: u32,
    turn: u32,
    /// Answers whose vector was computed again.
    pub(super) verified: u64,
}

impl Sims {
    pub(super) fn new(count: u32, every: u32) -> Self {
        Self {
            keys: (0..count).map(keys).collect(),
            seen: (0..count).map(|_| 0).collect(),
            every: every.max(1),
            turn: 0,
            verified: 0,
        }
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.keys.len()).unwrap_or(u32::MAX)
    }

    /// The keys of a SIM, for the measurement of functions.
    pub(super) fn keys(&self, n: usize) -> ([u8; 16], [u8; 16]) {
        self.keys
            .get(n % self.keys.len().max(1))
            .copied()
            .unwrap_or_default()
    }

    /// Computes RES, AUTN and KASME again with an implementation by others, and sees that the SQN
    /// was not used before. Says what is wrong.
    pub(super) fn check(&mut self, sim: u32, vector: Vector<'_>) -> Result<(), String> {
        self.turn += 1;
        if self.turn < self.every {
            return Ok(());
        }
        self.turn = 0;
        self.verified += 1;
        let place = usize::try_from(sim).unwrap_or(usize::MAX);
        let Some((k, opc)) = self.keys.get(place).copied() else {
            return Err("no such SIM".to_owned());
        };
        let mut usim = milenage::Milenage::new_with_opc(k, opc);
        let (res, ck, ik, ak) = usim.f2345(vector.rand);
        let [s0, s1, s2, s3, s4, s5, a0, a1, mac @ ..] = *vector.autn;
        let hidden = [s0, s1, s2, s3, s4, s5];
        let mut sqn = hidden;
        sqn.iter_mut().zip(ak).for_each(|(s, k)| *s ^= k);
        if *vector.xres != res {
            return Err(format!("SIM {sim}: XRES is wrong"));
        }
        if usim.f1(vector.rand, &sqn, &[a0, a1]) != mac {
            return Err(format!("SIM {sim}: AUTN is not of this SIM's key"));
        }
        if a0 & 0x80 == 0 {
            return Err(format!("SIM {sim}: AMF lacks the separation bit"));
        }
        if *vector.kasme != kasme(&ck, &ik, hidden) {
            return Err(format!("SIM {sim}: KASME is wrong"));
        }
        let [s0, s1, s2, s3, s4, s5] = sqn;
        let seq = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]) >> 5;
        match self.seen.get_mut(place) {
            Some(next) if seq >= *next => *next = seq + 1,
            _ => return Err(format!("SIM {sim}: SEQ {seq} comes again")),
        }
        Ok(())
    }
}

/// TS 33.401 §A.2, by a plain hash.
fn kasme(ck: &[u8; 16], ik: &[u8; 16], sqn_xor_ak: [u8; 6]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        let key = ck.iter().chain(ik);
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update([0x10])
        .chain_update(PLMN)
        .chain_update([0, 3])
        .chain_update(sqn_xor_ak)
        .chain_update([0, 6])
        .finalize();
    Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use heiiki_hss::auc::milenage::Milenage;
    use heiiki_hss::auc::sqn::Sqn;
    use heiiki_hss::auc::vector::EpsVector;
    use heiiki_types::Key128;

    fn vector(sim: u32, seq: u64) -> EpsVector {
        let (k, opc) = keys(sim);
        let sim = Milenage::new(&Key128::new(k), &Key128::new(opc));
        let sqn = Sqn::new(seq, 3).unwrap();
        EpsVector::new(&sim, [9; 16], sqn, [0x80, 0], "00101".parse().unwrap())
    }

    #[test]
    fn a_wrong_vector_and_a_repeated_number_are_found() {
        let mut sims = Sims::new(10, 1);
        let mut check = |sim, eps: &EpsVector| {
            let vector = Vector {
                rand: &eps.rand,
                xres: eps.xres.expose(),
                autn: &eps.autn,
                kasme: eps.kasme.expose(),
            };
            sims.check(sim, vector)
        };
        let good = vector(3, 7);
        assert_eq!(check(3, &good), Ok(()));
        assert!(check(3, &good).is_err(), "the same number again");
        assert!(check(3, &vector(3, 6)).is_err(), "an older number");
        assert!(check(4, &vector(3, 8)).is_err(), "another SIM's");
        let mut forged = vector(3, 9);
        forged.autn[15] ^= 1;
        assert!(check(3, &forged).is_err());
        let mut forged = vector(3, 9);
        forged.kasme = heiiki_types::Key256::new([0; 32]);
        assert!(check(3, &forged).is_err());
        assert_eq!(check(3, &vector(3, 9)), Ok(()));
    }
}
