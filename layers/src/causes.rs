//! Errors on one line.

use std::error::Error;

/// An error with its causes, on one line.
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
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
