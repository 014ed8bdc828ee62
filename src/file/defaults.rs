//! Every key of every kind of file, with its default, for `config print`.

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `hss.toml`.
    Hss,
    /// `pgw.toml`.
    Pgw,
    /// `ue-sim.toml`.
    UeSim,
    /// A subscribers file.
    Subscribers,
    /// A lab file.
    Lab,
    /// A scenario.
    Scenario,
}

impl FileKind {
    /// All kinds, in the order of this page.
    pub const ALL: [Self; 6] = [
        Self::Hss,
        Self::Pgw,
        Self::UeSim,
        Self::Subscribers,
        Self::Lab,
        Self::Scenario,
    ];

    /// The word by which the command line calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hss => "hss",
            Self::Pgw => "pgw",
            Self::UeSim => "ue-sim",
            Self::Subscribers => "subscribers",
            Self::Lab => "lab",
            Self::Scenario => "scenario",
        }
    }

    /// A file of this kind that can be read as it is. Keys that must be there have an example;
    /// every other one stands behind `#` with its default, so that taking the `#` away changes
    /// nothing.
    pub const fn defaults(self) -> &'static str {
        match self {
            Self::Hss => include_str!("defaults/hss.toml"),
            Self::Pgw => include_str!("defaults/pgw.toml"),
            Self::UeSim => include_str!("defaults/ue-sim.toml"),
            Self::Subscribers => include_str!("defaults/subscribers.toml"),
            Self::Lab => include_str!("defaults/lab.toml"),
            Self::Scenario => include_str!("defaults/scenario.toml"),
        }
    }
}
