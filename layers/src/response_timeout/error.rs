use std::time::Duration;

use http::Request;
use tower::BoxError;

use super::TimedOut;
use crate::{
    balance::{Unreachable, Unsent},
    body::RequestBody,
};

/// Why there is no response. As a [`BoxError`] it is what it holds, for which it must be no [`Error`](std::error::Error)
/// itself.
#[derive(Debug)]
pub enum NoResponse<E> {
    /// It was too long in coming.
    TimedOut(TimedOut),
    /// It did not arrive in the time that attempts at other endpoints had left, which is not this endpoint's fault.
    NoTimeLeft,
    /// The inner service failed.
    Inner {
        /// The error of the inner service.
        error: E,
        /// The time that was left.
        left: Duration,
    },
}

impl<E: Into<BoxError>> From<NoResponse<E>> for BoxError {
    fn from(error: NoResponse<E>) -> Self {
        match error {
            NoResponse::TimedOut(timed_out) => timed_out.into(),
            NoResponse::NoTimeLeft => TimedOut::Backend.into(),
            NoResponse::Inner { error, .. } => error.into(),
        }
    }
}

impl<E: Unsent> Unsent for NoResponse<E> {
    fn take_request(&mut self) -> Option<Request<RequestBody>> {
        match self {
            Self::TimedOut(_) | Self::NoTimeLeft => None,
            Self::Inner { error, .. } => {
                let mut request = error.take_request()?;
                request.body_mut().unwatch();
                Some(request)
            }
        }
    }

    fn is_endpoint_failure(&self) -> bool {
        match self {
            Self::TimedOut(timed_out) => *timed_out == TimedOut::Backend,
            Self::NoTimeLeft => false,
            Self::Inner { error, .. } => error.is_endpoint_failure(),
        }
    }

    fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Inner { error, .. } if error.is_unprocessed())
    }

    fn has_responded(&self) -> bool {
        matches!(self, Self::Inner { error, .. } if error.has_responded())
    }

    fn is_timeout(&self) -> bool {
        !matches!(self, Self::Inner { left, .. } if !left.is_zero())
    }

    fn time_left(&self) -> Option<Duration> {
        match self {
            Self::TimedOut(_) | Self::NoTimeLeft => Some(Duration::ZERO),
            Self::Inner { left, .. } => Some(*left),
        }
    }

    fn unreachable(&self) -> Option<Unreachable> {
        match self {
            Self::TimedOut(_) | Self::NoTimeLeft => None,
            Self::Inner { error, .. } => error.unreachable(),
        }
    }
}
