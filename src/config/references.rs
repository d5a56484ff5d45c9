//! References to the environment in strings of the file: `${NAME}` and `${NAME:-default}`.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::{Dict, Value};

use super::{environment::Environment, instance::instead_of_reference};

/// Keys and indexes that lead to a value.
type Path = Vec<String>;

/// The strings of a file that refer to the environment, each with its sources: `${NAME}`, or `the default of ${NAME}`.
#[derive(Debug, Clone, Default)]
pub(super) struct References(BTreeMap<Path, Vec<String>>);

impl References {
    /// Replaces all references with their values. Calls `report` for each invalid string, with its path.
    pub(super) fn expand(
        values: &mut Dict,
        environment: &Environment,
        mut report: impl FnMut(&[String], String),
    ) -> Self {
        let mut found = Self::default();
        found.expand_table(values, &mut Path::new(), environment, &mut report);
        found
    }

    /// The references in the string at `path`, if it has any.
    pub(super) fn at(&self, path: &[String]) -> Option<String> {
        self.0.get(path).map(|sources| sources.join(", "))
    }

    /// The references in the value at `path` and in all values inside it. The children of a route do not count: they
    /// are looked up by their own paths.
    pub(super) fn inside(&self, path: &[String]) -> Option<String> {
        let inside = self.0.range(path.to_vec()..).take_while(|(other, _)| other.starts_with(path));
        let inside = inside.filter(|(other, _)| other.get(path.len()).is_none_or(|key| key != "routes"));
        let sources: BTreeSet<&str> = inside.flat_map(|(_, sources)| sources).map(String::as_str).collect();
        (!sources.is_empty()).then(|| sources.into_iter().collect::<Vec<_>>().join(", "))
    }

    fn expand_table(
        &mut self,
        table: &mut Dict,
        path: &mut Path,
        environment: &Environment,
        report: &mut impl FnMut(&[String], String),
    ) {
        for (key, value) in table {
            path.push(key.clone());
            self.expand_value(value, path, environment, report);
            path.pop();
        }
    }

    fn expand_value(
        &mut self,
        value: &mut Value,
        path: &mut Path,
        environment: &Environment,
        report: &mut impl FnMut(&[String], String),
    ) {
        match value {
            Value::String(_, text) if text.contains('$') => match expand_at(path, text, environment) {
                Ok((expanded, sources)) => {
                    *text = expanded;
                    if !sources.is_empty() {
                        self.0.insert(path.clone(), sources);
                    }
                }
                Err(message) => report(path, message),
            },
            Value::Dict(_, table) => self.expand_table(table, path, environment, report),
            Value::Array(_, values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    path.push(index.to_string());
                    self.expand_value(value, path, environment, report);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// The advice at the end of each message about bad syntax.
const INSTEAD: &str = "write ${NAME} or ${NAME:-default}, or $${ for a literal ${";

fn expand_at(path: &[String], text: &str, environment: &Environment) -> Result<(String, Vec<String>), String> {
    instead_of_reference(path, text).map_or_else(|| expand(text, environment), Err)
}

/// Expands the references in a string. Also returns where their values came from.
///
/// `$$` is a literal `$`. So is a `$` before anything except `{`, because passwords and regular expressions contain it.
fn expand(text: &str, environment: &Environment) -> Result<(String, Vec<String>), String> {
    let (mut expanded, mut sources) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded += before;
        rest = after;
        if let Some(after) = rest.strip_prefix('{') {
            // The text may contain a password, so errors only repeat names.
            let (inside, after) = after.split_once('}').ok_or_else(|| format!("a ${{ is not closed: {INSTEAD}"))?;
            rest = after;
            let (value, source) = value(inside, environment)?;
            expanded += &value;
            sources.push(source);
        } else {
            rest = rest.strip_prefix('$').unwrap_or(rest);
            expanded.push('$');
        }
    }
    expanded += rest;
    Ok((expanded, sources))
}

/// The value of `${inside}`, and where it came from.
fn value(inside: &str, environment: &Environment) -> Result<(String, String), String> {
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, rest) = inside.split_at(inside.find(|c| !is_in_name(c)).unwrap_or(inside.len()));
    if !name.is_empty() && inside.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("a group of a regular expression is written {{{name}}}: leave out the $"));
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("a ${{ is not followed by the name of a variable: {INSTEAD}"));
    }
    let default = rest.strip_prefix(":-");
    if default.is_none() && !rest.is_empty() {
        return Err(format!("the reference to {name} is malformed: {INSTEAD}"));
    }
    match (environment.variable(name)?, default) {
        (Some(value), _) => Ok((value.to_owned(), format!("${{{name}}}"))),
        (None, Some(default)) if default.replace("$$", "").contains("${") => {
            Err(format!("the default of {name} cannot refer to another variable"))
        }
        (None, Some(default)) => Ok((default.replace("$$", "$"), format!("the default of ${{{name}}}"))),
        (None, None) => Err(format!("the variable {name} is not set, or empty: set it, or write ${{{name}:-default}}")),
    }
}
