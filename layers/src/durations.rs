use std::time::Duration;

/// Limits a duration to a year, which is also the program's limit. Callers may pass `Duration::MAX` for "never", but it
/// cannot be added to a time, and tokio's timers reach only 2.2 years ahead.
pub(crate) fn bounded(duration: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    duration.min(YEAR)
}
