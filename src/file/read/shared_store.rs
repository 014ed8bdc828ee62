//! `[postgres]` and `[front_end]` of `hss.toml`.

use std::path::{Path, PathBuf};

use heiiki_net::postgres::Address;
use heiiki_types::Duration;

use crate::file::mistake::Kind;
use crate::file::reader::Table;
use crate::file::{FrontEnd, SharedStore};

/// How many IND values there are to share out (TS 33.102 §C.3.2).
const INDS: u8 = 32;

/// Both sections; `None` when the store is not shared.
pub(super) fn shared_store(root: &mut Table<'_>, path: &Path) -> Option<SharedStore> {
    let front_end = front_end(root);
    let mut table = root.table("postgres")?;
    let address = table.optional::<String>("address");
    let password = table.optional::<PathBuf>("password_file");
    let allow_clear = table.or("allow_clear", false);
    let ca = table.optional::<PathBuf>("ca");
    let server_name = table.optional::<String>("server_name");
    let patience = table.or("patience", Duration::from_secs(5));
    table.finish();
    let text = address?;
    let parsed = match text.value.parse::<Address>() {
        Ok(parsed) => parsed,
        Err(error) => {
            let help = "write \"postgresql://USER@HOST:5432/DATABASE\", and the name of a file \
                        with the password in `password_file`";
            let mistake = text.place.mistake(Kind::Value, error.to_string(), help);
            root.sink().add(mistake.of_a_secret());
            return None;
        }
    };
    if !parsed.is_local() && !allow_clear && ca.is_none() {
        let problem =
            format!("`{parsed}` is not on this machine, and rows would travel in clear text");
        let help = "name the certificate that signed the server's in `ca`, for TLS; or use \
                    loopback or a socket folder, for example over a tunnel; or write \
                    `allow_clear = true` in this section";
        let mistake = text.place.mistake(Kind::Clash, problem, help);
        root.sink().add(mistake);
    }
    Some(SharedStore {
        address: parsed,
        password: password.map(|p| super::beside(path, &p)),
        ca: ca.map(|ca| super::beside(path, &ca.value)),
        server_name: server_name.map(|name| name.value),
        patience,
        front_end,
    })
}

fn front_end(root: &mut Table<'_>) -> FrontEnd {
    let mut front_end = FrontEnd { number: 0, of: 1 };
    let Some(mut table) = root.table("front_end") else {
        return front_end;
    };
    let number = table.optional::<u8>("number");
    let of = table.optional::<u8>("of");
    front_end.of = of.as_ref().map_or(1, |of| of.value);
    front_end.number = number.as_ref().map_or(0, |number| number.value);
    table.finish();
    if let Some(of) = of.filter(|of| !(1..=INDS).contains(&of.value)) {
        let problem = format!("{} front ends cannot share 32 IND values", of.value);
        let mistake = of
            .place
            .mistake(Kind::Value, problem, "write a number from 1 to 32");
        root.sink().add(mistake);
        front_end = FrontEnd { number: 0, of: 1 };
    } else if let Some(number) = number.filter(|n| n.value >= front_end.of) {
        let problem = format!("there is no front end {} of {}", number.value, front_end.of);
        let help = "front ends count from 0: number the last one `of` minus 1";
        root.sink()
            .add(number.place.mistake(Kind::Clash, problem, help));
        front_end.number = 0;
    }
    front_end
}
