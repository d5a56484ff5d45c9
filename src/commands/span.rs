//! Formats durations and times in short form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago `moment` was, in seconds since 1970. `0s` if it is in the future.
pub(super) fn since(moment: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    span(now.saturating_sub(moment))
}

/// The time left until `moment`, which is in seconds since 1970; `None` if it has passed.
pub(super) fn until(moment: u64) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    moment.checked_sub(now).filter(|seconds| *seconds > 0).map(span)
}

/// Formats seconds, in the two largest units.
pub(super) fn span(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Formats microseconds as milliseconds.
pub(super) fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros / 100 % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!([0, 59, 3600, 90_061].map(span), ["0s", "59s", "1h", "1day 1h"]);
        assert_eq!([0, 99, 100, 12_345].map(millis), ["0.0 ms", "0.0 ms", "0.1 ms", "12.3 ms"]);
        assert_eq!((since(u64::MAX), until(1)), ("0s".to_owned(), None));
        assert!(until(u64::MAX).is_some());
    }
}
