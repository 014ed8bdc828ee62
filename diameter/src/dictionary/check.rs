use super::{Kind, lookup};
use crate::avp::AvpRef;
use crate::message::Message;
use crate::result::{AnswerError, ResultCode};

/// How deep groups may lie within each other. S6a needs six.
pub const MAX_DEPTH: usize = 12;

/// Checks that every AVP with the M bit is one that we recognise, groups included, and that groups
/// hold AVPs (RFC 6733 §4.1, §4.4).
///
/// A group that we do not recognise and that lacks the M bit is not looked into. The answer is 5001
/// with the AVP (within its groups) in Failed-AVP, 5014 for a broken member, or 5004 for a group
/// deeper than [`MAX_DEPTH`].
pub fn check(message: &Message) -> Result<(), AnswerError> {
    message
        .avps
        .iter()
        .try_for_each(|avp| check_avp(avp.as_ref(), 0))
}

fn check_avp(avp: AvpRef<'_>, depth: usize) -> Result<(), AnswerError> {
    let Some(def) = lookup(avp.code, avp.vendor) else {
        return if avp.mandatory {
            let unknown = avp.to_owned();
            Err(AnswerError::avp(ResultCode::AVP_UNSUPPORTED, unknown))
        } else {
            Ok(())
        };
    };
    // What another node found wrong with a message need not make sense to us.
    if def.kind != Kind::Grouped || *def == super::FAILED_AVP {
        return Ok(());
    }
    if depth == MAX_DEPTH {
        let mut empty = avp.to_owned();
        empty.data.clear();
        return Err(AnswerError::avp(ResultCode::INVALID_AVP_VALUE, empty));
    }
    for member in avp.members() {
        let Ok(member) = member else {
            let mut empty = avp.to_owned();
            empty.data.clear();
            return Err(AnswerError::avp(ResultCode::INVALID_AVP_LENGTH, empty));
        };
        check_avp(member, depth + 1).map_err(|e| e.within(avp))?;
    }
    Ok(())
}
