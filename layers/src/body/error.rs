use std::{error::Error, fmt};

use tower::BoxError;

/// An error of a request body that broke off before its end, or was longer than allowed.
#[derive(Debug)]
pub struct RequestBodyError(Cause);

/// An error of a response body that broke off before its end.
#[derive(Debug)]
pub struct ResponseBodyError(Cause);

/// A request body that is longer than allowed (RFC 9110, 15.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request body is too long")]
pub struct BodyTooLong;

#[derive(Debug)]
enum Cause {
    Hyper(hyper::Error),
    /// Determines the error code with which the peer's HTTP/2 stream is reset.
    #[cfg(feature = "server")]
    Http2(h2::Error),
    TooLong(BodyTooLong),
    Other(BoxError),
}

impl RequestBodyError {
    /// The error for an HTTP/2 stream that ended without END_STREAM.
    pub(super) fn cut() -> Self {
        #[cfg(feature = "server")]
        return Self(Cause::Http2(h2::Reason::CANCEL.into()));
        #[cfg(not(feature = "server"))]
        Self::other("the stream was reset".into())
    }

    pub(super) fn hyper(error: hyper::Error) -> Self {
        Self(Cause::Hyper(error))
    }

    pub(super) fn too_long() -> Self {
        Self(Cause::TooLong(BodyTooLong))
    }

    pub(super) fn other(error: BoxError) -> Self {
        error.downcast().map_or_else(|error| Self(Cause::Other(error)), |same| *same)
    }

    /// Whether the body is longer than a [`BodyLimitLayer`](crate::body_limit::BodyLimitLayer) allows. The error's source
    /// is then [`BodyTooLong`].
    pub fn is_too_long(&self) -> bool {
        matches!(self.0, Cause::TooLong(_))
    }
}

impl ResponseBodyError {
    /// The error for an HTTP/2 stream that ended without END_STREAM.
    pub(crate) fn cut() -> Self {
        Self(Cause::Other("the stream was reset before the end of the body".into()))
    }

    pub(crate) fn hyper(error: hyper::Error) -> Self {
        Self(Cause::Hyper(error))
    }

    pub(super) fn other(error: BoxError) -> Self {
        error.downcast().map_or_else(|error| Self(Cause::Other(error)), |same| *same)
    }
}

impl fmt::Display for RequestBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body broke off")
    }
}

impl fmt::Display for ResponseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response body broke off")
    }
}

impl Error for RequestBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.error())
    }
}

impl Error for ResponseBodyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.error())
    }
}

impl Cause {
    fn error(&self) -> &(dyn Error + 'static) {
        match self {
            Self::Hyper(error) => error,
            #[cfg(feature = "server")]
            Self::Http2(error) => error,
            Self::TooLong(error) => error,
            Self::Other(error) => &**error,
        }
    }
}
