//! The master key of the store: from a file of its own, or from the environment.

use std::path::{Path, PathBuf};

use heiiki_hss::StoreKeys;
use heiiki_types::{Key256, Rng};
use zeroize::Zeroizing;

use super::token::{self, Unusable};

/// The variable that holds the key in place of the file.
pub(super) const VARIABLE: &str = "HEIIKI_STORE_KEY";

/// The keys of a store. The current one is made at the first start; `has_store` tells that it is
/// not the first, so that a key that is gone is not replaced by one that opens nothing.
pub(super) fn load(
    file: &Path,
    previous: &[PathBuf],
    has_store: bool,
    rng: &mut Rng,
) -> Result<StoreKeys, Unusable> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the secret may come in the environment, as documented"
    )]
    let from_environment = std::env::var(VARIABLE).ok().map(Zeroizing::new);
    let current = match from_environment {
        Some(text) => key(&text, VARIABLE)?,
        None if has_store && !file.exists() => {
            return Err(Unusable {
                problem: format!("{} does not exist, but the store does", file.display()),
                help: format!(
                    "put the store's master key there, mode 0600, or into {VARIABLE}; without it \
                     the secrets of the SIMs are lost"
                ),
            });
        }
        None => of_file(file, |path| token::make_or_read(path, rng))?,
    };
    let previous = previous.iter().map(|path| of_file(path, token::read));
    Ok(StoreKeys::new(current, previous.collect::<Result<_, _>>()?))
}

fn of_file(
    path: &Path,
    read: impl FnOnce(&Path) -> Result<heiiki_types::Token, Unusable>,
) -> Result<Key256, Unusable> {
    key(read(path)?.expose(), &path.display().to_string())
}

fn key(text: &str, place: &str) -> Result<Key256, Unusable> {
    Key256::from_hex(text.trim()).map_err(|_| Unusable {
        problem: format!("{place} does not hold a master key"),
        help: "it is 64 hexadecimal digits, such as `openssl rand -hex 32` makes".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_never_for_a_store_that_has_one() {
        let folder = std::env::temp_dir().join(format!("heiiki-key-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let file = folder.join("key");
        let mut rng = Rng::from_seed(1);
        let refused = load(&file, &[], true, &mut rng).err().unwrap();
        assert!(refused.problem.contains("but the store does"));
        load(&file, &[], false, &mut rng)
            .map(drop)
            .map_err(|u| u.problem)
            .unwrap();
        let made = std::fs::read_to_string(&file).unwrap();
        assert_eq!(made.trim().len(), 64);
        load(&file, &[], true, &mut rng)
            .map(drop)
            .map_err(|u| u.problem)
            .unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), made);
        assert!(load(&file, &[folder.join("old")], true, &mut rng).is_err());
        assert!(key("465b5c", "x").is_err_and(|u| !u.problem.contains("465b5c")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
