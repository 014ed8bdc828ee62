use heiiki_types::{PlmnId, Tac, Tai};

/// Reads a tracking area identity, TS 24.301 §9.9.3.32. One whose network has a digit that is
/// none, or whose code is one of the two that mark it as deleted, is no area.
pub(crate) fn decode_tai(value: &[u8]) -> Option<Tai> {
    let [a, b, c, high, low]: [u8; 5] = value.try_into().ok()?;
    let tac = Tac(u16::from_be_bytes([high, low]));
    let plmn = PlmnId::from_octets([a, b, c]).ok()?;
    (tac.0 != 0 && tac.0 != 0xfffe).then_some(Tai { plmn, tac })
}

pub(crate) fn encode_tai(tai: Tai) -> [u8; 5] {
    let ([a, b, c], [high, low]) = (tai.plmn.octets(), tai.tac.0.to_be_bytes());
    [a, b, c, high, low]
}
