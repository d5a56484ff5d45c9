use std::{error::Error, fmt};

use tower::BoxError;

/// The body of a request broke off before its end.
#[derive(Debug)]
pub struct RequestBodyError(Cause);

#[derive(Debug)]
enum Cause {
    Hyper(hyper::Error),
    /// What a backend of HTTP/2 hears of it in turn.
    Http2(h2::Error),
    Other(BoxError),
}

impl RequestBodyError {
    /// A stream of HTTP/2 has ended without END_STREAM.
    pub(super) fn cut() -> Self {
        Self(Cause::Http2(h2::Reason::CANCEL.into()))
    }

    pub(super) fn hyper(error: hyper::Error) -> Self {
        Self(Cause::Hyper(error))
    }

    pub(super) fn other(error: BoxError) -> Self {
        Self(Cause::Other(error))
    }
}

impl fmt::Display for RequestBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body of the request broke off")
    }
}

impl Error for RequestBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.0 {
            Cause::Hyper(error) => error,
            Cause::Http2(error) => error,
            Cause::Other(error) => &**error,
        })
    }
}
