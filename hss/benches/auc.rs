//! Vectors a second on one core: `cargo bench -p heiiki-hss --bench auc`.
#![allow(missing_docs, reason = "criterion makes the functions")]

use core::array::from_fn;
use core::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heiiki_hss::auc::milenage::Milenage;
use heiiki_hss::auc::sqn::Sqn;
use heiiki_hss::auc::vector::{EpsVector, VectorInputs};
use heiiki_types::{Key128, PlmnId, Rng};

const SIMS: usize = 4096;

fn vectors(c: &mut Criterion) {
    let mut rng = Rng::from_seed(1);
    let keys: Vec<(Key128, Key128)> = (0..SIMS)
        .map(|_| (Key128::new(rng.octets()), Key128::new(rng.octets())))
        .collect();
    let Ok(plmn) = "00101".parse::<PlmnId>() else {
        return;
    };
    let Some(first) = keys.first() else {
        return;
    };
    let mut next = 0_u64;
    let mut ask = || {
        next += 1;
        let place = usize::try_from(next).unwrap_or(0) % SIMS;
        let (k, opc) = keys.get(place).unwrap_or(first);
        let mut rand = [0; 16];
        rand[..8].copy_from_slice(&next.to_be_bytes());
        VectorInputs {
            k,
            opc,
            rand,
            sqn: Sqn::from_value(next).unwrap_or(Sqn::from_octets([0; 6])),
            amf: [0x80, 0],
            plmn,
        }
    };
    let mut group = c.benchmark_group("eps_vector_with_kasme");
    group.throughput(Throughput::Elements(1));
    group.bench_function("single", |b| {
        b.iter(|| {
            let a = ask();
            let sim = Milenage::new(a.k, a.opc);
            black_box(EpsVector::new(&sim, a.rand, a.sqn, a.amf, a.plmn))
        });
    });
    group.throughput(Throughput::Elements(16));
    group.bench_function("batch_of_16", |b| {
        b.iter(|| {
            let asks: [_; 16] = from_fn(|_| ask());
            black_box(EpsVector::batch(asks))
        });
    });
    group.finish();
}

criterion_group!(benches, vectors);
criterion_main!(benches);
