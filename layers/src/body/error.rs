use std::{error::Error, fmt};

use tower::BoxError;

/// A request body that broke off before its end.
#[derive(Debug)]
pub struct RequestBodyError(Cause);

#[derive(Debug)]
enum Cause {
    Hyper(hyper::Error),
    /// Determines the reset that an HTTP/2 backend gets.
    #[cfg(feature = "server")]
    Http2(h2::Error),
    Other(BoxError),
}

impl RequestBodyError {
    /// An HTTP/2 stream ended without END_STREAM.
    pub(super) fn cut() -> Self {
        #[cfg(feature = "server")]
        return Self(Cause::Http2(h2::Reason::CANCEL.into()));
        #[cfg(not(feature = "server"))]
        Self::other("the stream was reset".into())
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
        f.write_str("the request body broke off")
    }
}

impl Error for RequestBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.0 {
            Cause::Hyper(error) => error,
            #[cfg(feature = "server")]
            Cause::Http2(error) => error,
            Cause::Other(error) => &**error,
        })
    }
}
