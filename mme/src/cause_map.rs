//! GTPv2 causes into ESM causes, TS 29.274 Annex C, as a table.

use heiiki_gtp::c::Cause;
use heiiki_nas::esm::EsmCause;

/// Rejection by the gateway: cause, ESM cause. Where Annex C offers several, the one that says
/// most; what it does not name is 38, network failure. Table C.1.
const REJECTIONS: [(u8, u8); 29] = [
    (64, 30),
    (65, 30),
    (66, 30),
    (67, 30),
    (68, 32),
    (69, 30),
    (70, 30),
    (72, 34),
    (73, 26),
    (76, 44),
    (77, 45),
    (78, 27),
    (80, 30),
    (83, 32),
    (84, 26),
    (86, 30),
    (89, 31),
    (91, 26),
    (92, 29),
    (93, 33),
    (94, 30),
    (97, 41),
    (98, 42),
    (100, 34),
    (103, 30),
    (104, 112),
    (107, 31),
    (113, 26),
    (120, 26),
];

/// The ESM cause of a refused session; `None` is a gateway that never answered.
pub(crate) fn rejection(cause: Option<Cause>) -> EsmCause {
    let Some(cause) = cause else {
        return EsmCause(34);
    };
    let found = REJECTIONS.iter().find(|(gtp, _)| *gtp == cause.0);
    EsmCause(found.map_or(38, |(_, esm)| *esm))
}

/// The ESM cause that goes with an accepted session whose PDN type is not the requested one,
/// Table C.2. `v4` is whether the address given is IPv4.
pub(crate) fn acceptance(cause: Cause, v4: bool) -> Option<EsmCause> {
    match (cause.0, v4) {
        (18, true) => Some(EsmCause(50)),
        (18, false) => Some(EsmCause(51)),
        (19, _) => Some(EsmCause(52)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS 29.274 Table C.1.
    #[test]
    fn rejections_keep_their_meaning() {
        for (gtp, esm) in [
            (78, 27),
            (84, 26),
            (89, 31),
            (93, 33),
            (92, 29),
            (104, 112),
            (73, 26),
        ] {
            assert_eq!(rejection(Some(Cause(gtp))).0, esm);
        }
        assert_eq!(rejection(Some(Cause(200))).0, 38);
        assert_eq!(rejection(None).0, 34);
    }

    /// TS 29.274 Table C.2.
    #[test]
    fn a_changed_pdn_type_is_explained() {
        assert_eq!(acceptance(Cause(18), true).map(|c| c.0), Some(50));
        assert_eq!(acceptance(Cause(18), false).map(|c| c.0), Some(51));
        assert_eq!(acceptance(Cause(19), true).map(|c| c.0), Some(52));
        assert!(acceptance(Cause(16), true).is_none());
    }
}
