//! What the UE is told when the HSS says no: a table, so that an operator can change it.
//!
//! S6a carries neither an EMM cause nor a back-off, so the MME chooses both. A cause that makes the
//! UE give up for good (8, 15 and their like) is only ever the answer to something that the HSS
//! knows about the SIM. Whatever is a fault of the network is cause 22 with T3346 drawn from a
//! range: the UE comes back by itself, and not all UEs at once.

use alloc::vec::Vec;
use core::time::Duration;

use heiiki_nas::emm::EmmCause;
use heiiki_types::Rng;

/// Which request the HSS answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Authentication-Information: there is no NAS security yet, so the reject is unprotected.
    Authentication,
    /// Update-Location: NAS security is in use, so the reject is protected.
    Location,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HssResult {
    /// A Result-Code of the base protocol, RFC 6733 §7.1.
    Base(u32),
    /// An Experimental-Result-Code of 3GPP, TS 29.272 §7.4.
    Experimental(u32),
    /// Nothing: no connection, connection lost, or no answer in time.
    NoAnswer,
}

/// T3346 for the UE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackOff {
    /// None given.
    None,
    /// The same for every UE.
    Exactly(Duration),
    /// Drawn for each UE from the range.
    Spread {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
    },
}

impl BackOff {
    /// The length for one UE, before the timer's own rounding.
    pub(crate) fn draw(self, rng: &mut Rng) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Exactly(d) => Some(d),
            Self::Spread { least, most } => {
                let span = most.saturating_sub(least).as_secs().saturating_add(1);
                Some(least + Duration::from_secs(rng.below(span)))
            }
        }
    }
}

/// What the UE is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The EMM cause of the ATTACH REJECT.
    pub cause: EmmCause,
    /// T3346; it goes with cause 22 only (TS 24.301 §5.5.1.2.5).
    pub back_off: BackOff,
}

/// One row: the first that matches decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The stage; any when absent.
    pub stage: Option<Stage>,
    /// The answer.
    pub result: HssResult,
    /// The Error-Diagnostic that the answer must carry; any, or none, when absent.
    pub diagnostic: Option<u32>,
    /// What the UE is told.
    pub refusal: Refusal,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultTable {
    /// The rows, the more special ones first.
    pub rows: Vec<ResultRow>,
    /// For what no row names.
    pub otherwise: Refusal,
}

/// `DIAMETER_ERROR_USER_UNKNOWN`.
pub const USER_UNKNOWN: HssResult = HssResult::Experimental(5001);
/// `DIAMETER_ERROR_ROAMING_NOT_ALLOWED`.
pub const ROAMING_NOT_ALLOWED: HssResult = HssResult::Experimental(5004);
/// `DIAMETER_ERROR_UNKNOWN_EPS_SUBSCRIPTION`.
pub const UNKNOWN_EPS_SUBSCRIPTION: HssResult = HssResult::Experimental(5420);
/// `DIAMETER_ERROR_RAT_NOT_ALLOWED`.
pub const RAT_NOT_ALLOWED: HssResult = HssResult::Experimental(5421);
/// `DIAMETER_AUTHENTICATION_DATA_UNAVAILABLE`.
pub const AUTHENTICATION_DATA_UNAVAILABLE: HssResult = HssResult::Experimental(4181);
/// `DIAMETER_ERROR_EQUIPMENT_UNKNOWN`, of S13.
pub const EQUIPMENT_UNKNOWN: HssResult = HssResult::Experimental(5422);
/// Error-Diagnostic `ODB_ALL_APN`.
pub const ODB_ALL_APN: u32 = 2;
/// Error-Diagnostic `ODB_HPLMN_APN`.
pub const ODB_HPLMN_APN: u32 = 3;

/// T3346 of a paused SIM.
const PAUSE: BackOff = BackOff::Exactly(Duration::from_mins(10));
/// T3346 while the network is at fault.
const FAULT: BackOff = BackOff::Spread {
    least: Duration::from_secs(30),
    most: Duration::from_mins(5),
};

const fn row(
    stage: Option<Stage>,
    result: HssResult,
    diagnostic: Option<u32>,
    cause: EmmCause,
    back_off: BackOff,
) -> ResultRow {
    ResultRow {
        stage,
        result,
        diagnostic,
        refusal: Refusal { cause, back_off },
    }
}

const NONE: BackOff = BackOff::None;
const CONGESTION: EmmCause = EmmCause::CONGESTION;

const DEFAULTS: [ResultRow; 15] = [
    // The SIM is unknown, terminated or, at the location update, suspended.
    row(
        None,
        USER_UNKNOWN,
        None,
        EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED,
        NONE,
    ),
    row(
        None,
        ROAMING_NOT_ALLOWED,
        Some(ODB_ALL_APN),
        EmmCause::EPS_AND_NON_EPS_SERVICES_NOT_ALLOWED,
        NONE,
    ),
    row(
        None,
        ROAMING_NOT_ALLOWED,
        Some(ODB_HPLMN_APN),
        EmmCause::EPS_SERVICES_NOT_ALLOWED_IN_PLMN,
        NONE,
    ),
    row(
        None,
        ROAMING_NOT_ALLOWED,
        None,
        EmmCause::PLMN_NOT_ALLOWED,
        NONE,
    ),
    // The subscription does not hold here.
    row(
        None,
        UNKNOWN_EPS_SUBSCRIPTION,
        None,
        EmmCause::NO_SUITABLE_CELLS,
        NONE,
    ),
    row(
        None,
        RAT_NOT_ALLOWED,
        None,
        EmmCause::ROAMING_NOT_ALLOWED,
        NONE,
    ),
    row(
        None,
        HssResult::Base(5003),
        None,
        EmmCause::NO_SUITABLE_CELLS,
        NONE,
    ),
    // The equipment is not one that may be used.
    row(None, EQUIPMENT_UNKNOWN, None, EmmCause::ILLEGAL_ME, NONE),
    // The SIM is paused.
    row(
        Some(Stage::Location),
        HssResult::Base(5012),
        None,
        CONGESTION,
        PAUSE,
    ),
    // The network is at fault.
    row(None, HssResult::Base(5012), None, CONGESTION, FAULT),
    row(
        None,
        AUTHENTICATION_DATA_UNAVAILABLE,
        None,
        CONGESTION,
        FAULT,
    ),
    row(None, HssResult::Base(3002), None, CONGESTION, FAULT),
    row(None, HssResult::Base(3003), None, CONGESTION, FAULT),
    row(None, HssResult::Base(3004), None, CONGESTION, FAULT),
    row(None, HssResult::NoAnswer, None, CONGESTION, FAULT),
];

impl ResultTable {
    /// What the UE is told after `result` at `stage`.
    pub fn refusal(&self, stage: Stage, result: HssResult, diagnostic: Option<u32>) -> Refusal {
        self.rows
            .iter()
            .find(|r| {
                r.stage.is_none_or(|s| s == stage)
                    && r.result == result
                    && (r.diagnostic.is_none() || r.diagnostic == diagnostic)
            })
            .map_or(self.otherwise, |r| r.refusal)
    }
}

impl Default for ResultTable {
    fn default() -> Self {
        Self {
            rows: Vec::from(DEFAULTS),
            otherwise: Refusal {
                cause: CONGESTION,
                back_off: FAULT,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row of the default table, as design and TS 29.272 Annex A have them.
    #[test]
    fn defaults_tell_the_ue_what_the_sim_deserves() {
        use HssResult::{Base, Experimental, NoAnswer};
        let table = ResultTable::default();
        let (air, ulr) = (Stage::Authentication, Stage::Location);
        let cases = [
            (air, Experimental(5001), None, 8, false),
            (ulr, Experimental(5001), None, 8, false),
            (ulr, Experimental(5004), Some(ODB_ALL_APN), 8, false),
            (ulr, Experimental(5004), Some(ODB_HPLMN_APN), 14, false),
            (ulr, Experimental(5004), None, 11, false),
            (ulr, Experimental(5004), Some(4), 11, false),
            (air, Experimental(5420), None, 15, false),
            (ulr, Experimental(5420), None, 15, false),
            (ulr, Experimental(5421), None, 13, false),
            (ulr, Experimental(5422), None, 6, false),
            (air, Base(5003), None, 15, false),
            (ulr, Base(5012), None, 22, true),
            (air, Base(5012), None, 22, true),
            (air, Experimental(4181), None, 22, true),
            (air, Base(3002), None, 22, true),
            (ulr, Base(3003), None, 22, true),
            (ulr, Base(3004), None, 22, true),
            (air, NoAnswer, None, 22, true),
            (ulr, NoAnswer, None, 22, true),
            // The same number as a base code means something else altogether.
            (air, Base(5001), None, 22, true),
            (ulr, Experimental(4999), None, 22, true),
        ];
        for (stage, result, diagnostic, cause, back_off) in cases {
            let refusal = table.refusal(stage, result, diagnostic);
            assert_eq!(
                refusal.cause.0, cause,
                "{stage:?} {result:?} {diagnostic:?}"
            );
            assert_eq!(
                refusal.back_off != BackOff::None,
                back_off,
                "{stage:?} {result:?}"
            );
        }
    }

    /// Goal: UEs refused by a fault do not come back together. Method: draw many.
    #[test]
    fn faults_spread_the_return_and_a_pause_does_not() {
        let table = ResultTable::default();
        let mut rng = Rng::from_seed(1);
        let fault = table
            .refusal(Stage::Authentication, HssResult::NoAnswer, None)
            .back_off;
        let drawn: alloc::collections::BTreeSet<_> =
            (0..100).filter_map(|_| fault.draw(&mut rng)).collect();
        assert!(drawn.len() > 50);
        assert!(drawn.iter().all(|d| (30..=300).contains(&d.as_secs())));
        let pause = table
            .refusal(Stage::Location, HssResult::Base(5012), None)
            .back_off;
        assert_eq!(pause.draw(&mut rng), Some(Duration::from_mins(10)));
    }
}
