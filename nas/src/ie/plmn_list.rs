use alloc::vec::Vec;

use heiiki_types::PlmnId;

/// Reads a PLMN list, TS 24.008 §10.5.1.13: at most 15, three octets each.
pub(crate) fn decode_plmns(value: &[u8]) -> Option<Vec<PlmnId>> {
    let (chunks, rest) = value.as_chunks::<3>();
    if chunks.is_empty() || !rest.is_empty() {
        return None;
    }
    let plmns = chunks.iter().take(15);
    plmns.map(|c| PlmnId::from_octets(*c).ok()).collect()
}

pub(crate) fn encode_plmns(plmns: &[PlmnId]) -> Vec<u8> {
    plmns.iter().take(15).flat_map(|p| p.octets()).collect()
}
