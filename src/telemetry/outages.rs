//! Log lines on endpoints that fail and come back.

use std::{error::Error, fmt, iter, time::Duration};

use pmesh_layers::balance::{Health, HealthChange};

/// Which setting to change, given the address of an endpoint and an error of it.
pub type Advice = fn(&str, &(dyn Error + 'static)) -> Option<String>;

/// The health of the endpoint with this address. There is one line in the log when the endpoint fails, one more if it then
/// fails for another reason, and one when it is back. Failures in between are logged at debug level.
pub fn logged(endpoint: String, advice: Advice) -> Health {
    let mut logged = String::new();
    Health::observed(move |change, cause| match change {
        HealthChange::Failed { error, pause } => {
            logged = reason(error, cause);
            let (advice, pause) = (cause.and_then(|cause| advice(&endpoint, cause)), Seconds(*pause));
            tracing::warn!(endpoint, %error, advice, "endpoint failed; backing off for {pause} if there are others");
        }
        HealthChange::FailedAgain { error, failures, .. } if reason(error, cause) != logged => {
            logged = reason(error, cause);
            let advice = cause.and_then(|cause| advice(&endpoint, cause));
            tracing::warn!(endpoint, %error, advice, failures, "endpoint fails for another reason than before");
        }
        HealthChange::FailedAgain { error, pause, failures } => {
            let pause = Seconds(*pause);
            tracing::debug!(endpoint, %error, failures, "endpoint failed again; backing off for {pause}");
        }
        HealthChange::Recovered { down_for, failures } => {
            tracing::info!(endpoint, failures, "endpoint is back after {}", Seconds(*down_for));
        }
        _ => {}
    })
}

/// The innermost cause: those around it depend on whether a request has failed or an attempt to connect again.
fn reason(error: &str, cause: Option<&(dyn Error + 'static)>) -> String {
    let innermost = iter::successors(cause, |cause| (*cause).source()).last();
    innermost.map_or_else(|| error.to_owned(), ToString::to_string)
}

/// A time, to the second, and at least one.
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
    fn a_reason_is_the_same_whoever_finds_it() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let told = |error: &(dyn Error + 'static)| reason("", Some(error));
        assert_eq!(told(&NoConnection(refused())), told(&refused()));
        assert_ne!(told(&refused()), told(&io::Error::from(io::ErrorKind::TimedOut)));
        assert_eq!(reason("the response broke off", None), "the response broke off");
    }

    #[test]
    fn times_are_rounded() {
        let text = |millis| Seconds(Duration::from_millis(millis)).to_string();
        assert_eq!([3, 758, 1499, 29_600, 3_661_000].map(text), ["1s", "1s", "1s", "30s", "1h 1m 1s"]);
    }
}
