use std::time::Duration;

/// Limits a duration to a year, which is also the program's limit. `Duration::MAX`, a caller's "never", cannot be added
/// to a time, and tokio's timers end at 2.2 years.
pub(crate) fn bounded(duration: Duration) -> Duration {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    duration.min(YEAR)
}
