//! Prints an error with its causes.

use std::{error::Error, iter};

/// Formats an error with its causes, on one line.
///
/// ```
/// use std::{error::Error, io};
/// use pmesh_layers::causes::with_causes;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("cannot connect")]
/// struct Failed(#[source] io::Error);
///
/// let failed = Failed(io::Error::other("connection refused"));
/// assert_eq!(with_causes(&failed), "cannot connect: connection refused");
/// ```
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    texts(error).join(": ")
}

/// Returns the messages of an error and of its causes. A message that is part of an earlier one is left out.
pub fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts = Vec::<String>::new();
    for error in iter::successors(Some(error), |error| (*error).source()) {
        let next = error.to_string();
        if !texts.iter().any(|text| text.contains(&next)) {
            texts.push(next);
        }
    }
    texts
}

/// Finds a `T`: the error itself, or the first of its causes with this type.
///
/// ```
/// use std::io;
/// use pmesh_layers::causes::find;
///
/// let error = io::Error::other(io::Error::from(io::ErrorKind::TimedOut));
/// assert!(find::<io::Error>(&error).is_some() && find::<std::fmt::Error>(&error).is_none());
/// ```
pub fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Failed(&'static str, #[source] Option<Box<Self>>);

    fn failed(texts: &[&'static str]) -> Failed {
        let (first, causes) = texts.split_first().unwrap();
        Failed(first, (!causes.is_empty()).then(|| Box::new(failed(causes))))
    }

    #[test]
    fn a_cause_that_an_error_contains_is_left_out() {
        for (causes, expected) in [
            (&["a"][..], "a"),
            (&["a", "b", "c"], "a: b: c"),
            (&["cannot connect: refused", "refused"], "cannot connect: refused"),
            (&["a: c", "b", "c"], "a: c: b"),
        ] {
            assert_eq!(with_causes(&failed(causes)), expected);
        }
    }
}
