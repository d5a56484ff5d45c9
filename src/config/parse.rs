//! Parsing of values: what was expected, and why a value is invalid.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use figment::value::Value;
use ipnet::{IpNet, Ipv4Net};
use pmesh_layers::connect::{InvalidSubnet, SourceSubnet};

use super::kind::words;

/// Why a value is invalid, if [`Parse::EXPECTED`] does not already say it.
pub(crate) type Reason = Option<String>;

/// A type that is parsed from the value of a setting.
pub(crate) trait Parse: Sized {
    /// What is valid, for error messages: "expected …".
    const EXPECTED: &'static str;

    /// Parses the value.
    fn parse(value: &Value) -> Result<Self, Reason>;
}

/// The value, if it is a string.
pub(crate) fn text(value: &Value) -> Result<&str, Reason> {
    value.as_str().ok_or(None)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be given to map_err")]
pub(crate) fn because(error: impl ToString) -> Reason {
    Some(error.to_string())
}

impl Parse for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(value: &Value) -> Result<Self, Reason> {
        value.to_bool().ok_or(None)
    }
}

impl Parse for usize {
    const EXPECTED: &'static str = "a number";

    fn parse(value: &Value) -> Result<Self, Reason> {
        value.to_u128().and_then(|number| number.try_into().ok()).ok_or(None)
    }
}

impl Parse for String {
    const EXPECTED: &'static str = "text";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value).map(str::to_owned)
    }
}

impl Parse for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)? {
            "" => Err(None),
            // `~` is expanded when the value is read. It is only left if there is no home.
            text if text == "~" || text.starts_with("~/") => {
                Err(Some("~ cannot be expanded, because HOME is not set".into()))
            }
            text => Ok(text.into()),
        }
    }
}

impl Parse for Duration {
    const EXPECTED: &'static str = "a duration over 0 and up to a year, such as 10s or 1m 30s";

    fn parse(value: &Value) -> Result<Self, Reason> {
        duration(value, Some("it cannot be switched off; write a long duration, such as 365d"))
    }
}

/// Parses a duration over 0 and up to a year. `if_off` is the reason why it cannot be 0 or `off`, if that has to be said.
pub(crate) fn duration(value: &Value, if_off: Option<&str>) -> Result<Duration, Reason> {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    let text = match value.to_u128() {
        Some(number) => number.to_string(),
        None => text(value)?.trim().to_owned(),
    };
    match text.to_ascii_lowercase().as_str() {
        "0" | "0s" | "off" | "none" | "never" | "infinity" | "unlimited" => {
            return Err(if_off.map(str::to_owned));
        }
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            return Err(Some(format!("add a unit, as in {text}s or {text}ms")));
        }
        _ => {}
    }
    let duration = humantime::parse_duration(&text).map_err(because)?;
    if duration.is_zero() || duration > YEAR { Err(None) } else { Ok(duration) }
}

/// A duration, or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit(pub(crate) Option<Duration>);

impl Parse for TimeLimit {
    const EXPECTED: &'static str = "a duration up to a year, such as 5m or 1h, or off";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let is_off = |text: &str| text.eq_ignore_ascii_case("off") || is_zero(text);
        if value.to_u128() == Some(0) || value.as_str().map(str::trim).is_some_and(is_off) {
            return Ok(Self(None));
        }
        Duration::parse(value).map(|duration| Self(Some(duration)))
    }
}

fn is_zero(text: &str) -> bool {
    text == "0" || humantime::parse_duration(text).is_ok_and(|duration| duration.is_zero())
}

impl Parse for IpAddr {
    const EXPECTED: &'static str = "an IP address";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        text.parse().map_err(|_| match text {
            "localhost" => Some("write 127.0.0.1, or ::1".into()),
            "*" => Some("write 0.0.0.0, or :: for IPv4 and IPv6".into()),
            _ => {
                let bare = text.trim_start_matches('[').trim_end_matches(']');
                bare.parse::<Self>().ok().map(|address| format!("write {address}")).or_else(|| several(text))
            }
        })
    }
}

impl Parse for IpNet {
    const EXPECTED: &'static str = "an IP address or a network such as 10.0.0.0/8";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from)).map_err(|_| several(text))?;
        Ok(canonical(network))
    }
}

/// Converts IPv4 networks that are written as IPv6 (`::ffff:192.0.2.0/120`) to IPv4, as the addresses of clients are.
fn canonical(network: IpNet) -> IpNet {
    let length = network.prefix_len().checked_sub(96);
    match (network.addr().to_canonical(), length) {
        (address @ IpAddr::V4(_), Some(length)) => IpNet::new(address, length).unwrap_or(network),
        _ => network,
    }
}

/// Advice on several addresses in one string.
fn several(text: &str) -> Reason {
    let addresses: Vec<_> = words(text).collect();
    (addresses.len() > 1).then(|| format!("for several addresses, write {addresses:?}"))
}

/// A loopback network that [`SourceSubnet`] accepts.
impl Parse for Ipv4Net {
    const EXPECTED: &'static str = "an IPv4 network inside 127.0.0.0/8, such as 127.2.0.0/16";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)?.parse::<SourceSubnet>() {
            Ok(subnet) => Ok(subnet.net()),
            Err(InvalidSubnet::Syntax) => Err(None),
            Err(error) => Err(because(error)),
        }
    }
}
