//! What a file says and the system refuses: an address that is in use, a folder that cannot be made.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::mistake::{Kind, Mistakes, Place, Source};
use super::reader::Sink;

/// The mistake of a key that reads well and still cannot be had, at its line of the file. `key` is
/// its path, such as `s6a.listen` or `gateway[1].token_file`; a key that is not in the file stands
/// there with its default.
pub fn blame(path: &Path, key: &str, problem: &str, help: &str) -> Mistakes {
    let sink = Sink::default();
    let source = super::read::open(path, &sink, None);
    let source = source.unwrap_or_else(|| Source::new(path.display().to_string(), String::new()));
    let (tree, _) = DeTable::parse_recoverable(source.text());
    let found = find(tree.get_ref(), key);
    let problem = match &found {
        Some(_) => problem.to_owned(),
        None => format!("{problem} (this is the default: the file does not have the key)"),
    };
    let place = Place {
        source: Arc::clone(&source),
        span: found.unwrap_or(0..0),
        key: key.to_owned(),
    };
    Mistakes::new(vec![place.mistake(Kind::Value, problem, help)])
}

fn find(root: &DeTable<'_>, key: &str) -> Option<core::ops::Range<usize>> {
    let (front, last) = key
        .rsplit_once('.')
        .map_or(("", key), |(front, last)| (front, last));
    let mut table = root;
    for part in front.split('.').filter(|p| !p.is_empty()) {
        table = match step(table, part)?.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        };
    }
    step(table, last).map(toml::Spanned::span)
}

/// The value of `name`, or of one entry of it: `name[2]`.
fn step<'t, 'i>(table: &'t DeTable<'i>, part: &str) -> Option<&'t toml::Spanned<DeValue<'i>>> {
    let (name, index) = match part.strip_suffix(']').and_then(|p| p.split_once('[')) {
        Some((name, index)) => (name, index.parse::<usize>().ok()),
        None => (part, None),
    };
    let value = table.get(name)?;
    match (value.get_ref(), index) {
        (DeValue::Array(items), Some(index)) => items.get(index),
        // One value may stand for a list of one.
        _ => Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_stands() {
        let text = "store = \"x\"\n[s6a]\nlisten = \"a\"\n[s5u]\nlisten = [\"a\",\n \"b\"]\n\
                    [[gateway]]\nname = \"g\"\n[[gateway]]\nname = \"h\"\n";
        let path = std::env::temp_dir().join(format!("heiiki-blame-{}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let line = |key: &str| blame(&path, key, "no", "do").iter().next().unwrap().line();
        assert_eq!(line("store"), 1);
        assert_eq!(line("s6a.listen"), 3);
        assert_eq!(line("s5u.listen"), 5);
        assert_eq!(line("s5u.listen[1]"), 6);
        assert_eq!(line("s6a.listen[0]"), 3);
        assert_eq!(line("gateway[1].name"), 10);
        let absent = blame(&path, "admin.listen", "no", "do").to_string();
        assert!(
            absent.contains("admin.listen") && absent.contains("default"),
            "{absent}"
        );
        std::fs::remove_file(&path).unwrap();
        let gone = blame(&path, "admin.listen", "no", "do").to_string();
        assert!(gone.contains("admin.listen"), "{gone}");
    }
}
