use alloc::format;
use alloc::string::String;

/// The octets of a file whose content anyone can compute: what a segment serves as
/// `/file?size=N`, so that a client can check every octet, and the hash of them all, without
/// having the file.
///
/// Files of different names differ, so that a page of another tenant's intranet is noticed. The
/// octet at an offset is one of the eight octets, least significant first, of `SplitMix64` applied
/// to the name's FNV-1a hash and the offset's eighth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileContent {
    seed: u64,
}

impl FileContent {
    /// The file of a tenant's intranet.
    pub fn of(tenant: &str) -> Self {
        let seed = tenant.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { seed }
    }

    const fn word(self, number: u64) -> [u8; 8] {
        let mut z = self
            .seed
            .wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }

    /// The octet at `offset`.
    pub fn octet(self, offset: u64) -> u8 {
        let place = usize::try_from(offset % 8).unwrap_or(0);
        self.word(offset / 8).get(place).copied().unwrap_or(0)
    }

    /// Writes the octets from `offset` on.
    pub fn fill(self, offset: u64, out: &mut [u8]) {
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let skip = usize::try_from(at % 8).unwrap_or(0);
            let word = self.word(at / 8);
            let have = word.get(skip..).unwrap_or(&[]);
            let take = have.len().min(rest.len());
            let (now, later) = rest.split_at_mut(take);
            for (to, from) in now.iter_mut().zip(have) {
                *to = *from;
            }
            at += u64::try_from(take).unwrap_or(0);
            rest = later;
        }
    }
}

/// The octet at `offset` of the file of a tenant's intranet.
pub fn file_octet(tenant: &str, offset: u64) -> u8 {
    FileContent::of(tenant).octet(offset)
}

/// The page of a host, at `/`.
pub fn index_page(tenant: &str, host: &str) -> String {
    format!(
        "<!doctype html>\n<title>{host}</title>\n<h1>{host}</h1>\n<p>The intranet of \
         {tenant}.</p>\n<p><a href=\"/file?size=1000000\">A file of 1 MB</a></p>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_in_whatever_parts_it_is_read() {
        let content = FileContent::of("red");
        let mut whole = [0; 100];
        content.fill(0, &mut whole);
        for offset in 0..100_usize {
            let from = u64::try_from(offset).unwrap();
            assert_eq!(content.octet(from), whole[offset]);
            let mut part = [0; 13];
            content.fill(from, &mut part);
            let have = &whole[offset..100.min(offset + 13)];
            assert_eq!(&part[..have.len()], have);
        }
    }

    #[test]
    fn content_is_what_the_words_above_say() {
        // SplitMix64 from the seed of an empty name, computed with Python integers.
        let mut first = [0; 16];
        FileContent::of("").fill(0, &mut first);
        assert_eq!(first, EXPECTED_EMPTY);
        assert_ne!(file_octet("red", 0), file_octet("blue", 0));
    }

    const EXPECTED_EMPTY: [u8; 16] = hex_literal::hex!("30ffa46b017c81c31693bcc0acda0c10");
}
