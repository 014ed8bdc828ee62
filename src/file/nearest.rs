//! The word that was probably meant.

/// The candidate nearest to `word`, if one is near enough to be what was meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = plain(word);
    candidates
        .into_iter()
        .map(|c| (distance(&word, &plain(c)), c))
        // A third of the letters may differ: `adress` is near, `pool` is not near `plmn`.
        .filter(|(d, c)| 3 * d <= c.chars().count().max(word.chars().count()) + 1)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Letters of one case, and one separator: `uplinkBps`, `uplink-bps` and `uplink_bps` are near.
fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many letters must be put in, left out, changed or swapped with the next (optimal string
/// alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let change = at(&row, j) + usize::from(x != y);
            let mut best = change.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if let (Some(pi), Some(pj)) = (i.checked_sub(1), j.checked_sub(1))
                && a.get(pi) == Some(y)
                && b.get(pj) == Some(x)
            {
                best = best.min(at(&before, pj) + 1);
            }
            next.push(best);
        }
        before = core::mem::replace(&mut row, next);
    }
    at(&row, b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, d) in [
            ("", "abc", 3),
            ("prefix", "prefix", 0),
            ("prefx", "prefix", 1),
            ("perfix", "prefix", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_offered() {
        let keys = ["name", "prefix", "pool", "ue_to_ue"];
        assert_eq!(nearest("prefxi", keys), Some("prefix"));
        assert_eq!(nearest("ueToUe", keys), Some("ue_to_ue"));
        assert_eq!(nearest("colour", keys), None);
    }
}
