//! The last lines of a process, for the message about its end.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::services::printable::{Colours, printable};

/// How many lines are kept.
const LINES: usize = 20;

/// How much of a line is kept, in characters.
const WIDTH: usize = 300;

/// The last lines of a process.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<VecDeque<(bool, String)>>);

impl Tail {
    /// Adds a line.
    pub(super) fn push(&self, is_stderr: bool, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        let start: String = line.trim_end().chars().take(WIDTH).collect();
        lines.push_back((is_stderr, printable(&start, Colours::Drop).into_owned()));
    }

    /// The line that is most likely to say why the process has ended: the last one that speaks of an error, else the last
    /// one of standard error, else the last one.
    pub(super) fn telling(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let says_why = |(_, line): &&(bool, String)| {
            let line = line.to_ascii_lowercase();
            // The lines of a stack trace begin with a space.
            !line.starts_with(char::is_whitespace)
                && ["error", "panic", "fatal", "exception"].iter().any(|word| line.contains(word))
        };
        let line = lines.iter().rev().find(says_why);
        let line = line.or_else(|| lines.iter().rev().find(|(is_stderr, _)| *is_stderr)).or_else(|| lines.back());
        line.map(|(_, line)| line.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(lines: &[(bool, &str)]) -> Option<String> {
        let tail = Tail::default();
        lines.iter().for_each(|(is_stderr, line)| tail.push(*is_stderr, line));
        tail.telling()
    }

    #[test]
    fn the_telling_line_is_found() {
        assert_eq!(telling(&[]), None);
        assert_eq!(telling(&[(false, "one"), (false, "two"), (false, "")]).as_deref(), Some("two"));
        assert_eq!(telling(&[(true, "no port"), (false, "bye")]).as_deref(), Some("no port"));
        let node = [(true, "SyntaxError: x"), (true, "    at Error (a.js)"), (true, "Node.js v20")];
        assert_eq!(telling(&node).as_deref(), Some("SyntaxError: x"));
        assert_eq!(telling(&[(true, "\x1b[31merror\x1b[0m\x07")]).as_deref(), Some("error\\x07"));
    }
}
