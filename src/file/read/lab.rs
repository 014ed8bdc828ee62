//! A lab file, and the lab half of a scenario.

use heiiki_types::{Duration, PlmnId, Tac};

use super::sim::Sims;
use super::tenant::{Scope, Tenants};
use crate::file::mistake::{Kind, Source};
use crate::file::reader::{At, Sink, Table, parse};
use crate::file::value::{Share, choices};
use crate::file::{Ciphering, EquipmentCheck, Integrity, Lab, Link, LinkName, Network, Quality};

choices!(LinkName {
    "s1" => Self::S1,
    "s1u" => Self::S1u,
    "s6a" => Self::S6a,
    "s5c" => Self::S5c,
    "s5u" => Self::S5u,
    "sgi" => Self::Sgi,
    "admin" => Self::Admin,
});
choices!(Integrity { "eia2" => Self::Eia2 });
choices!(Ciphering { "eea0" => Self::Eea0, "eea2" => Self::Eea2 });
choices!(EquipmentCheck { "off" => Self::Off, "ask" => Self::Ask, "require" => Self::Require });

/// A lab as it is read, from one file or two.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) network: Option<Network>,
    pub(super) tenants: Tenants,
    pub(super) sims: Sims,
    links: Vec<Link>,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            network: None,
            tenants: Tenants::new(Scope::Lab),
            sims: Sims::new(),
            links: Vec::new(),
        }
    }

    /// Reads tenants, access points, SIMs and links.
    pub(super) fn read(&mut self, root: &mut Table<'_>, count: &dyn Fn(&str) -> Option<usize>) {
        self.tenants.read_tenants(root);
        self.tenants.read_apns(root);
        let enbs = self.network.as_ref().map_or(1, |n| n.enbs);
        self.sims.read(root, &self.tenants, enbs, count);
        for mut table in root.tables("link") {
            let link = table.required::<LinkName>("name", "\"s5c\"");
            let quality = quality(&mut table);
            table.finish();
            self.links.extend(link.map(|link| Link {
                link: link.value,
                quality,
            }));
        }
    }

    pub(super) fn close(self) -> Option<Lab> {
        Some(Lab {
            network: self.network?,
            tenants: self.tenants.all,
            apns: self.tenants.apns,
            sims: self.sims.all,
            links: self.links,
        })
    }
}

/// The keys of a link's quality, the same in `[[link]]` and in steps.
pub(super) fn quality(table: &mut Table<'_>) -> Quality {
    let mut share = |key| table.or(key, Share(0.0)).0;
    let (loss, duplicate) = (share("loss"), share("duplicate"));
    let (reorder, corrupt) = (share("reorder"), share("corrupt"));
    Quality {
        delay: table.or("delay", Duration::ZERO),
        jitter: table.or("jitter", Duration::ZERO),
        loss,
        duplicate,
        reorder,
        corrupt,
    }
}

/// Reads the `[lab]` section.
pub(super) fn network(table: Option<Table<'_>>) -> Network {
    let default = Network::default();
    let Some(mut table) = table else {
        return default;
    };
    let plain =
        |values: Option<Vec<At<Integrity>>>| values.map(|v| v.iter().map(|a| a.value).collect());
    let integrity = plain(table.list("integrity")).unwrap_or(default.integrity);
    let ciphering = table.list::<Ciphering>("ciphering");
    let network = Network {
        plmn: table.or::<PlmnId>("plmn", default.plmn),
        tac: Tac(table.or("tac", default.tac.0)),
        mme_group_id: table.or("mme_group_id", default.mme_group_id),
        mme_code: table.or("mme_code", default.mme_code),
        enbs: at_least_one(&mut table, "enbs", default.enbs),
        workers: at_least_one(&mut table, "workers", default.workers),
        integrity,
        ciphering: ciphering.map_or(default.ciphering, |v| v.iter().map(|a| a.value).collect()),
        t3412: table.or("t3412", default.t3412),
        quarantine: quarantine(&mut table, Duration::from_secs(9)),
        watchdog: table.or("watchdog", default.watchdog),
        equipment_check: table.or("equipment_check", default.equipment_check),
        echo: echo(&mut table),
    };
    table.finish();
    network
}

fn at_least_one(table: &mut Table<'_>, key: &'static str, default: usize) -> usize {
    let Some(number) = table.optional::<usize>(key) else {
        return default;
    };
    if number.value == 0 {
        let mistake =
            number
                .place
                .mistake(Kind::Value, "there must be one at least", "write 1 or more");
        table.sink().add(mistake);
    }
    number.value
}

/// The quarantine, which must outlast every retransmission.
pub(super) fn quarantine(table: &mut Table<'_>, retransmission: Duration) -> Duration {
    let default = Duration::from_mins(1);
    let Some(quarantine) = table.optional::<Duration>("quarantine") else {
        return default;
    };
    if quarantine.value <= retransmission {
        let seconds = retransmission.as_secs();
        let problem = format!(
            "an address may come back while a request for it is still repeated ({seconds}s)"
        );
        let help = format!("write more than N3 x T3, which is {seconds}s; the default is \"60s\"");
        table
            .sink()
            .add(quarantine.place.mistake(Kind::Clash, problem, help));
    }
    quarantine.value
}

/// The interval of GTP Echo.
pub(super) fn echo(table: &mut Table<'_>) -> Duration {
    let floor = Duration::from_mins(1);
    let Some(echo) = table.optional::<Duration>("echo") else {
        return floor;
    };
    if echo.value < floor {
        let problem = "a path may not be checked more often than every 60s (TS 29.274 §7.1.1)";
        table.sink().add(
            echo.place
                .mistake(Kind::Value, problem, "write \"60s\" or more"),
        );
    }
    echo.value
}

/// Reads a lab file.
pub(in crate::file) fn lab(source: &std::sync::Arc<Source>, sink: &Sink) -> Option<Lab> {
    parse(source, sink, |mut root| {
        super::format(&mut root);
        let mut draft = Draft::new();
        draft.network = Some(network(root.table("lab")));
        draft.read(&mut root, &|_| None);
        root.finish();
        draft.close()
    })
}
