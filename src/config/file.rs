//! Settings from the configuration file, with the line of each.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml_edit::{Document, Item, TableLike};

use super::{
    Kind, Merged, Problem, Problems, SETTINGS,
    environment::Environment,
    merged::{dotted, without_password},
    path,
    references::References,
    renamed, suggest, table,
    toml::{self, Lines},
};

/// A configuration file that knows the line of each setting.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    document: Arc<Document<String>>,
    lines: Arc<Lines>,
    values: Dict,
    references: References,
}

/// A file and its text, if there is one; and the paths that were tried in vain.
type Found = (Option<(PathBuf, String)>, Vec<PathBuf>);

impl ConfigFile {
    /// Reads the text of the file that the user named, else of HOME/config.toml, else of `system_file`; `None` if none
    /// of them exists.
    ///
    /// `named` holds the values of all other sources. A `system_file` of `None` means to look for no file.
    pub(super) fn find(named: &Merged, system_file: Option<&Path>) -> Result<Found, Problem> {
        if let Some(node) = named.node("config") {
            let path: PathBuf = node.parse()?;
            let text = fs::read_to_string(&path)
                .map_err(|error| node.problem(format!("cannot read {}: {}", path.display(), unreadable(&error))))?;
            return Ok((Some((path, text)), Vec::new()));
        }
        let mut absent = Vec::new();
        let Some(system_file) = system_file else { return Ok((None, absent)) };
        let in_home = named.node("home").and_then(|node| Some(node.parse::<PathBuf>().ok()?.join("config.toml")));
        for path in in_home.into_iter().chain([system_file.to_owned()]) {
            match fs::read_to_string(&path) {
                Ok(text) => return Ok((Some((path, text)), absent)),
                Err(error) if is_absent(&error) => absent.push(path),
                Err(error) => {
                    let message = format!("cannot be read: {}", unreadable(&error));
                    return Err(Problem::new(path.display().to_string(), message));
                }
            }
        }
        Ok((None, absent))
    }

    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, Problem> {
        let lines = Lines::of(text);
        let document = Document::parse(text.to_owned()).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.at(span.start));
            let message = match (error.message().trim(), error.span().and_then(|span| text.get(span))) {
                ("duplicate key", Some(key)) => format!("duplicate key `{}`", key.trim()),
                (message, _) => {
                    let instead = text.lines().nth(line - 1).and_then(toml::valid_instead);
                    let instead =
                        instead.map(|line| format!(": write {}", without_password(&line))).unwrap_or_default();
                    format!("this is not valid TOML: {}{instead}", message.replace('\n', ", "))
                }
            };
            Problem::new(format!("{}:{line}", path.display()), message)
        })?;
        let mut values = toml::dict(document.as_table());
        values.retain(|key, _| table::by_key(key).is_some_and(|setting| setting.in_file));
        let references = References::default();
        Ok(Self { path, document: Arc::new(document), lines: Arc::new(lines), values, references })
    }

    /// Leaves out everything but `keys`.
    pub(super) fn keep(&mut self, keys: &[&str]) {
        self.values.retain(|key, _| keys.contains(&key.as_str()));
    }

    /// Puts in what comes from the environment, and makes paths relative to the folder of the file. Without what could
    /// not be put in, which is reported, values cannot be judged: `false`.
    pub(super) fn resolve(&mut self, environment: &Environment, problems: &mut Problems) -> bool {
        let mut is_complete = true;
        self.references = References::expand(&mut self.values, environment, |path, message| {
            is_complete = false;
            let keys: Vec<_> = path.iter().map(String::as_str).collect();
            let line = toml::line_of(&self.document, &self.lines, &keys);
            problems.push(Problem::new(format!("{}:{line}: {}", self.path.display(), dotted(path)), message));
        });
        let folder = self.path.parent().unwrap_or(Path::new(""));
        resolve_paths(&mut self.values, folder, environment.home.as_deref());
        is_complete
    }

    /// Which values came from the environment.
    pub(super) fn references(&self) -> &References {
        &self.references
    }

    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// How many routes it has.
    pub(super) fn routes(&self) -> usize {
        self.values.get("routes").and_then(Value::as_array).map_or(0, <[_]>::len)
    }

    /// Reports each unknown key.
    pub(super) fn report_unknown_keys(&self, problems: &mut Problems) {
        let root = self.document.as_table();
        let keys: Vec<_> = SETTINGS.iter().filter(|setting| setting.in_file).map(|setting| setting.key).collect();
        self.report_unknown(root, "", &keys, problems);
        let listeners = root.get("listeners").and_then(Item::as_table_like).into_iter().flat_map(TableLike::iter);
        for (name, table) in listeners.filter_map(|(name, item)| Some((name, item.as_table_like()?))) {
            self.report_unknown(table, &format!("listeners.{name}."), table::LISTENER_KEYS, problems);
        }
        for (key, fields) in [("routes", table::ROUTE_KEYS), ("certificates", table::CERTIFICATE_KEYS)] {
            for (index, table) in root.get(key).map(toml::tables).unwrap_or_default().into_iter().enumerate() {
                self.report_unknown(table, &format!("{key}[{index}]."), fields, problems);
            }
        }
    }

    fn report_unknown(&self, table: &dyn TableLike, prefix: &str, known: &[&str], problems: &mut Problems) {
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(key)) {
            let offset = table.key(key).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
            let place = format!("{}:{}: {prefix}{key}", self.path.display(), self.lines.at(offset));
            let message = match renamed::of_route(key) {
                Some(new) if prefix.starts_with("routes") => renamed::message(new),
                _ if prefix.is_empty() => unknown_at_root(key, known),
                _ => unknown_in_table(key, known),
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

fn unknown_at_root(key: &str, known: &[&str]) -> String {
    if let Some(setting) = renamed::setting(key) {
        return renamed::message(setting.key);
    }
    if let Some(elsewhere) = table::by_key(key) {
        return format!("this key is not read from the file; set {}", elsewhere.names().join(" or "));
    }
    if table::ROUTE_KEYS.contains(&key) {
        return "unknown key; the keys of a route go below a [[routes]] line".into();
    }
    match suggest::nearest(key, known.iter().copied()) {
        Some("listeners") => "unknown key; did you mean [listeners.NAME]?".to_owned(),
        Some(tables @ ("routes" | "certificates")) => format!("unknown key; did you mean [[{tables}]]?"),
        _ => format!("unknown key{}", suggest::did_you_mean(key, known.iter().copied())),
    }
}

fn unknown_in_table(key: &str, known: &[&str]) -> String {
    misplaced(key).unwrap_or_else(|| format!("unknown key{}", suggest::did_you_mean(key, known.iter().copied())))
}

/// Advice on a top-level setting that TOML takes for a key of the table above it.
pub(crate) fn misplaced(key: &str) -> Option<String> {
    let setting = table::by_key(key).or_else(|| renamed::setting(key)).filter(|setting| setting.in_file)?;
    let key = setting.key;
    Some(format!("unknown key: `{key}` belongs to no table, so move it above the first [table] of the file"))
}

/// The system's message, or a clearer one.
fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8; save it as UTF-8".into(),
        io::ErrorKind::IsADirectory => "it is a folder; name the file in it".into(),
        _ => error.to_string(),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes all paths relative to the folder of the file.
fn resolve_paths(values: &mut Dict, folder: &Path, user_home: Option<&str>) {
    for setting in SETTINGS {
        match (setting.kind, values.get_mut(setting.key)) {
            (Kind::File | Kind::Directory, Some(value)) => resolve_path(value, folder, user_home),
            (Kind::Socket, Some(Value::String(_, text))) => {
                *text = path::of_socket(text, |path| path::beside(folder, path, user_home));
            }
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
                    for path in table::ROUTE_PATHS {
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
