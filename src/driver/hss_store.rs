//! The store of an HSS: a file of its own, or a database that it shares.

use std::io;
use std::path::Path;

use heiiki_hss::{Hss, Input};
use heiiki_net::postgres::{Postgres, PostgresConfig, PostgresError, Report};
use heiiki_types::{SharedOutput, StorageInput, StorageOutput};

use super::listen::StartError;
use super::storage::Storage;
use super::thread::Inbox;

/// Where the rows go.
#[derive(Debug)]
pub(super) enum Store {
    Own(Storage),
    Shared(Postgres),
}

impl Store {
    /// Opens the shared store, if there is one, else the file.
    pub(super) fn open(
        file: &Path,
        shared: Option<PostgresConfig>,
        inbox: &Inbox<Hss>,
    ) -> Result<Self, StartError> {
        let inbox = inbox.clone();
        let Some(config) = shared else {
            return Storage::of_hss(file, inbox)
                .map(Self::Own)
                .map_err(|e| StartError::new("store", file.display(), e));
        };
        let address = config.address.to_string();
        Postgres::open(config, move |report| match report {
            Report::Storage(input) => inbox.send(Input::Storage(input)),
            Report::Shared(input) => inbox.send(Input::Shared(input)),
            Report::Trouble(why) => tracing::warn!("the shared store is away: {why}"),
        })
        .map(Self::Shared)
        .map_err(|error| {
            let key = match error {
                PostgresError::NumberTaken(_) => "front_end.number",
                _ => "postgres.address",
            };
            StartError::new(key, address, io::Error::other(error))
        })
    }

    /// Does what the node asks; an answer that is there at once is returned.
    pub(super) fn act(&mut self, output: StorageOutput) -> Option<StorageInput> {
        match self {
            Self::Own(store) => store.act(output),
            Self::Shared(store) => store.act(output),
        }
    }

    /// Does what only a shared store can; a node with a file never asks for it.
    pub(super) fn share(&self, output: SharedOutput) {
        if let Self::Shared(store) = self {
            store.share(output);
        }
    }
}
