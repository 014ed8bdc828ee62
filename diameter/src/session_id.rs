use alloc::format;
use alloc::string::String;

/// Makes Session-Ids, RFC 6733 §8.8: `host;high;low`, where high and low are the halves of a
/// number that only rises.
#[derive(Clone, Debug)]
pub struct SessionIds {
    host: String,
    number: u64,
}

impl SessionIds {
    /// Ids of `host`. `high` must be greater than at any start before: the time in seconds, or a
    /// counter of starts that is kept on disk.
    pub fn new(host: impl Into<String>, high: u32) -> Self {
        Self {
            host: host.into(),
            number: u64::from(high) << 32,
        }
    }

    /// The next id, never seen before.
    #[expect(
        clippy::should_implement_trait,
        reason = "the ids never end, so there is no Option to unwrap"
    )]
    pub fn next(&mut self) -> String {
        self.number = self.number.wrapping_add(1);
        let (high, low) = (self.number >> 32, self.number & 0xffff_ffff);
        format!("{};{high};{low}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_the_rfc_and_carry_over() {
        let mut ids = SessionIds::new("mme.example", 7);
        assert_eq!(ids.next(), "mme.example;7;1");
        ids.number = 0x0000_0007_ffff_ffff;
        assert_eq!(ids.next(), "mme.example;8;0");
    }
}
