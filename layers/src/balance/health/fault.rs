use std::{error::Error, fmt};

use crate::causes::with_causes;

/// What went wrong at an endpoint.
#[derive(Clone, Copy)]
pub(in crate::balance) enum Fault<'a> {
    Error(&'a (dyn Error + 'static)),
    /// A description, if there is no error.
    Text(&'a dyn fmt::Display),
}

impl<'a> Fault<'a> {
    pub(super) fn text(self) -> String {
        match self {
            Self::Error(error) => with_causes(error),
            Self::Text(text) => text.to_string(),
        }
    }

    pub(super) fn error(self) -> Option<&'a (dyn Error + 'static)> {
        match self {
            Self::Error(error) => Some(error),
            Self::Text(_) => None,
        }
    }
}
