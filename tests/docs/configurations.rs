//! The configurations on the pages are valid.
//!
//! A block of TOML is a complete file. One that shows only a part of a file begins with ```` ```toml fragment ````.

use std::fs;

use crate::{load, names::Keys, pages};

#[test]
fn blocks_of_toml_are_valid_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let path = path.to_str().unwrap();
    for page in ["down.html", "denied.html"] {
        fs::write(folder.path().join(page), "").unwrap();
    }
    fs::create_dir(folder.path().join("public")).unwrap();
    let mut files = 0;
    for page in pages() {
        for block in page.code("toml") {
            // The folder in all configurations of docs/whole-site.md.
            fs::write(path, block.replace("/srv/example/assets", "public")).unwrap();
            load(["check", "--config", path], [("DOMAIN", "example.com")]).unwrap_or_else(|error| {
                panic!("{}: {error}\n(a part of a file? ```toml fragment)\n{block}", page.name)
            });
            files += 1;
        }
    }
    assert!(files > 30, "{files}");
}

#[test]
fn fragments_are_toml_with_known_keys() {
    let keys = Keys::read();
    for page in pages() {
        for block in page.code("toml fragment") {
            let table: toml_edit::DocumentMut =
                block.parse().unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.name));
            for (key, _) in table.iter() {
                assert!(keys.has(key), "{}: there is no key {key}: {block}", page.name);
            }
        }
    }
}

#[test]
fn blocks_of_variables_are_valid() {
    let mut blocks = 0;
    for page in pages() {
        for block in page.code("ini") {
            let lines = block.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let variables = lines.filter_map(|line| line.split_once('='));
            load([], variables).unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.name));
            blocks += 1;
        }
    }
    assert!(blocks > 0);
}
