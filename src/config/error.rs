//! Problems with the settings, each with the place where the value was written.

use std::{collections::HashSet, fmt};

/// Everything that is wrong with the settings. Displayed with one line a problem, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    problems: Vec<Problem>,
}

impl Error {
    /// What is wrong, in the order it was found. Never empty.
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
    /// Reports a problem once, however many routes inherit it.
    fn from(Problems(mut problems): Problems) -> Self {
        let mut seen = HashSet::new();
        problems.retain(|problem| seen.insert(problem.clone()));
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

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// Where to mend it: `--http`, `PMESH_HTTP` or `/etc/pmesh/config.toml:12: routes[0].prefix`.
    pub place: String,
    /// What was expected, what was found, and the nearest thing that would do.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

/// Collects problems, so that all are reported at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or `None` and a problem more.
    pub(crate) fn note<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
