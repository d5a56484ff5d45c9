//! The proxy that is measured.

use super::harness::Start;

/// The served host name.
pub const HOST: &str = "a.test";

/// Starts the program with a route from [`HOST`] to the addresses.
pub fn start(backends: &[String]) -> Start {
    Start::new().flags(&["--route", &format!("{HOST}={}", backends.join(","))])
}
