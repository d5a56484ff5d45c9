//! Parses the values of settings that have words or limits of their own.

use std::net::IpAddr;

use figment::value::Value;
use pmesh_layers::forwarded::ProxyHeaders;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::LogFormat;
use crate::config::{Parse, Reason, Size, text};

pub(super) struct Source(pub(super) IpAddr);

impl Parse for Source {
    const EXPECTED: &'static str = "a non-loopback IP address of this machine";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let address = IpAddr::parse(value)?.to_canonical();
        if address.is_loopback() {
            // From a loopback address, the kernel only reaches loopback addresses.
            return Err(Some(
                "loopback addresses only reach loopback upstreams, and `subnet_dialer` sets the source addresses for these".into(),
            ));
        }
        if address.is_unspecified() || address.is_multicast() { Err(None) } else { Ok(Self(address)) }
    }
}

impl Parse for ProxyHeaders {
    const EXPECTED: &'static str = "x-forwarded or forwarded";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match &*text(value)?.to_ascii_lowercase() {
            "x-forwarded" => Ok(Self::XForwarded),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(None),
        }
    }
}

impl Parse for LogFormat {
    const EXPECTED: &'static str = "text or json";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)? {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(None),
        }
    }
}

pub(super) struct Workers(pub(super) usize);

impl Parse for Workers {
    // Nobody needs more, and a typo should not start a million threads.
    const EXPECTED: &'static str = "a number from 1 to 1024";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| (1..=1024).contains(count)).map(Self).ok_or(None)
    }
}

pub(super) struct AtLeastOne(pub(super) usize);

impl Parse for AtLeastOne {
    const EXPECTED: &'static str = "a number of at least 1";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| *count > 0).map(Self).ok_or(None)
    }
}

pub(super) struct HeadSize(pub(super) u32);

impl HeadSize {
    /// An HTTP server should support request lines of about this length (RFC 9112, 3).
    pub(super) const MIN: u32 = 8 * 1024;
    const MAX: u32 = 16 * 1024 * 1024;
}

impl Parse for HeadSize {
    const EXPECTED: &'static str = "a size from 8KiB to 16MiB";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let Size(bytes) = Size::parse(value)?;
        u32::try_from(bytes).ok().filter(|bytes| (Self::MIN..=Self::MAX).contains(bytes)).map(Self).ok_or(None)
    }
}

pub(super) struct Fields(pub(super) usize);

impl Parse for Fields {
    // The `HeaderMap` of http can hold 32768 headers. Space for the maximum is reserved, whether it is used or not.
    const EXPECTED: &'static str = "a number from 1 to 10000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        usize::parse(value).ok().filter(|count| (1..=10_000).contains(count)).map(Self).ok_or(None)
    }
}

pub(super) struct Streams(pub(super) u32);

impl Parse for Streams {
    const EXPECTED: &'static str = "a number from 1 to 10000";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let count = usize::parse(value).ok().and_then(|count| u32::try_from(count).ok());
        count.filter(|count| (1..=10_000).contains(count)).map(Self).ok_or(None)
    }
}

pub(super) struct Filter(pub(super) String);

impl Parse for Filter {
    const EXPECTED: &'static str = "off, error, warn, info, debug or trace, or a filter such as info,pmesh=debug";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let directives = text(value)?;
        // A single word that is not a level would be treated as the name of a target, and nothing would be logged.
        let is_directive = |directive: &str| directive.contains(['=', '[']) || directive.parse::<LevelFilter>().is_ok();
        if !directives.split(',').all(|directive| is_directive(directive.trim())) {
            return Err(None);
        }
        EnvFilter::builder().parse(directives).map(|_| Self(directives.to_owned())).map_err(|_| None)
    }
}
