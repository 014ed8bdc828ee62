//! Files that hold the token of an administrative interface.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use heiiki_types::{Rng, Token, to_hex};
use zeroize::Zeroizing;

/// Octets of randomness in a new token.
const OCTETS: usize = 32;
/// A shorter one could be guessed.
const SHORTEST: usize = 16;
/// A token file is one line; a longer file is something else.
const LONGEST: u64 = 4_096;

/// Why a token file is of no use.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) problem: String,
    pub(super) help: String,
}

impl Unusable {
    fn new(problem: String, help: impl Into<String>) -> Self {
        Self {
            problem,
            help: help.into(),
        }
    }
}

/// Reads the token, after making it when there is none yet.
pub(super) fn make_or_read(path: &Path, rng: &mut Rng) -> Result<Token, Unusable> {
    if !path.exists() {
        make(path, rng).map_err(|e| {
            let problem = format!("{} cannot be made: {e}", path.display());
            Unusable::new(problem, "name a file in a folder that this user may write")
        })?;
    }
    read(path)
}

/// Puts a new token in place with all its octets at once, so that nobody reads half of it, and
/// never over one that another process has made meanwhile.
fn make(path: &Path, rng: &mut Rng) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let draft: PathBuf = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let octets: Zeroizing<[u8; OCTETS]> = Zeroizing::new(rng.octets());
    let mut text = Zeroizing::new(to_hex(octets.as_slice()));
    text.push('\n');
    let made = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => removed,
    }
}

/// Reads the token of a file that nobody else can read.
pub(super) fn read(path: &Path) -> Result<Token, Unusable> {
    let name = path.display();
    let unreadable = |e: io::Error| {
        let help = match e.kind() {
            io::ErrorKind::NotFound => "the server makes it at its first start: start that first",
            _ => "give the path of the server's token file, as the user that the server runs as",
        };
        Unusable::new(format!("{name} cannot be read: {e}"), help)
    };
    let file = File::open(path).map_err(unreadable)?;
    let about = file.metadata().map_err(unreadable)?;
    if !about.is_file() {
        return Err(Unusable::new(
            format!("{name} is not a file"),
            "name a file",
        ));
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let problem = format!("others may read {name} (mode {mode:04o})");
        let help = format!(
            "remove it so that a new one is made, or `chmod 600 {name}` if nobody has read it"
        );
        return Err(Unusable::new(problem, help));
    }
    let mut text = Zeroizing::new(String::with_capacity(
        about.len().min(LONGEST).try_into().unwrap_or(0) + 1,
    ));
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let token = text.trim();
    if token.len() < SHORTEST || !token.bytes().all(|c| c.is_ascii_graphic()) {
        let problem = format!("{name} does not hold a token of {SHORTEST} or more characters");
        return Err(Unusable::new(
            problem,
            "remove it: a new one is made at the next start",
        ));
    }
    Ok(Token::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("heiiki-token-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_token_is_made_once_and_is_for_its_owner_alone() {
        let folder = folder("made");
        let path = folder.join("below/token");
        let first = make_or_read(&path, &mut Rng::from_seed(1)).unwrap();
        assert_eq!(first.expose().len(), 64);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        // The other process came first.
        make(&path, &mut Rng::from_seed(2)).unwrap();
        assert!(make_or_read(&path, &mut Rng::from_seed(3)).unwrap() == first);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let folder = folder("open");
        let path = folder.join("token");
        make_or_read(&path, &mut Rng::from_seed(1)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read(&path).unwrap_err();
        assert!(refused.problem.contains("0640"), "{}", refused.problem);
        assert!(refused.help.contains("chmod 600"), "{}", refused.help);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        let folder = folder("bad");
        fs::create_dir_all(&folder).unwrap();
        for text in ["", "short\n", "with a space in the middle\n"] {
            let path = folder.join("token");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(read(&path).is_err(), "{text:?}");
        }
        assert!(read(&folder).is_err());
        assert!(
            read(&folder.join("none"))
                .unwrap_err()
                .help
                .contains("first start")
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
