use std::time::Duration;

use http::{HeaderValue, StatusCode};
use thiserror::Error;

/// Why a request was rejected. [`RespondLayer`](crate::respond::RespondLayer) answers with the [`status`](Self::status) and the
/// [`challenge`](Self::challenge).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwtRejected {
    /// The request has no token.
    #[error("no token")]
    Missing,
    /// The token is invalid.
    #[error("invalid token: {0}")]
    Invalid(&'static str),
    /// The token is valid, but lacks required claims.
    #[error("the token does not have the required claims")]
    Insufficient,
    /// There are no keys yet.
    #[error("there are no keys to verify tokens yet")]
    NoKeys,
}

impl JwtRejected {
    /// 401; 403 if the token does not have the required claims, and 503 if there are no keys yet.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Missing | Self::Invalid(_) => StatusCode::UNAUTHORIZED,
            Self::Insufficient => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When to try again, if there are no keys yet.
    pub fn retry_after(&self) -> Option<Duration> {
        matches!(self, Self::NoKeys).then_some(Duration::from_secs(5))
    }

    /// The value of `WWW-Authenticate` (RFC 6750, 3). Without a token, it only names the scheme.
    pub fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::Missing => Some(HeaderValue::from_static("Bearer")),
            Self::Invalid(reason) => {
                let value = format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"");
                Some(HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("Bearer error=\"invalid_token\"")))
            }
            Self::Insufficient => Some(HeaderValue::from_static("Bearer error=\"insufficient_scope\"")),
            Self::NoKeys => None,
        }
    }
}
