use alloc::vec::Vec;

use heiiki_types::Ambr;

const KBPS_OF_256_MBPS: u64 = 256_000;

/// One direction of the element in kbit/s, from its octet, its extension and its second extension
/// (TS 24.301 Table 9.9.4.2.1).
fn kbps(base: u8, extended: u8, extended_2: u8) -> u64 {
    let low = match extended {
        0 => base_kbps(base),
        1.. => extended_kbps(extended),
    };
    match extended_2 {
        0 | 255 => low,
        n => u64::from(n) * KBPS_OF_256_MBPS + low,
    }
}

/// The first octet. Zero is reserved; read as no rate, like 255.
const fn base_kbps(octet: u8) -> u64 {
    let v = octet as u64;
    match octet {
        0 | 255 => 0,
        1..=63 => v,
        64..=127 => 64 + (v - 64) * 8,
        128..=254 => 576 + (v - 128) * 64,
    }
}

/// The extension octet, 1 and up; what is above 250 reads as 250.
const fn extended_kbps(octet: u8) -> u64 {
    let v = octet as u64;
    match octet {
        0..=74 => 8_600 + v * 100,
        75..=186 => 16_000 + (v - 74) * 1_000,
        187..=250 => 128_000 + (v - 186) * 2_000,
        251.. => KBPS_OF_256_MBPS,
    }
}

/// The greatest octet of `range` whose rate is not above `kbps`.
fn at_most(kbps: u64, range: core::ops::RangeInclusive<u8>, rate: fn(u8) -> u64) -> Option<u8> {
    range.rev().find(|octet| rate(*octet) <= kbps)
}

/// The three octets of a rate. What cannot be said exactly goes down to the next rate below, so
/// that the UE never believes it has more than it has; less than 1 kbit/s goes up to it.
fn octets(bps: u64) -> (u8, u8, u8) {
    if bps == 0 {
        return (255, 0, 0);
    }
    let kbps = (bps / 1_000).max(1);
    let steps = kbps.div_ceil(KBPS_OF_256_MBPS).saturating_sub(1);
    let (high, low) = match u8::try_from(steps) {
        Ok(n @ 0..=254) => (n, kbps - u64::from(n) * KBPS_OF_256_MBPS),
        _ => (254, KBPS_OF_256_MBPS),
    };
    match at_most(low, 1..=250, extended_kbps) {
        Some(extended) => (254, extended, high),
        None => (at_most(low, 1..=254, base_kbps).unwrap_or(255), 0, high),
    }
}

/// Reads an APN-AMBR, TS 24.301 §9.9.4.2.
pub(crate) fn decode_ambr(value: &[u8]) -> Option<Ambr> {
    let (down, up) = match *value {
        [down, up] => (kbps(down, 0, 0), kbps(up, 0, 0)),
        [down, up, down_1, up_1] => (kbps(down, down_1, 0), kbps(up, up_1, 0)),
        [down, up, down_1, up_1, down_2, up_2, ..] => {
            (kbps(down, down_1, down_2), kbps(up, up_1, up_2))
        }
        _ => return None,
    };
    Some(Ambr {
        uplink_bps: up * 1_000,
        downlink_bps: down * 1_000,
    })
}

/// Writes an APN-AMBR with as many extensions as it needs.
pub(crate) fn encode_ambr(ambr: Ambr) -> Vec<u8> {
    let (down, down_1, down_2) = octets(ambr.downlink_bps);
    let (up, up_1, up_2) = octets(ambr.uplink_bps);
    let mut out = Vec::from([down, up]);
    let second = down_2 != 0 || up_2 != 0;
    if second || down_1 != 0 || up_1 != 0 {
        out.extend([down_1, up_1]);
    }
    if second {
        out.extend([down_2, up_2]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambr(down: u64, up: u64) -> Ambr {
        Ambr {
            uplink_bps: up,
            downlink_bps: down,
        }
    }

    #[test]
    fn figures_of_the_table() {
        // TS 24.301 Table 9.9.4.2.1: the ends of each range.
        let base = [
            (1, 1),
            (63, 63),
            (64, 64),
            (127, 568),
            (128, 576),
            (254, 8_640),
        ];
        for (octet, rate) in base {
            assert_eq!(kbps(octet, 0, 0), rate);
        }
        let extended = [
            (1, 8_700),
            (74, 16_000),
            (75, 17_000),
            (186, 128_000),
            (187, 130_000),
        ];
        for (octet, rate) in extended {
            assert_eq!(kbps(254, octet, 0), rate);
        }
        assert_eq!(kbps(254, 250, 0), 256_000);
        assert_eq!(kbps(254, 251, 0), 256_000);
        assert_eq!(kbps(254, 0, 1), 264_640);
        assert_eq!(kbps(254, 250, 254), 65_280_000);
        assert_eq!(kbps(254, 250, 255), 256_000);
    }

    #[test]
    fn rates_both_ways() {
        let cases: [(Ambr, &[u8]); 5] = [
            (ambr(64_000, 1_000), &[64, 1]),
            (ambr(0, 8_640_000), &[255, 254]),
            (ambr(100_000_000, 50_000_000), &[254, 254, 158, 108]),
            (ambr(1_002_000_000, 64_000), &[254, 64, 239, 0, 3, 0]),
            (ambr(256_000_000, 512_000_000), &[254, 254, 250, 250, 0, 1]),
        ];
        for (value, octets) in cases {
            assert_eq!(decode_ambr(octets), Some(value));
            assert_eq!(encode_ambr(value), octets, "{value:?}");
        }
        // Not to be said exactly: the next rate below.
        assert_eq!(
            encode_ambr(ambr(1_000_000_000, 70_000)),
            [254, 64, 238, 0, 3, 0]
        );
        assert_eq!(decode_ambr(&[1, 1, 1]), None);
    }

    #[test]
    fn never_more_than_the_rate_and_close_to_it() {
        let mut rng = heiiki_types::Rng::from_seed(1);
        for _ in 0..10_000 {
            let wanted = 1_000 + rng.below(65_280_000_000);
            let said = decode_ambr(&encode_ambr(ambr(wanted, wanted))).unwrap();
            assert!(
                said.uplink_bps <= wanted && said.uplink_bps * 100 >= wanted * 88,
                "{wanted}"
            );
            assert_eq!(decode_ambr(&encode_ambr(said)), Some(said));
        }
        assert_eq!(
            decode_ambr(&encode_ambr(ambr(1, u64::MAX))),
            Some(ambr(1_000, 65_280_000_000))
        );
    }
}
