//! Checks that imports have no cycles, between files or between the folders of src/; that each file says what it is for;
//! that documents name files that exist; and that charts show the figures that they are drawn from.
//!
//! Importing a name that a module only re-exports (`pub use`) counts as importing the file that defines it: a `mod.rs`
//! can re-export what its files define, and they can use it. Tests inside those files can import anything.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod sources;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use self::sources::{Imports, Sources};

#[test]
fn imports_between_files_have_no_cycles() {
    for root in ["src", "layers/src"] {
        let sources = Sources::read(root);
        assert!(sources.texts.len() > 100, "{root} has only {} files", sources.texts.len());
        let cycle = find_cycle(&sources.imports(|module| sources.files[module].display().to_string()));
        assert_eq!(cycle, None, "files that import each other: move what they share to a file of its own");
    }
}

#[test]
fn imports_between_folders_have_no_cycles() {
    let cycle = find_cycle(&Sources::read("src").imports(|module| module.first().cloned().unwrap_or_default()));
    assert_eq!(cycle, None, "folders that import each other: src/lib.rs says which can import which");
}

#[test]
fn documents_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in [
        "README.md",
        "CONTRIBUTING.md",
        "layers/README.md",
        "benches/README.md",
        "fuzz/README.md",
        "docs/architecture.md",
        "docs/choices.md",
        "examples/config/README.md",
        "docs/configuration.md",
        "docs/headers.md",
        "docs/layers.md",
        "docs/listeners.md",
        "docs/performance.md",
        "docs/redirects.md",
    ] {
        let document = root.join(document);
        let text = fs::read_to_string(&document).unwrap();
        let is_in_path = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
        let paths = text
            .split("](")
            .skip(1)
            .filter_map(|link| link.split([')', '#']).next())
            .filter(|link| !link.is_empty() && !link.contains(':'))
            .chain(text.split(|letter| !is_in_path(letter)).filter(|word| names_a_file(word)));
        for path in paths {
            let exists = [root, document.parent().unwrap()].iter().any(|folder| folder.join(path).exists());
            assert!(exists, "{} names {path}", document.display());
        }
    }
}

#[test]
fn charts_and_tables_show_the_figures() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance/charts.py");
    match Command::new("python3").arg(script).arg("--check").output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("skipped: cannot run python3: {error}"),
    }
}

#[test]
fn the_readme_of_the_layers_names_each_module_and_feature() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("layers");
    let [readme, library, manifest] =
        ["README.md", "src/lib.rs", "Cargo.toml"].map(|file| fs::read_to_string(root.join(file)).unwrap());
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let features = manifest.split("[features]").nth(1).unwrap().split("\n[").next().unwrap();
    let features = features.lines().filter_map(|line| line.split_once(" = ["));
    let names: Vec<_> = modules.chain(features.map(|(name, _)| name)).filter(|name| *name != "default").collect();
    assert!(names.len() > 25, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("\n| `{name}` |")), "layers/README.md has no line for {name}");
    }
}

fn names_a_file(word: &str) -> bool {
    let folders = ["src/", "layers/", "tests/", "benches/", "fuzz/", "examples/"];
    let is_file = Path::new(word).extension().is_some_and(|extension| extension == "rs" || extension == "md");
    folders.iter().any(|folder| word.starts_with(folder)) && (is_file || word.ends_with('/'))
}

#[test]
fn every_file_of_the_program_says_what_it_is_for() {
    for file in Sources::read("src").files.values() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.starts_with("//! "), "{}: begin with one line, `//! …`", file.display());
    }
}

#[test]
fn cycles_are_found() {
    let imports = |pairs: &[(&str, &str)]| {
        let mut imports = Imports::new();
        for (from, to) in pairs {
            imports.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        find_cycle(&imports)
    };
    assert_eq!(imports(&[("a", "b"), ("a", "c"), ("b", "c")]), None);
    assert_eq!(imports(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b")]).as_deref(), Some("b -> c -> d -> b"));
}

#[test]
fn all_forms_of_imports_are_recognized() {
    let mut sources = Sources::default();
    for (module, text) in [
        ("", "pub mod a; pub mod b; pub mod c; pub use b::Passed;"),
        (
            "a",
            "use crate::{c, b::{self, X as d}};\n// use crate::d::Z;\n#[cfg(test)]\nmod tests {\n    use crate::d::Z;\n}\n",
        ),
        ("b", "pub(crate) use self::deep::Deep;\nmod deep;\nfn f() { deep::g(); }"),
        ("b::deep", "fn f() -> super::super::c::X { crate::Passed }"),
        ("c", "use super::b::Deep;\nuse http::Request;"),
        ("d", "use super::a::X as Y;"),
    ] {
        sources.add(module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect(), text, "");
    }
    let seen: Vec<_> = sources
        .imports(|module| module.join("::"))
        .into_iter()
        .map(|(from, to)| format!("{from}: {}", to.into_iter().collect::<Vec<_>>().join(" ")))
        .collect();
    assert_eq!(seen, ["a: b c", "b: b::deep", "b::deep: b c", "c: b::deep", "d: a"]);
}

/// Returns one of the cycles, from a file back to itself.
fn find_cycle(imports: &Imports) -> Option<String> {
    fn follow<'a>(imports: &'a Imports, path: &mut Vec<&'a str>, done: &mut BTreeSet<&'a str>) -> Option<String> {
        let from = *path.last()?;
        for to in imports.get(from).into_iter().flatten() {
            if let Some(start) = path.iter().position(|other| other == to) {
                return Some([&path[start..], &[to]].concat().join(" -> "));
            }
            if !done.contains(to.as_str()) {
                path.push(to);
                if let Some(cycle) = follow(imports, path, done) {
                    return Some(cycle);
                }
                path.pop();
            }
        }
        done.insert(from);
        None
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|from| follow(imports, &mut vec![from], &mut done))
}
