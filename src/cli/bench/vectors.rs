//! Vectors a second on this core, without any process around them.

use core::array::from_fn;
use core::hint::black_box;
use core::time::Duration;

use heiiki_hss::auc::milenage::Milenage;
use heiiki_hss::auc::sqn::Sqn;
use heiiki_hss::auc::vector::{EpsVector, VectorInputs};
use heiiki_net::clock::nanos;
use heiiki_types::{Key128, PlmnId};

use super::sims::Sims;
use super::table::Row;

/// Vectors between two looks at the clock.
const LOT: usize = 1_024;
/// SIMs of a batch.
const BATCH: usize = heiiki_hss::auc::vector::BATCH;
/// SIMs that take turns: more than the first cache holds.
const SIMS: usize = 4_096;

pub(super) fn measure(sims: &Sims, runs: u32, time: Duration) -> Vec<Row> {
    let keys: Vec<(Key128, Key128)> = (0..SIMS)
        .map(|n| {
            let (k, opc) = sims.keys(n);
            (Key128::new(k), Key128::new(opc))
        })
        .collect();
    let Ok(plmn) = "00101".parse::<PlmnId>() else {
        return Vec::new();
    };
    let Some(first) = keys.first() else {
        return Vec::new();
    };
    let mut turn = 0_u64;
    let mut ask = || {
        turn += 1;
        let place = usize::try_from(turn).unwrap_or(0) % SIMS;
        let (k, opc) = keys.get(place).unwrap_or(first);
        VectorInputs {
            k,
            opc,
            rand: u128::from(turn).to_be_bytes(),
            sqn: Sqn::from_value(turn).unwrap_or(Sqn::from_octets([0; 6])),
            amf: [0x80, 0],
            plmn,
        }
    };
    let (mut single, mut batch) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        single.push(rate(time / 4, || {
            for _ in 0..LOT {
                let a = ask();
                let sim = Milenage::new(a.k, a.opc);
                black_box(EpsVector::new(&sim, a.rand, a.sqn, a.amf, a.plmn));
            }
        }));
        batch.push(rate(time / 4, || {
            for _ in 0..LOT / BATCH {
                let asks: [_; BATCH] = from_fn(|_| ask());
                black_box(EpsVector::batch(asks));
            }
        }));
    }
    vec![
        Row::new("EPS vectors with KASME, single", "1/s", single),
        Row::new("EPS vectors with KASME, batches of 16 SIMs", "1/s", batch),
    ]
}

/// How often a second, when `lot` does it [`LOT`] times.
fn rate(time: Duration, mut lot: impl FnMut()) -> f64 {
    let (start, mut lots) = (nanos(), 0_u64);
    let length = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    while nanos() - start < length {
        lot();
        lots += 1;
    }
    let done = super::float(lots) * super::float(u64::try_from(LOT).unwrap_or(0));
    done * 1e9 / super::float((nanos() - start).max(1))
}
