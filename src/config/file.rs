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
use toml_edit::Document;

use super::{
    Merged, Problem, Problems,
    environment::Environment,
    merged::{dotted, without_password},
    references::References,
    relative, table,
    toml::{self, Lines},
    unknown::unknown_keys,
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
        relative::resolve(&mut self.values, folder, environment.home.as_deref());
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
        for unknown in unknown_keys(self.document.as_table()) {
            let keys: Vec<_> = unknown.path.iter().map(String::as_str).collect();
            let line = toml::line_of(&self.document, &self.lines, &keys);
            let place = format!("{}:{line}: {}", self.path.display(), dotted(&unknown.path));
            problems.push(Problem::new(place, unknown.message));
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
