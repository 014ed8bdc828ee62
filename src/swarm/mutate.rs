//! Messages broken at random, for the floods.

use heiiki_types::Rng;

/// A number below `n`, or zero.
pub(super) fn pick(rng: &mut Rng, n: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(n.max(1)).unwrap_or(1))).unwrap_or(0)
}

/// One to three changes at or after `from`: bits, octets, edges of fields; words of four octets
/// taken out or put in twice at or after `movable`.
pub(super) fn mutate(octets: &mut Vec<u8>, rng: &mut Rng, from: usize, movable: usize) {
    for _ in 0..=pick(rng, 3) {
        let at = from + pick(rng, octets.len().saturating_sub(from));
        let word = at - at % 4;
        let has_word = word >= movable && word + 4 <= octets.len();
        let value = u8::try_from(pick(rng, 256)).unwrap_or_default();
        let bit = pick(rng, 8);
        let edge = [0, 1, 0x7f, 0x80, 0xff]
            .get(pick(rng, 5))
            .copied()
            .unwrap_or_default();
        match (pick(rng, 8), octets.get_mut(at)) {
            (0, Some(o)) => *o = value,
            (1..=3, Some(o)) => *o ^= 1 << bit,
            (4 | 5, Some(o)) => *o = edge,
            (6, _) if has_word => {
                octets.drain(word..word + 4);
            }
            (_, Some(_)) if word >= movable => {
                let rest = octets.get(word..).unwrap_or_default();
                let copy: Vec<u8> = rest.iter().take(4 * (1 + pick(rng, 8))).copied().collect();
                octets.splice(word..word, copy);
            }
            _ => {}
        }
    }
}
