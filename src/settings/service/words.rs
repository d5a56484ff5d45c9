//! Values of a service that are words, numbers or durations.

use std::time::Duration;

use figment::value::Value;

use super::{Restart, ServiceListen, ServiceProtocol};
use crate::config::{Parse, Reason, because, duration, text};

impl Parse for ServiceListen {
    const EXPECTED: &'static str = "address, port or unix";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)? {
            "address" => Ok(Self::Address),
            "port" => Ok(Self::Port),
            "unix" => Ok(Self::Unix),
            text if text.starts_with("unix:") || text.starts_with('/') => {
                Err(Some("pmesh chooses a socket for each instance: write unix".into()))
            }
            _ => Err(Some("pmesh chooses an address for each instance, and `port` sets the port".into())),
        }
    }
}

impl Parse for ServiceProtocol {
    const EXPECTED: &'static str = "http or h2c";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match &*text(value)?.to_ascii_lowercase() {
            "http" | "http1" | "http/1.1" => Ok(Self::Http),
            "h2c" => Ok(Self::H2c),
            "grpc" => Err(Some("for gRPC, write h2c".into())),
            "https" | "h2" => Err(Some("services speak HTTP without TLS to pmesh".into())),
            _ => Err(None),
        }
    }
}

impl Parse for Restart {
    const EXPECTED: &'static str = "always, on-failure or never";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value) {
            Ok("always") => Ok(Self::Always),
            Ok("on-failure") => Ok(Self::OnFailure),
            Ok("never") => Ok(Self::Never),
            Ok("unless-stopped") => {
                Err(Some("write always; a service that a command has stopped stays stopped".into()))
            }
            Ok("no") => Err(Some("write never".into())),
            Ok("on_failure" | "unexpected" | "on-abnormal" | "on-abort") => Err(Some("write on-failure".into())),
            Ok(_) => Err(None),
            Err(_) => Err(value.to_bool().map(|is_on| format!("write {:?}", if is_on { "always" } else { "never" }))),
        }
    }
}

/// The number of instances.
pub(super) struct Instances(pub(super) u16);

impl Parse for Instances {
    const EXPECTED: &'static str = "a number from 1 to 1000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("to stop a service, run `pmesh services stop NAME`, or remove its table".into())),
            Some(count @ 1..=1000) => count.try_into().map(Self).map_err(because),
            _ => Err(None),
        }
    }
}

/// The port of all instances.
pub(super) struct ServicePort(pub(super) u16);

impl Parse for ServicePort {
    const EXPECTED: &'static str = "a port from 1 to 65535";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_u128() {
            Some(0) => Err(Some("for a port that pmesh chooses for each instance, write listen = \"port\"".into())),
            Some(port) => port.try_into().map(Self).map_err(|_| None),
            None => Err(None),
        }
    }
}

/// How long requests wait, which can be 0.
pub(super) struct WaitTimeout(pub(super) Duration);

impl Parse for WaitTimeout {
    const EXPECTED: &'static str = "a duration up to a year, such as 10s, or 0s to answer at once";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if value.as_str().is_some_and(|text| humantime::parse_duration(text).is_ok_and(|zero| zero.is_zero())) {
            return Ok(Self(Duration::ZERO));
        }
        duration(value, Some("requests cannot wait forever; to answer them at once, write 0s")).map(Self)
    }
}
