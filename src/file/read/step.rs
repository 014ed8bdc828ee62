//! `[[step]]`: what is done, and when.

use heiiki_types::{Apn, Duration};
use toml::de::DeValue;

use super::names::unknown;
use super::scenario::Index;
use crate::file::mistake::Kind;
use crate::file::reader::{At, Fault, FromToml, Sink, Table};
use crate::file::value::{Octets, choices, text};
use crate::file::{
    Action, AttachExpect, Cause, Destination, Expect, Lab, NodeName, SimRef, Step, Verb, Via,
};

/// What `do` can say.
#[derive(Clone, Copy, Debug)]
enum Do {
    Attach,
    Reattach,
    Detach,
    HttpGet,
    FileGet,
    Ping,
    Dns,
    Probe,
    ProbeStart,
    ProbeStop,
    Operate(Verb),
    Wait,
    Expect,
    Crash,
    Restart,
    Link,
}

choices!(Do {
    "attach" => Self::Attach,
    "reattach" => Self::Reattach,
    "detach" => Self::Detach,
    "http_get" => Self::HttpGet,
    "file_get" => Self::FileGet,
    "ping" => Self::Ping,
    "dns" => Self::Dns,
    "probe" => Self::Probe,
    "probe_start" => Self::ProbeStart,
    "probe_stop" => Self::ProbeStop,
    "suspend" => Self::Operate(Verb::Suspend),
    "pause" => Self::Operate(Verb::Pause),
    "resume" => Self::Operate(Verb::Resume),
    "terminate" => Self::Operate(Verb::Terminate),
    "delete_session" => Self::Operate(Verb::DeleteSession),
    "isolate" => Self::Operate(Verb::Isolate),
    "release" => Self::Operate(Verb::Release),
    "emergency_cut" => Self::Operate(Verb::EmergencyCut),
    "wait" => Self::Wait,
    "expect" => Self::Expect,
    "crash" => Self::Crash,
    "restart" => Self::Restart,
    "link" => Self::Link,
});
choices!(Expect {
    "answered" => Self::Answered,
    "refused" => Self::Refused,
    "any" => Self::Any,
});
choices!(NodeName { "hss" => Self::Hss, "mme" => Self::Mme, "pgw" => Self::Pgw });

/// The three outcomes of an attach, before its cause is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Rejected,
    Any,
}

choices!(Outcome {
    "accepted" => Self::Accepted,
    "rejected" => Self::Rejected,
    "any" => Self::Any,
});

impl FromToml for Cause {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "a NAS cause in quotes, such as \"emm:8\"")?;
        let parsed = text.split_once(':').and_then(|(layer, number)| {
            let number = number.parse().ok()?;
            match layer {
                "emm" => Some(Self::Emm(number)),
                "esm" => Some(Self::Esm(number)),
                _ => None,
            }
        });
        parsed.ok_or_else(|| {
            Fault::new(
                format!("`{text}` is not a NAS cause"),
                "write the layer and the number, such as \"emm:8\" or \"esm:27\"",
            )
        })
    }
}

impl FromToml for Via {
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Fault> {
        let text = text(value, "a protocol in quotes, such as \"tcp:443\"")?;
        let port = |n: &str| n.parse().ok().filter(|p| *p != 0);
        let parsed = match text.split_once(':') {
            None if text == "icmp" => Some(Self::Icmp),
            Some(("tcp", n)) => port(n).map(Self::Tcp),
            Some(("udp", n)) => port(n).map(Self::Udp),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Fault::new(
                format!("`{text}` is not a way to probe"),
                "write \"icmp\", \"tcp:PORT\" or \"udp:PORT\"",
            )
        })
    }
}

/// What step and assertion readers look names up in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub(super) lab: &'a Lab,
    pub(super) index: &'a Index,
}

/// Reads every `[[step]]`.
pub(super) fn steps(root: &mut Table<'_>, lab: &Lab, index: &Index) -> Vec<Step> {
    let names = Names { lab, index };
    let mut steps = Vec::new();
    let mut last: Option<At<Duration>> = None;
    let tables = root.tables("step");
    if tables.is_empty() {
        let help = "add what is to be done, beginning with a section `[[step]]` with \
                    `do = \"attach\"` and `ue = \"all\"`";
        root.missing("step", help);
    }
    for mut table in tables {
        let line = table.place().line();
        let action = table.required::<Do>("do", "\"attach\"");
        let at = table.optional::<Duration>("at");
        if let (Some(at), Some(before)) = (&at, &last)
            && at.value < before.value
        {
            let problem = "this step would start before the one above it";
            let help = format!(
                "steps run in the order of the file; the one in line {} has a later time",
                before.place.line()
            );
            table.sink().add(
                at.place
                    .mistake(Kind::Clash, problem, help)
                    .with_first(&before.place),
            );
        }
        last = at.or(last);
        let title = table.optional::<String>("title").map(|t| t.value);
        let within = table.or("within", Duration::from_secs(30));
        if action.is_none() {
            table.give_up();
        }
        let action = action.and_then(|verb| names.action(verb.value, &mut table));
        table.finish();
        steps.extend(action.map(|action| Step {
            line,
            title,
            at: last.as_ref().map_or(Duration::ZERO, |l| l.value),
            within,
            action,
        }));
    }
    steps
}

impl Names<'_> {
    fn action(self, verb: Do, table: &mut Table<'_>) -> Option<Action> {
        match verb {
            Do::Attach | Do::Reattach | Do::Detach => self.mobility(verb, table),
            Do::HttpGet | Do::FileGet | Do::Ping | Do::Dns => self.traffic(verb, table),
            Do::Probe | Do::ProbeStart | Do::ProbeStop => self.probe(verb, table),
            Do::Operate(verb) => {
                let ues = self.ues(table);
                let reason = table.or("reason", String::from("scenario"));
                let actor = table.or("actor", String::from("heiiki"));
                Some(Action::Operate {
                    ues: ues?,
                    verb,
                    reason,
                    actor,
                })
            }
            Do::Wait => {
                let time = table.required::<Duration>("for", "\"5s\"")?.value;
                Some(Action::Wait { time })
            }
            Do::Expect => {
                let (_, assert) = super::assert::assert(table, self, Vec::new())?;
                Some(Action::Expect(assert))
            }
            Do::Crash => Some(Action::Crash(table.required("node", "\"pgw\"")?.value)),
            Do::Restart => Some(Action::Restart(table.required("node", "\"pgw\"")?.value)),
            Do::Link => super::link::link(table),
        }
    }

    fn mobility(self, verb: Do, table: &mut Table<'_>) -> Option<Action> {
        let ues = self.ues(table);
        Some(match verb {
            Do::Attach => {
                let apn = table.optional::<Apn>("apn").map(|a| a.value);
                let spread = table.or("spread", Duration::ZERO);
                let expect = attach_expect(table);
                Action::Attach {
                    ues: ues?,
                    apn,
                    spread,
                    expect,
                }
            }
            Do::Reattach => {
                let times = table.or("times", 1);
                let expect = attach_expect(table);
                Action::Reattach {
                    ues: ues?,
                    times,
                    expect,
                }
            }
            _ => {
                let switch_off = table.or("switch_off", false);
                Action::Detach {
                    ues: ues?,
                    switch_off,
                }
            }
        })
    }

    fn traffic(self, verb: Do, table: &mut Table<'_>) -> Option<Action> {
        let ues = self.ues(table);
        let expect = table.or("expect", Expect::Answered);
        Some(match verb {
            Do::HttpGet => {
                let host = self.destination(table, "from", Some(Destination::Intranet));
                let path = path(table);
                Action::HttpGet {
                    ues: ues?,
                    host: host?,
                    path: path?,
                    expect,
                }
            }
            Do::FileGet => {
                let host = self.destination(table, "from", Some(Destination::Intranet));
                let size = table.required::<Octets>("size", "\"1MB\"");
                Action::FileGet {
                    ues: ues?,
                    host: host?,
                    size: size?.0,
                    expect,
                }
            }
            Do::Ping => {
                let to = self.destination(table, "to", None);
                let count = table.or("count", 1);
                Action::Ping {
                    ues: ues?,
                    to: to?,
                    count,
                    expect,
                }
            }
            _ => {
                let name = table.required::<String>("name", "\"intranet\"");
                Action::Dns {
                    ues: ues?,
                    name: name?.value,
                    expect,
                }
            }
        })
    }

    fn probe(self, verb: Do, table: &mut Table<'_>) -> Option<Action> {
        let ues = self.ues(table);
        Some(match verb {
            Do::ProbeStart => {
                let to = self.destination(table, "to", Some(Destination::Intranet));
                let every = table.or("every", Duration::from_millis(10));
                Action::ProbeStart {
                    ues: ues?,
                    to: to?,
                    every,
                }
            }
            Do::ProbeStop => Action::ProbeStop { ues: ues? },
            _ => {
                let to = self.destinations(table, "to");
                if to.is_none() {
                    table.missing("to", "add where to: `to = [\"core\", \"outside\"]`");
                }
                let over = table.list::<Via>("over");
                let expect = table.required::<Expect>("expect", "\"refused\"");
                Action::Probe {
                    ues: ues?,
                    to: to?,
                    over: over.map_or_else(
                        || vec![Via::Icmp, Via::Tcp(80), Via::Udp(53)],
                        |o| o.into_iter().map(|v| v.value).collect(),
                    ),
                    expect: expect?.value,
                }
            }
        })
    }

    /// The SIMs of `ue`, which must be there.
    fn ues(self, table: &mut Table<'_>) -> Option<Vec<SimRef>> {
        if !table.has("ue") {
            table.missing(
                "ue",
                "add who does it: `ue = \"all\"`, a SIM's name, or a list of names",
            );
        }
        self.optional_ues(table)
    }

    /// The SIMs of `ue`, each once, if it is there.
    pub(super) fn optional_ues(self, table: &mut Table<'_>) -> Option<Vec<SimRef>> {
        let names = table.list::<String>("ue")?;
        let sink = table.sink();
        let mut sims: Vec<SimRef> = names
            .iter()
            .flat_map(|n| self.index.sims(n, sink))
            .collect();
        sims.sort_unstable();
        sims.dedup();
        Some(sims)
    }

    /// The one SIM of `ue`, which must be there.
    pub(super) fn one_ue(self, table: &mut Table<'_>) -> Option<SimRef> {
        let name = table.required::<String>("ue", "\"red-1\"")?;
        self.one(&name, table.sink())
    }

    /// The one SIM of a name.
    pub(super) fn one(self, name: &At<String>, sink: &Sink) -> Option<SimRef> {
        let sims = self.index.sims(name, sink);
        let first = sims.first().copied();
        if sims.len() > 1 {
            let problem = format!("`{}` is {} SIMs", name.value, sims.len());
            let first = first.and_then(|s| self.lab.sims.get(s.0));
            let help = format!(
                "name one of them, such as `{}`",
                first.map_or("", |s| s.name.as_str())
            );
            sink.add(name.place.mistake(Kind::Reference, problem, help));
        }
        first
    }
}

/// The name, unless nothing has it.
pub(super) fn known<'n>(
    what: &str,
    name: &At<String>,
    all: impl Iterator<Item = &'n str> + Clone,
    table: &Table<'_>,
) -> Option<String> {
    if all.clone().any(|n| n == name.value) {
        Some(name.value.clone())
    } else {
        table.sink().add(unknown(what, name, all));
        None
    }
}

fn path(table: &mut Table<'_>) -> Option<String> {
    let Some(path) = table.optional::<String>("path") else {
        return (!table.has("path")).then(|| String::from("/"));
    };
    if !path.starts_with('/') || path.contains(char::is_whitespace) {
        let problem = format!("`{}` is not a path", path.value);
        table.sink().add(path.place.mistake(
            Kind::Value,
            problem,
            "write it as in \"/index.html\"",
        ));
    }
    Some(path.value)
}

fn attach_expect(table: &mut Table<'_>) -> AttachExpect {
    let outcome = table.or("expect", Outcome::Accepted);
    let cause = table.optional::<Cause>("cause").map(|c| c.value);
    let protected = table.optional::<bool>("protected").map(|p| p.value);
    for key in ["cause", "protected"] {
        if table.has(key) && outcome != Outcome::Rejected {
            let problem = format!("`{key}` says something of a rejection, and none is expected");
            let help = "add `expect = \"rejected\"`, or remove this key";
            table
                .sink()
                .add(table.place_of(key).mistake(Kind::Clash, problem, help));
        }
    }
    match outcome {
        Outcome::Accepted => AttachExpect::Accepted,
        Outcome::Rejected => AttachExpect::Rejected { cause, protected },
        Outcome::Any => AttachExpect::Any,
    }
}
