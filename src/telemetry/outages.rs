//! Log lines for endpoints that fail and recover.

use std::{error::Error, fmt, iter, time::Duration};

use pmesh_layers::balance::{Health, HealthChange};

/// Suggests which setting to change, given the address of an endpoint and its error.
pub type Advice = fn(&str, &(dyn Error + 'static)) -> Option<String>;

/// Creates the health record of the endpoint at this address. The log gets a line when the endpoint fails, another if
/// it then fails for a different reason, and one when it is back. Failures in between are logged at debug level.
pub fn logged(endpoint: String, advice: Advice) -> Health {
    let mut logged = String::new();
    Health::with_observer(move |change, cause| match change {
        HealthChange::Failed { error, backoff } => {
            logged = reason(error, cause);
            let (advice, backoff) = (cause.and_then(|cause| advice(&endpoint, cause)), Seconds(*backoff));
            tracing::warn!(
                endpoint, %error, advice,
                "endpoint failed; backing off for {backoff} if there are other endpoints"
            );
        }
        HealthChange::FailedAgain { error, failures, .. } if reason(error, cause) != logged => {
            logged = reason(error, cause);
            let advice = cause.and_then(|cause| advice(&endpoint, cause));
            tracing::warn!(endpoint, %error, advice, failures, "endpoint failed again, for a different reason");
        }
        HealthChange::FailedAgain { error, backoff, failures } => {
            let backoff = Seconds(*backoff);
            tracing::debug!(endpoint, %error, failures, "endpoint failed again; backing off for {backoff}");
        }
        HealthChange::Recovered { down_for, failures } => {
            tracing::info!(endpoint, failures, "endpoint is back after {}", Seconds(*down_for));
        }
        _ => {}
    })
}

/// The innermost cause. The outer errors differ between a failed request and a failed attempt to connect.
fn reason(error: &str, cause: Option<&(dyn Error + 'static)>) -> String {
    let innermost = iter::successors(cause, |cause| (*cause).source()).last();
    innermost.map_or_else(|| error.to_owned(), ToString::to_string)
}

/// A duration, rounded to seconds, at least one.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.0 + Duration::from_millis(500)).as_secs().max(1);
        humantime::format_duration(Duration::from_secs(seconds)).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no connection")]
    struct NoConnection(#[source] io::Error);

    #[test]
    fn the_outer_errors_do_not_change_the_reason() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let of = |error: &(dyn Error + 'static)| reason("", Some(error));
        assert_eq!(of(&NoConnection(refused())), of(&refused()));
        assert_ne!(of(&refused()), of(&io::Error::from(io::ErrorKind::TimedOut)));
        assert_eq!(reason("the response broke off", None), "the response broke off");
    }

    #[test]
    fn times_are_rounded() {
        let text = |millis| Seconds(Duration::from_millis(millis)).to_string();
        assert_eq!([3, 758, 1499, 29_600, 3_661_000].map(text), ["1s", "1s", "1s", "30s", "1h 1m 1s"]);
    }
}
