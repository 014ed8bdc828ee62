//! Looking for keys of SIMs in whatever a run leaves behind.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::collections::BTreeSet;
use std::path::Path;

/// Every file below a folder.
pub(crate) fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The forms in which a key may show: octets, digits of either case, and base64 wherever it begins
/// in a longer text.
pub(crate) fn forms(hex: &str) -> Vec<Vec<u8>> {
    let octets: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let mut forms = vec![
        octets.clone(),
        hex.to_lowercase().into_bytes(),
        hex.to_uppercase().into_bytes(),
    ];
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend(&octets);
        let text = base64(&shifted);
        // Without what depends on the octets before and after.
        let (from, to) = ((shift * 8).div_ceil(6), (shift + octets.len()) * 8 / 6);
        forms.push(text[from..to].into());
        forms.push(text[from..to].replace('+', "-").replace('/', "_").into());
    }
    forms
}

pub(crate) fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for part in octets.chunks(3) {
        let value =
            part.iter().fold(0_u32, |v, o| v << 8 | u32::from(*o)) << (8 * (3 - part.len()));
        for digit in 0..=part.len() {
            text.push(char::from(
                DIGITS[(value >> (18 - 6 * digit)) as usize & 63],
            ));
        }
    }
    text
}

/// Finds keys in all their forms.
pub(crate) struct Search {
    forms: Vec<Vec<u8>>,
    /// Octets that a form begins with.
    first: [bool; 256],
}

impl Search {
    pub(crate) fn new(keys: &[&str]) -> Self {
        let forms: Vec<_> = keys.iter().flat_map(|k| forms(k)).collect();
        let mut first = [false; 256];
        for form in &forms {
            first[usize::from(form[0])] = true;
        }
        Self { forms, first }
    }

    /// Whether one of the keys is in there.
    pub(crate) fn finds(&self, octets: &[u8]) -> bool {
        (0..octets.len())
            .filter(|at| self.first[usize::from(octets[*at])])
            .any(|at| self.forms.iter().any(|f| octets[at..].starts_with(f)))
    }

    /// The files below a folder that hold one.
    pub(crate) fn files(&self, folder: &Path) -> BTreeSet<String> {
        let mut paths = Vec::new();
        files(folder, &mut paths);
        let mut found = BTreeSet::new();
        for path in paths {
            // Of a run that goes on, a file may be gone by now.
            if std::fs::read(&path).is_ok_and(|octets| self.finds(&octets)) {
                let name = path.file_name().unwrap().to_str().unwrap();
                found.insert(name.to_owned());
            }
        }
        found
    }
}

/// The names of what holds one of the keys.
pub(crate) fn holders<'a>(
    things: impl Iterator<Item = (String, &'a [u8])>,
    keys: &[&str],
) -> BTreeSet<String> {
    let search = Search::new(keys);
    things
        .filter(|(_, octets)| search.finds(octets))
        .map(|(name, _)| name)
        .collect()
}
