//! Reads which modules of a crate import which others, from the text of its files as rustfmt formats it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The path of a module, such as `["config", "table"]`. The root is empty.
pub(crate) type Module = Vec<String>;

/// The imports of each group.
pub(crate) type Imports = BTreeMap<String, BTreeSet<String>>;

/// The files of a crate, without their tests.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) files: BTreeMap<Module, PathBuf>,
    pub(crate) texts: BTreeMap<Module, String>,
}

impl Sources {
    pub(crate) fn read(root: &str) -> Self {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = workspace.join(root);
        let mut sources = Self::default();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let inner = path.strip_prefix(&root).unwrap().with_extension("");
                let mut module: Module = inner.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
                if module.iter().any(|name| name == "tests" || name == "main") {
                    continue;
                }
                module.pop_if(|name| name == "mod" || name == "lib");
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    sources.add(module, &fs::read_to_string(&path).unwrap(), path.strip_prefix(workspace).unwrap());
                }
            }
        }
        sources
    }

    pub(crate) fn add(&mut self, module: Module, text: &str, file: impl Into<PathBuf>) {
        self.files.insert(module.clone(), file.into());
        self.texts.insert(module, without_tests(text));
    }

    /// Groups the modules with `group`, and returns which groups import which others. The root module only declares the
    /// others, so its imports are left out.
    pub(crate) fn imports(&self, group: impl Fn(&Module) -> String) -> Imports {
        let paths: BTreeMap<_, _> = self.texts.keys().map(|module| (module, self.paths(module))).collect();
        let mut imports = Imports::new();
        for (module, paths_of_it) in paths.iter().filter(|(module, _)| !module.is_empty()) {
            for path in paths_of_it.iter().filter(|path| !path.is_reexport) {
                let to = self.defined_in(path.to.clone(), &paths);
                if !to.is_empty() && group(&to) != group(module) {
                    imports.entry(group(module)).or_default().insert(group(&to));
                }
            }
        }
        imports
    }

    /// The module that defines what a path refers to.
    fn defined_in(&self, mut path: Module, paths: &BTreeMap<&Module, Vec<Import>>) -> Module {
        let end = (0..=path.len()).rev().find(|end| self.texts.contains_key(&path[..*end])).unwrap_or(0);
        let inner = path.split_off(end);
        let reexport = paths[&path].iter().find(|import| import.is_reexport && inner.first() == Some(&import.name));
        match reexport {
            Some(import) => self.defined_in([&import.to, &inner[1..]].concat(), paths),
            None => path,
        }
    }

    /// All paths in a module that refer to this crate.
    fn paths(&self, module: &Module) -> Vec<Import> {
        let tokens = tokens(&self.texts[module]);
        let is_child = |name: &str| self.texts.contains_key(&[&module[..], &[name.to_owned()]].concat());
        let (mut imports, mut at) = (Vec::new(), 0);
        while at < tokens.len() {
            let begins = at.checked_sub(1).is_none_or(|before| tokens[before] != "::");
            let is_inner = matches!(tokens[at], "crate" | "self" | "super") || is_child(tokens[at]);
            if begins && is_inner && tokens.get(at + 1) == Some(&"::") {
                let is_reexport = at > 1 && tokens[at - 1] == "use" && matches!(tokens[at - 2], "pub" | ")");
                read_path(&tokens, &mut at, module.clone(), is_reexport, &mut imports);
            } else {
                at += 1;
            }
        }
        imports
    }
}

struct Import {
    /// From the root of the crate.
    to: Module,
    /// Its name in the importing module.
    name: String,
    /// `pub use`
    is_reexport: bool,
}

/// Reads a path, or all paths of a group `a::{b, c::d}`, relative to `base`.
fn read_path(tokens: &[&str], at: &mut usize, mut base: Module, is_reexport: bool, imports: &mut Vec<Import>) {
    let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
    loop {
        match token(*at) {
            "crate" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()),
            name => base.push(name.to_owned()),
        }
        *at += 1;
        if token(*at) != "::" {
            break;
        }
        *at += 1;
        if token(*at) == "{" {
            while !matches!(token(*at), "}" | "") {
                *at += 1;
                if token(*at) != "}" {
                    read_path(tokens, at, base.clone(), is_reexport, imports);
                }
            }
            *at += 1;
            return;
        }
    }
    let mut name = base.last().cloned().unwrap_or_default();
    if token(*at) == "as" {
        token(*at + 1).clone_into(&mut name);
        *at += 2;
    }
    imports.push(Import { to: base, name, is_reexport });
}

/// Splits text into words, `::`, and single characters.
fn tokens(mut text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while let Some(first) = text.trim_start().chars().next() {
        text = text.trim_start();
        let is_in_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = match first {
            _ if text.starts_with("::") => 2,
            _ if is_in_word(first) => text.find(|letter| !is_in_word(letter)).unwrap_or(text.len()),
            _ => first.len_utf8(),
        };
        tokens.push(&text[..length]);
        text = &text[length..];
    }
    tokens
}

/// Removes comments and everything under `#[cfg(test)]` or `#[cfg(all(test, …))]`, up to the line that ends it at the
/// same indentation.
fn without_tests(text: &str) -> String {
    let (mut kept, mut tests) = (String::new(), None);
    for line in text.lines() {
        let indentation = line.len() - line.trim_start().len();
        if line.trim() == "#[cfg(test)]" || line.trim().starts_with("#[cfg(all(test,") {
            tests = Some(indentation);
        } else if tests.is_none() && !line.trim_start().starts_with("//") {
            kept.extend([line.split(" //").next().unwrap_or(line), "\n"]);
        } else if tests == Some(indentation) && line.ends_with(['}', ';', ',']) {
            tests = None;
        }
    }
    kept
}
