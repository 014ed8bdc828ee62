//! What is seen of a figure, and how it compares with what is wanted.

use core::net::IpAddr;

use heiiki_types::Duration;

use super::ledger::Rejection;
use super::title;
use crate::observe::{Verdict, short};
use crate::plan::{Cause, Op, Value};

/// What is seen of a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// A count.
    Count(u64),
    /// A time.
    Time(Duration),
    /// Why an attach was refused.
    Rejection(Rejection),
    /// True or false.
    Flag(bool),
    /// An address.
    Address(IpAddr),
    /// There is no such thing, which is a finding in itself.
    Nothing(&'static str),
    /// Nobody has looked.
    Unknown(&'static str),
}

impl Seen {
    /// Whether it is as wanted.
    pub(super) fn compare(&self, op: Op, value: Value) -> Verdict {
        let holds = match (self, value) {
            (Self::Unknown(_), _) => return Verdict::Inconclusive,
            (Self::Count(seen), Value::Count(wanted)) => ordered(op, seen, &wanted),
            (Self::Time(seen), Value::Time(wanted)) => ordered(op, seen, &wanted),
            (Self::Flag(seen), Value::Flag(wanted)) => same(op, *seen == wanted),
            (Self::Address(seen), Value::Address(wanted)) => same(op, *seen == wanted),
            (Self::Rejection(seen), Value::Cause(Cause::Emm(wanted))) => {
                same(op, seen.emm == Some(wanted))
            }
            (Self::Rejection(seen), Value::Cause(Cause::Esm(wanted))) => {
                same(op, seen.esm == Some(wanted))
            }
            _ => op == Op::NotEqual,
        };
        if holds { Verdict::Pass } else { Verdict::Fail }
    }

    /// In words, with its unit.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Time(time) => short(*time),
            Self::Rejection(Rejection {
                emm: Some(emm),
                esm: Some(esm),
                ..
            }) => {
                format!("emm:{emm} with esm:{esm}")
            }
            Self::Rejection(Rejection { emm: Some(emm), .. }) => format!("emm:{emm}"),
            Self::Rejection(_) => "no cause".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Address(address) => address.to_string(),
            Self::Nothing(what) | Self::Unknown(what) => (*what).to_owned(),
        }
    }
}

/// What is wanted, in words.
pub(super) fn wanted(op: Op, value: Value) -> String {
    let value = match value {
        Value::Count(count) => count.to_string(),
        Value::Time(time) => short(time),
        Value::Cause(Cause::Emm(cause)) => format!("emm:{cause}"),
        Value::Cause(Cause::Esm(cause)) => format!("esm:{cause}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Address(address) => address.to_string(),
    };
    format!("{} {value}", title::op(op))
}

fn ordered<T: PartialOrd>(op: Op, seen: &T, wanted: &T) -> bool {
    match op {
        Op::Equal => seen == wanted,
        Op::NotEqual => seen != wanted,
        Op::Less => seen < wanted,
        Op::AtMost => seen <= wanted,
        Op::Greater => seen > wanted,
        Op::AtLeast => seen >= wanted,
    }
}

/// Of values without an order only `==` and `!=` say something.
const fn same(op: Op, same: bool) -> bool {
    match op {
        Op::NotEqual => !same,
        _ => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_compare_by_every_operator() {
        let ops = [
            Op::Equal,
            Op::NotEqual,
            Op::Less,
            Op::AtMost,
            Op::Greater,
            Op::AtLeast,
        ];
        let table = [
            (1, [false, true, true, true, false, false]),
            (2, [true, false, false, true, false, true]),
            (3, [false, true, false, false, true, true]),
        ];
        for (seen, holds) in table {
            for (op, holds) in ops.into_iter().zip(holds) {
                let want = if holds { Verdict::Pass } else { Verdict::Fail };
                assert_eq!(
                    Seen::Count(seen).compare(op, Value::Count(2)),
                    want,
                    "{seen} {op:?}"
                );
                let time = |n| Duration::from_secs(n);
                let got = Seen::Time(time(seen)).compare(op, Value::Time(time(2)));
                assert_eq!(got, want, "{seen} s {op:?}");
            }
        }
    }

    #[test]
    fn causes_compare_by_their_protocol() {
        let seen = Seen::Rejection(Rejection {
            emm: Some(19),
            esm: Some(27),
            protected: true,
        });
        for (op, cause, want) in [
            (Op::Equal, Cause::Emm(19), Verdict::Pass),
            (Op::Equal, Cause::Esm(27), Verdict::Pass),
            (Op::Equal, Cause::Emm(27), Verdict::Fail),
            (Op::NotEqual, Cause::Emm(8), Verdict::Pass),
        ] {
            assert_eq!(seen.compare(op, Value::Cause(cause)), want);
        }
        assert_eq!(seen.text(), "emm:19 with esm:27");
    }

    #[test]
    fn what_nobody_saw_proves_nothing_and_what_is_not_there_fails() {
        let unknown = Seen::Unknown("not observed");
        assert_eq!(
            unknown.compare(Op::Equal, Value::Count(0)),
            Verdict::Inconclusive
        );
        let nothing = Seen::Nothing("never refused");
        let cause = Value::Cause(Cause::Emm(8));
        assert_eq!(nothing.compare(Op::Equal, cause), Verdict::Fail);
        assert_eq!(
            wanted(Op::AtMost, Value::Time(Duration::from_secs(1))),
            "<= 1.000 s"
        );
    }
}
