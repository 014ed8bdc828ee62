use core::fmt;
use core::time::Duration;

const DEACTIVATED: u8 = 0xe0;
const MAX_COUNT: u64 = 31;

/// The finest unit of `units` (seconds and code, finest first) that holds `wanted`, rounded up to
/// whole units; the greatest value of the coarsest when none does.
fn octet(wanted: Duration, units: &[(u64, u8)]) -> u8 {
    let seconds = wanted.as_secs() + u64::from(wanted.subsec_nanos() > 0);
    let fits = |(unit, code): &(u64, u8)| {
        let count = seconds.div_ceil(*unit);
        u8::try_from(count)
            .ok()
            .filter(|c| u64::from(*c) <= MAX_COUNT)
            .map(|c| code << 5 | c)
    };
    let coarsest = units.last().map_or(DEACTIVATED, |(_, code)| code << 5 | 31);
    units.iter().find_map(fits).unwrap_or(coarsest)
}

macro_rules! timer {
    ($(#[$doc:meta])* $name:ident, $units:expr, $other:expr) => {
        $(#[$doc])*
        ///
        /// Five bits of count and three of unit; a unit of seven means that the timer does not
        /// run.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The timer does not run.
            pub const DEACTIVATED: Self = Self(DEACTIVATED);

            /// Reads the octet of the wire.
            pub const fn from_octet(octet: u8) -> Self {
                Self(octet)
            }

            /// The octet of the wire.
            pub const fn octet(self) -> u8 {
                self.0
            }

            /// The value in the finest unit that holds `wanted`, rounded up to whole units, and
            /// the greatest value for anything longer.
            pub fn from_duration(wanted: Duration) -> Self {
                Self(octet(wanted, &$units))
            }

            /// How long the timer runs, or `None` when it is deactivated.
            pub fn duration(self) -> Option<Duration> {
                let (count, code) = (u64::from(self.0 & 31), self.0 >> 5);
                if code == DEACTIVATED >> 5 {
                    return None;
                }
                let unit = $units.iter().find(|(_, c)| *c == code);
                Some(Duration::from_secs(count * unit.map_or($other, |(unit, _)| *unit)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.duration() {
                    Some(d) => write!(f, concat!(stringify!($name), "({} s)"), d.as_secs()),
                    None => f.write_str(concat!(stringify!($name), "(deactivated)")),
                }
            }
        }
    };
}

timer! {
    /// GPRS timer, TS 24.008 §10.5.7.3: of T3412 and T3402 in an ATTACH ACCEPT. At most 186
    /// minutes.
    GprsTimer, [(2, 0), (60, 1), (360, 2)], 60
}

timer! {
    /// GPRS timer 2, TS 24.008 §10.5.7.4: of T3346 and T3402 in a reject. At most 186 minutes.
    GprsTimer2, [(2, 0), (60, 1), (360, 2)], 60
}

timer! {
    /// GPRS timer 3, TS 24.008 §10.5.7.4a: of T3396 and the extended T3412. At most 9,920 hours.
    GprsTimer3,
    [(2, 3), (30, 4), (60, 5), (600, 0), (3_600, 1), (36_000, 2), (1_152_000, 6)],
    3_600
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_timer_and_timer_2() {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        for (octet, duration) in [
            (0x21, Some(minutes(1))),
            (0x49, Some(minutes(54))),
            (0x5f, Some(minutes(186))),
            (0x03, Some(Duration::from_secs(6))),
            (0x65, Some(minutes(5))),
            (0xe0, None),
            (0xff, None),
        ] {
            assert_eq!(
                GprsTimer::from_octet(octet).duration(),
                duration,
                "{octet:#x}"
            );
            assert_eq!(
                GprsTimer2::from_octet(octet).duration(),
                duration,
                "{octet:#x}"
            );
        }
    }

    #[test]
    fn finest_unit_that_holds_the_value() {
        let said = |s| GprsTimer2::from_duration(Duration::from_secs(s)).octet();
        assert_eq!(
            (said(0), said(1), said(62), said(63)),
            (0x00, 0x01, 0x1f, 0x22)
        );
        assert_eq!((said(54 * 60), said(u64::MAX / 2)), (0x49, 0x5f));
        let said = |s| GprsTimer3::from_duration(Duration::from_secs(s)).octet();
        assert_eq!(
            (said(60), said(3_600), said(12 * 3_600)),
            (0x7e, 0x06, 0x2c)
        );
        assert_eq!(said(u64::MAX / 2), 0xdf);
    }

    #[test]
    fn timer_3_says_what_it_was_given() {
        for seconds in [2, 62, 90, 1_860, 18_600, 111_600, 1_116_000, 35_712_000] {
            let wanted = Duration::from_secs(seconds);
            assert_eq!(GprsTimer3::from_duration(wanted).duration(), Some(wanted));
        }
    }
}
