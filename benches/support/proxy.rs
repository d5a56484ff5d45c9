//! The proxy that is measured.

use super::harness::Start;

/// The name that is served.
pub const HOST: &str = "a.test";

/// A start with a route from [`HOST`] to the addresses.
pub fn start(backends: &[String]) -> Start {
    Start::new().flags(&["--route", &format!("{HOST}={}", backends.join(","))])
}
