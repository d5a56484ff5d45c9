//! The proxy that is measured: the built program, or the one that the variable PMESH names.

use super::harness::{Start, program::PROGRAM};

/// The name that is served.
pub const HOST: &str = "a.test";

/// A start with a route from [`HOST`] to the addresses.
pub fn start(backends: &[String]) -> Start {
    let file = std::env::var_os("PMESH").unwrap_or_else(|| PROGRAM.into());
    Start::new().program(file).flags(&["--route", &format!("{HOST}={}", backends.join(","))])
}
