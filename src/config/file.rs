//! A configuration file, with the line number of each value.

use std::{
    mem,
    path::{Path, PathBuf},
};

use figment::value::{Dict, Value};
use toml_edit::Document;

use super::{
    Problem, Problems, Setting,
    environment::Environment,
    references::References,
    relative,
    shown::dotted_where,
    slipped::slipped,
    syntax, table,
    toml::{self, Lines},
    unknown::{WhichFile, unknown_keys},
};

/// A configuration file that knows the line number of each value.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    document: Document<String>,
    lines: Lines,
    values: Dict,
    references: References,
}

impl ConfigFile {
    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, Problem> {
        let lines = Lines::new(text);
        let document = Document::parse(text.to_owned()).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.at(span.start));
            let message = match (error.message().trim(), error.span().and_then(|span| text.get(span))) {
                ("duplicate key", Some(key)) => format!("duplicate key `{}`", key.trim()),
                (message, _) => {
                    let may_be_secret = may_be_secret(text, line);
                    let line = text.lines().nth(line - 1).filter(|_| !may_be_secret);
                    let advice = line.map(syntax::advice).unwrap_or_default();
                    format!("this is not valid TOML: {}{advice}", message.replace('\n', ", "))
                }
            };
            Problem::new(format!("{}:{line}", path.display()), message)
        })?;
        let mut values = toml::dict(document.as_table());
        values.retain(|key, _| table::by_key(key).is_some_and(|setting| setting.in_file));
        let references = References::default();
        Ok(Self { path, document, lines, values, references })
    }

    /// Drops all settings for which `is_kept` is false.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&Setting) -> bool) {
        self.values.retain(|key, _| table::by_key(key).is_some_and(&is_kept));
    }

    /// Expands references to the environment, and resolves paths against the folder of the file. Reports invalid
    /// references and then returns `false`: without their values, the rest cannot be validated.
    pub(super) fn resolve(&mut self, environment: &Environment, problems: &mut Problems) -> bool {
        let (mut values, mut is_complete) = (self.take_values(), true);
        let references = References::expand(&mut values, environment, |path, message| {
            is_complete = false;
            problems.push(Problem::new(self.place(path), message));
        });
        let folder = self.path.parent().unwrap_or(Path::new(""));
        relative::resolve(&mut values, folder, environment.home.as_deref());
        (self.values, self.references) = (values, references);
        is_complete
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a top-level key.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Removes and returns all values.
    pub(super) fn take_values(&mut self) -> Dict {
        mem::take(&mut self.values)
    }

    /// Where the value at `path` came from: `/etc/pmesh/config.toml:3, from ${PORT}`.
    pub(super) fn origin(&self, path: &[String]) -> String {
        let at = self.written_at(path);
        with_references(at, self.references.inside(path))
    }

    /// Where to fix the value at `path`: `/etc/pmesh/config.toml:3: http, from ${PORT}`.
    pub(super) fn place(&self, path: &[String]) -> String {
        let place = format!("{}: {}", self.written_at(path), self.dotted(path));
        with_references(place, self.references(path))
    }

    /// The references to the environment in the string at `path`.
    pub(super) fn references(&self, path: &[String]) -> Option<String> {
        self.references.at(path)
    }

    /// The string at `path`, with its references.
    pub(super) fn written(&self, path: &[String]) -> Option<&str> {
        toml::text_at(&self.document, path)
    }

    fn written_at(&self, path: &[String]) -> String {
        let keys: Vec<_> = path.iter().map(String::as_str).collect();
        format!("{}:{}", self.path.display(), toml::line_of(&self.document, &self.lines, &keys))
    }

    /// `routes[0].error_pages.502`. The document tells a key that is a number from an index.
    fn dotted(&self, path: &[String]) -> String {
        let keys: Vec<_> = path.iter().map(String::as_str).collect();
        dotted_where(path, |step| toml::is_index(&self.document, &keys[..=step]))
    }

    /// Warnings about top-level settings that may have slipped into a route.
    pub(super) fn slipped(&self) -> Vec<Problem> {
        let slipped = slipped(self.document.as_table(), self.document.raw(), &self.lines);
        slipped.into_iter().map(|(path, message)| Problem::new(self.place(&path), message)).collect()
    }

    /// Reports each unknown key.
    pub(super) fn report_unknown_keys(&self, which: WhichFile, problems: &mut Problems) {
        for unknown in unknown_keys(self.document.as_table(), which) {
            problems.push(Problem::new(self.place(&unknown.path), unknown.message));
        }
    }
}

/// Whether a line is in a table of passwords or variables. No message repeats these.
fn may_be_secret(text: &str, line: usize) -> bool {
    let lines: Vec<_> = text.lines().take(line).collect();
    let header = lines.iter().rfind(|line| line.trim_start().starts_with('['));
    let is_of_variables = header.is_some_and(|header| header.contains(".env]"))
        || lines.last().is_some_and(|line| line.trim_start().starts_with("env"));
    is_of_variables || lines.last().into_iter().chain(header).any(|line| line.contains("basic_auth"))
}

fn with_references(place: String, references: Option<String>) -> String {
    match references {
        Some(references) => format!("{place}, from {references}"),
        None => place,
    }
}
