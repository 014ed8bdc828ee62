//! The messages on an association.

/// Payload protocol identifier of Diameter in clear text (RFC 6733 §11.5). Any other is taken, too:
/// peers exist that send 0.
pub const PPID: u32 = 46;

/// Octets of the longest message that is taken.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Whether an SCTP message is one whole Diameter message by the length in its header.
///
/// Anything else would let one message run into the next above, where the boundaries are gone.
pub(super) fn is_whole(message: &[u8]) -> bool {
    let Some([_, l0, l1, l2]) = message.first_chunk::<4>() else {
        return false;
    };
    let length = u32::from_be_bytes([0, *l0, *l1, *l2]);
    usize::try_from(length) == Ok(message.len()) && message.len() <= MAX_MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_as_long_as_it_says() {
        assert!(is_whole(&[1, 0, 0, 8, 0, 0, 0, 0]));
        assert!(!is_whole(&[1, 0, 0, 8, 0, 0, 0]));
        assert!(!is_whole(&[1, 0, 0, 4, 0, 0, 0, 0]));
        assert!(!is_whole(&[1, 0, 0]));
        let mut long = vec![0; MAX_MESSAGE + 4];
        long[..4].copy_from_slice(&[1, 1, 0, 4]);
        assert!(!is_whole(&long));
    }
}
