//! The merged values of all sources, each with its origin.

use std::{path::Path, sync::Arc};

use figment::{
    Figment, Metadata, Profile, Source,
    value::{Dict, Value},
};

use super::{
    Key, Kind, Parse, Problem, Problems, Reason,
    files::{Files, InFile},
    shown::{dotted, plain_number, shown},
    table,
    texts::Rank,
};

/// The values of all sources. For each key, the strongest source wins.
#[derive(Debug)]
pub(crate) struct Merged {
    /// Kept here because each lookup in a `Figment` copies all values, and there may be a hundred thousand routes.
    values: Value,
    sources: Figment,
    files: Option<Arc<Files>>,
    /// Whether other keys of the file were ignored.
    is_partial: bool,
}

impl Merged {
    /// `files` must be one of the sources.
    pub(super) fn new(sources: Figment, files: Option<Arc<Files>>) -> Self {
        // This cannot fail, because the sources have already been read.
        let values = sources.find_value("").unwrap_or_else(|_| Dict::new().into());
        Self { values, sources, files, is_partial: false }
    }

    /// Remembers that other keys of the file were ignored.
    pub(super) fn partial(self) -> Self {
        Self { is_partial: true, ..self }
    }

    /// Whether other keys of the file were ignored, so that a setting may only seem to be missing.
    pub(crate) fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// The value of a setting, if any source sets it.
    pub(crate) fn node(&self, key: &str) -> Option<Node<'_>> {
        let value = self.values.as_dict()?.get(key)?;
        let source = self.sources.get_metadata(value.tag())?;
        Some(Node { value, source, path: vec![key.to_owned()], files: self.files.as_deref() })
    }

    /// The parsed value of a setting, if any source sets it. Reports an invalid value.
    pub(crate) fn read<T: Parse>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        self.node(key)?.read(problems)
    }

    /// The parsed value, or the parsed elements of a list; empty if no source sets it. Reports invalid values.
    pub(crate) fn read_one_or_more<T: Parse>(&self, key: &str, problems: &mut Problems) -> Vec<T> {
        self.node(key).map(|node| node.read_one_or_more(problems)).unwrap_or_default()
    }

    /// The elements of a list; empty if no source sets it.
    pub(crate) fn elements(&self, key: &str, problems: &mut Problems) -> Vec<Node<'_>> {
        self.node(key).and_then(|node| problems.note(node.elements())).unwrap_or_default()
    }
}

/// A value that knows where it is set.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    source: &'a Metadata,
    /// Keys and indexes that lead here.
    path: Vec<String>,
    files: Option<&'a Files>,
}

impl<'a> Node<'a> {
    /// `--http`, `PMESH_HTTP`, `/etc/pmesh/config.toml:3` or `default`; in a file with references to the environment:
    /// `/etc/pmesh/config.toml:3, from ${PORT}`.
    pub(crate) fn origin(&self) -> String {
        self.in_file().map_or_else(|| self.name_of_source(), |found| found.origin())
    }

    /// Where to fix this: the origin, and for a file also the key.
    pub(crate) fn place(&self) -> String {
        self.in_file().map_or_else(|| self.name_of_source(), |found| found.place())
    }

    /// The references to the environment in this string. If it has any, no message shows its value: it may be a secret.
    pub(crate) fn references(&self) -> Option<String> {
        self.in_file()?.references()
    }

    /// This string as written, without the values of the variables that it refers to.
    pub(crate) fn written(&self) -> Option<String> {
        match self.references() {
            Some(_) => self.in_file()?.written().map(str::to_owned),
            None => self.value.as_str().map(str::to_owned),
        }
    }

    /// Whether this is a password or its hash, or a variable of a service, which may be a secret. No message shows it.
    pub(crate) fn is_secret(&self) -> bool {
        let is_table = self.value.as_dict().is_some() || self.value.as_array().is_some();
        if let [services, _, env, _] = &self.path[..]
            && services == "services"
            && env == "env"
        {
            return !is_table;
        }
        let mut path = self.path.iter().skip_while(|key| *key != "basic_auth");
        !is_table && path.next().is_some() && path.next().is_none_or(|key| key != "realm")
    }

    fn name_of_source(&self) -> String {
        self.source.interpolate(&Profile::Default, &self.path)
    }

    fn in_file(&self) -> Option<InFile<'_>> {
        self.files.filter(|_| self.is_from_file()).map(|files| files.find(&self.path))
    }

    /// The folder of the file that this comes from, to which relative paths in that file refer.
    pub(crate) fn folder(&self) -> &Path {
        self.in_file().and_then(|found| found.folder()).unwrap_or(Path::new(""))
    }

    /// Whether this comes from a configuration file.
    pub(crate) fn is_from_file(&self) -> bool {
        matches!(self.source.source, Some(Source::File(_)))
    }

    /// Whether this is a default, which the user did not set.
    pub(crate) fn is_default(&self) -> bool {
        self.source.name == Rank::Default.name()
    }

    /// A problem with this value.
    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.place(), message)
    }

    /// A problem: something else was expected here.
    pub(crate) fn unexpected(&self, expected: &str) -> Problem {
        let is_hidden = self.references().is_some() || self.is_secret();
        let found = if is_hidden { "a value that is not shown".into() } else { shown(self.value) };
        self.problem(format!("expected {expected}, found {found}"))
    }

    /// Reports that this table lacks a key, unless one of its keys is not `known`: that is most likely the missing key,
    /// misspelled.
    pub(crate) fn lacks(&self, message: impl Into<String>, known: &[Key], problems: &mut Problems) {
        let is_known = |key: &String| known.iter().any(|known| known.name == key);
        if self.value.as_dict().is_none_or(|table| table.keys().all(is_known)) {
            problems.push(self.problem(message));
        }
    }

    /// The value of a key of this table.
    pub(crate) fn field(&self, key: &str) -> Option<Self> {
        Some(self.child(key.to_owned(), self.value.as_dict()?.get(key)?))
    }

    /// The elements of this list.
    pub(crate) fn elements(&self) -> Result<Vec<Self>, Problem> {
        let values = self.value.as_array().ok_or_else(|| self.not_a_list())?;
        Ok(values.iter().enumerate().map(|(index, value)| self.child(index.to_string(), value)).collect())
    }

    /// The elements of this list; any other value counts as a list of one.
    pub(crate) fn one_or_more(&self) -> Vec<Self> {
        self.elements().unwrap_or_else(|_| vec![self.clone()])
    }

    /// Whether this is `false`, which removes an inherited value.
    pub(crate) fn is_false(&self) -> bool {
        matches!(self.value, Value::Bool(_, false))
    }

    /// Whether this is an empty list.
    pub(crate) fn is_empty_list(&self) -> bool {
        self.value.as_array().is_some_and(<[_]>::is_empty)
    }

    fn not_a_list(&self) -> Problem {
        let mut problem = self.unexpected("a list");
        let key = self.dotted_path();
        let is_of_tables =
            table::by_key(&key).is_some_and(|setting| matches!(setting.kind, Kind::Routes | Kind::Certificates));
        if is_of_tables || key.ends_with("].routes") {
            let key = if is_of_tables { &key } else { "routes.routes" };
            problem.message += &format!(": write [[{key}]], with its keys below");
        }
        problem
    }

    pub(crate) fn parse<T: Parse>(&self) -> Result<T, Problem> {
        T::parse(self.value).or_else(|reason| {
            if self.references().is_some() {
                // The reason is left out, because it may repeat the value.
                return unquoted(self.value).ok_or_else(|| self.unexpected(T::EXPECTED));
            }
            let mut problem = self.unexpected(T::EXPECTED);
            let quotes = || match requoted::<T>(self.value) {
                Some(_) if self.is_secret() => Some("write it in quotes".to_owned()),
                advice => advice,
            };
            if let Some(reason) = reason.or_else(quotes) {
                problem.message += ": ";
                problem.message += &reason;
            }
            Err(problem)
        })
    }

    pub(crate) fn read<T: Parse>(&self, problems: &mut Problems) -> Option<T> {
        problems.note(self.parse())
    }

    pub(crate) fn read_one_or_more<T: Parse>(&self, problems: &mut Problems) -> Vec<T> {
        self.one_or_more().iter().filter_map(|element| element.read(problems)).collect()
    }

    /// Parses the key of this value, for tables whose keys are names.
    pub(crate) fn read_key<T: Parse>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        let invalid = |reason: Reason| {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            self.problem(format!("expected {}, found {key:?}{reason}", T::EXPECTED))
        };
        problems.note(T::parse(&Value::from(key)).map_err(invalid))
    }

    fn child(&self, key: String, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(key);
        Self { value, source: self.source, path, files: self.files }
    }

    /// `routes[0].prefix`
    pub(crate) fn dotted_path(&self) -> String {
        dotted(&self.path)
    }
}

/// A number or a switch from a string with references: variables only hold text.
fn unquoted<T: Parse>(value: &Value) -> Option<T> {
    let number = value.as_str()?.parse::<u64>().ok().and_then(|number| T::parse(&number.into()).ok());
    number.or_else(|| T::parse(&value.to_bool_lossy()?.into()).ok())
}

/// Advice on a value that would be valid with quotes, or without them.
fn requoted<T: Parse>(value: &Value) -> Option<String> {
    let (instead, advice) = match value {
        Value::String(_, text) => {
            let number = text.parse::<u64>().map(Value::from);
            let instead = number.or_else(|_| text.parse::<bool>().map(Value::from)).ok()?;
            (instead, format!("write {text}, without quotes"))
        }
        Value::Num(_, number) => {
            let text = plain_number(*number);
            (text.as_str().into(), format!("write {text:?}, in quotes"))
        }
        _ => return None,
    };
    T::parse(&instead).ok().map(|_| advice)
}
