//! What pages and files must be, computed anew from the rule that the intranet follows.

use std::collections::BTreeMap;

use heiiki_pgw::sgi::{FileContent, index_page};
use heiiki_types::to_hex;
use sha2::{Digest as _, Sha256};

/// Hashes that were computed already; many UEs fetch the same file.
#[derive(Debug, Default)]
pub(super) struct Content {
    known: BTreeMap<(String, String, String), Option<String>>,
}

impl Content {
    /// The SHA-256 of what a host of a tenant has at a path; none when that is not known.
    pub(super) fn sha256(&mut self, tenant: &str, host: &str, path: &str) -> Option<String> {
        let key = (tenant.to_owned(), host.to_owned(), path.to_owned());
        self.known
            .entry(key)
            .or_insert_with(|| compute(tenant, host, path))
            .clone()
    }
}

fn compute(tenant: &str, host: &str, path: &str) -> Option<String> {
    let mut hash = Sha256::new();
    match path.strip_prefix("/file?size=") {
        Some(size) => {
            let (content, size) = (FileContent::of(tenant), size.parse::<u64>().ok()?);
            let mut part = [0; 16_384];
            let mut at = 0;
            while at < size {
                let left = usize::try_from(size - at).unwrap_or(usize::MAX);
                let part = part.get_mut(..left.min(16_384))?;
                content.fill(at, part);
                hash.update(&*part);
                at += u64::try_from(part.len()).ok()?;
            }
        }
        None if path == "/" || path == "/index.html" => hash.update(index_page(tenant, host)),
        None => return None,
    }
    Some(to_hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_differ_between_tenants_and_a_hash_is_of_every_octet() {
        let mut content = Content::default();
        let of = |content: &mut Content, tenant: &str, path: &str| {
            content.sha256(tenant, "intranet", path).unwrap()
        };
        let red = of(&mut content, "red", "/file?size=100000");
        assert_eq!(red, of(&mut content, "red", "/file?size=100000"));
        assert_ne!(red, of(&mut content, "blue", "/file?size=100000"));
        assert_ne!(red, of(&mut content, "red", "/file?size=99999"));
        assert_ne!(of(&mut content, "red", "/"), of(&mut content, "blue", "/"));
        assert_eq!(content.sha256("red", "intranet", "/elsewhere"), None);
        // SHA-256 of nothing, FIPS 180-4.
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(of(&mut content, "red", "/file?size=0"), nothing);
    }
}
