use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml_edit::{Document, TableLike};

use super::{
    Kind, Merged, Problem, Problems, SETTINGS, path, suggest, table,
    toml::{self, Lines},
};
use crate::settings;

/// A file of settings that knows the line of each.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    document: Arc<Document<String>>,
    lines: Arc<Lines>,
    values: Dict,
}

impl ConfigFile {
    /// Reads the file the user named, else HOME/config.toml, else `system_file`; `None` where none of them is.
    ///
    /// `named` holds the values of all other sources. A `system_file` of `None` means to look for no file.
    pub(super) fn open(
        named: &Merged,
        system_file: Option<&Path>,
        user_home: Option<&str>,
    ) -> Result<Option<Self>, Problem> {
        if let Some(node) = named.node("config") {
            let path: PathBuf = node.parse()?;
            let text = fs::read_to_string(&path)
                .map_err(|error| node.problem(format!("cannot read {}: {error}", path.display())))?;
            return Self::parse(path, &text, user_home).map(Some);
        }
        let Some(system_file) = system_file else { return Ok(None) };
        let in_home = named.node("home").and_then(|node| Some(node.parse::<PathBuf>().ok()?.join("config.toml")));
        for path in in_home.into_iter().chain([system_file.to_owned()]) {
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(path, &text, user_home).map(Some),
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Problem::new(path.display().to_string(), format!("cannot be read: {error}"))),
            }
        }
        Ok(None)
    }

    fn parse(path: PathBuf, text: &str, user_home: Option<&str>) -> Result<Self, Problem> {
        let lines = Lines::of(text);
        let document = Document::parse(text.to_owned()).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.at(span.start));
            let mut message = error.message().trim().replace('\n', ", ");
            if let (true, Some(key)) = (message == "duplicate key", error.span().and_then(|span| text.get(span))) {
                message += &format!(" `{}`", key.trim());
            }
            Problem::new(format!("{}:{line}", path.display()), message)
        })?;
        let mut values = toml::dict(document.as_table());
        values.retain(|key, _| table::by_key(key).is_some_and(|setting| setting.in_file));
        resolve_paths(&mut values, path.parent().unwrap_or(Path::new("")), user_home);
        Ok(Self { path, document: Arc::new(document), lines: Arc::new(lines), values })
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// Reports each key that no setting has.
    pub(super) fn report_unknown_keys(&self, problems: &mut Problems) {
        let root = self.document.as_table();
        let keys: Vec<_> = SETTINGS.iter().filter(|setting| setting.in_file).map(|setting| setting.key).collect();
        self.report_unknown(root, "", &keys, problems);
        for (key, fields) in [("routes", settings::ROUTE_KEYS), ("certificates", settings::CERTIFICATE_KEYS)] {
            for (index, table) in root.get(key).map(toml::tables).unwrap_or_default().into_iter().enumerate() {
                self.report_unknown(table, &format!("{key}[{index}]."), fields, problems);
            }
        }
    }

    fn report_unknown(&self, table: &dyn TableLike, prefix: &str, known: &[&str], problems: &mut Problems) {
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(key)) {
            let offset = table.key(key).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
            let place = format!("{}:{}: {prefix}{key}", self.path.display(), self.lines.at(offset));
            let message = match table::by_key(key) {
                Some(elsewhere) if prefix.is_empty() => {
                    format!("this key is not read from the file; set {}", elsewhere.names().join(" or "))
                }
                _ => format!("unknown key{}", suggest::did_you_mean(key, known.iter().copied())),
            };
            problems.push(Problem::new(place, message));
        }
    }
}

impl Provider for ConfigFile {
    fn metadata(&self) -> Metadata {
        let (document, lines) = (Arc::clone(&self.document), Arc::clone(&self.lines));
        let file = self.path.display().to_string();
        Metadata::from("file", self.path.as_path()).interpolater(move |_: &Profile, path: &[&str]| {
            format!("{file}:{}", toml::line_of(&document, &lines, path))
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Lets all paths start at the folder of the file.
fn resolve_paths(values: &mut Dict, folder: &Path, user_home: Option<&str>) {
    for setting in SETTINGS {
        match (setting.kind, values.get_mut(setting.key)) {
            (Kind::File | Kind::Directory, Some(value)) => resolve_path(value, folder, user_home),
            (Kind::Certificates, Some(Value::Array(_, pairs))) => {
                let fields = pairs.iter_mut().filter_map(|pair| match pair {
                    Value::Dict(_, pair) => Some(pair.values_mut()),
                    _ => None,
                });
                fields.flatten().for_each(|value| resolve_path(value, folder, user_home));
            }
            (Kind::Routes, Some(Value::Array(_, routes))) => {
                for route in routes {
                    let Value::Dict(_, route) = route else { continue };
                    for path in settings::ROUTE_PATHS {
                        route.get_mut(*path).into_iter().for_each(|value| resolve_path(value, folder, user_home));
                    }
                }
            }
            _ => {}
        }
    }
}

fn resolve_path(value: &mut Value, folder: &Path, user_home: Option<&str>) {
    if let Value::String(_, text) = value {
        *text = path::beside(folder, text, user_home);
    }
}
