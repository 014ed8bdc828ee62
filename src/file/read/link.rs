//! Steps on links.

use heiiki_types::Duration;

use super::lab::quality;
use crate::file::mistake::Kind;
use crate::file::reader::Table;
use crate::file::{Action, Fate, LinkName, LinkRule};

/// A step on a link: its quality, `partition`, `heal`, or the fate of one message by name.
pub(super) fn link(table: &mut Table<'_>) -> Option<Action> {
    const QUALITY: [&str; 5] = ["loss", "duplicate", "reorder", "corrupt", "jitter"];
    let link = table.required::<LinkName>("link", "\"s5c\"");
    let message = table.optional::<String>("message");
    let nth = table.or("nth", 1);
    let rule = if let Some(message) = message {
        let dropped = table.or("drop", false);
        let twice = table.or("duplicate", false);
        let delay = table.optional::<Duration>("delay").map(|d| d.value);
        let fate = match (dropped, twice, delay) {
            (true, false, None) => Some(Fate::Drop),
            (false, true, None) => Some(Fate::Duplicate),
            (false, false, Some(delay)) => Some(Fate::Delay(delay)),
            _ => None,
        };
        if fate.is_none() || nth == 0 {
            let problem = "it is not clear what happens to which message";
            let help = "count messages from `nth = 1`, and write one of `drop = true`, \
                        `duplicate = true` and `delay = \"5s\"`";
            table
                .sink()
                .add(table.place().mistake(Kind::Clash, problem, help));
        }
        fate.map(|fate| LinkRule::Nth {
            message: message.value,
            nth,
            fate,
        })
    } else {
        let partition = table.or("partition", false);
        let heal = table.or("heal", false);
        let tuned = QUALITY.iter().any(|k| table.has(k)) || table.has("delay");
        let quality = quality(table);
        match (partition, heal, tuned) {
            (true, false, false) => Some(LinkRule::Partition),
            (false, true, false) => Some(LinkRule::Heal),
            (false, false, true) => Some(LinkRule::Quality(quality)),
            _ => {
                let problem = "it is not clear what happens to the link";
                let help = "write one of `partition = true`, `heal = true`, a quality such as `loss = \"10%\"`, \
                            or a message such as `message = \"CreateSessionResponse\"` with `drop = true`";
                table
                    .sink()
                    .add(table.place().mistake(Kind::Clash, problem, help));
                None
            }
        }
    };
    Some(Action::Link {
        link: link?.value,
        rule: rule?,
    })
}
