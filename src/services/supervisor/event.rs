//! Events for reports.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::services::report::EventReport;

/// Something that has just happened.
pub(super) fn happened(message: String) -> EventReport {
    EventReport { message, time: seconds(SystemTime::now()) }
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
