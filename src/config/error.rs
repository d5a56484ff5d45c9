//! Problems with the settings, each with the place where the value is set.

use std::{collections::HashSet, fmt};

/// All problems with the settings. Displayed with one problem per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    problems: Vec<Problem>,
}

impl Error {
    /// The problems: first those of flags and variables, then those of each file in the order of its lines. Never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl From<Problems> for Error {
    /// Keeps only one of several equal problems: many routes may inherit the same bad value.
    fn from(Problems(mut problems): Problems) -> Self {
        let mut seen = HashSet::new();
        problems.retain(|problem| seen.insert(problem.clone()));
        problems.sort_by_cached_key(Problem::line);
        Self { problems }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => only.fmt(f),
            several => {
                write!(f, "{} problems with the settings:", several.len())?;
                several.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for Error {}

/// A problem with a setting.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where to fix it: `--http`, `PMESH_HTTP` or `/etc/pmesh/config.toml:12: routes[0].prefix`.
    pub place: String,
    /// What was expected, what was found, and what to write instead.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    /// The file and the line, if it is in a file.
    fn line(&self) -> Option<(String, usize)> {
        let at = self.place.split_once(": ").map_or(&*self.place, |(at, _)| at);
        let (file, line) = at.rsplit_once(':')?;
        Some((file.to_owned(), line.parse().ok()?))
    }
}

/// Collects problems, so that the user sees all of them at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Returns the value, or records the problem and returns `None`.
    pub(crate) fn note<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_in_the_order_of_the_lines() {
        let mut problems = Problems::default();
        for place in ["b.toml:2: http", "a.toml:10: bind", "a.toml:9: bind: from ${X}", "--http", "a.toml:9", "X"] {
            problems.push(Problem::new(place, "wrong"));
        }
        let places: Vec<_> = Error::from(problems).problems.into_iter().map(|problem| problem.place).collect();
        assert_eq!(
            places,
            ["--http", "X", "a.toml:9: bind: from ${X}", "a.toml:9", "a.toml:10: bind", "b.toml:2: http"]
        );
    }
}
