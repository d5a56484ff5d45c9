//! HTTP/2 without TLS.

use figment::value::Value;

use crate::config::{Parse, Reason, text};

/// HTTP/2 without TLS, for clients that know of it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum H2c {
    /// Not spoken.
    Off,
    /// Spoken; the server's SETTINGS are held back until a served name was seen.
    Silent,
    /// Spoken; SETTINGS are sent at once, for clients that wait for them. Gives up silence.
    Open,
}

impl Parse for H2c {
    const EXPECTED: &'static str = "off, silent or open";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match &*text(value)?.to_ascii_lowercase() {
            "off" => Ok(Self::Off),
            "silent" => Ok(Self::Silent),
            "open" => Ok(Self::Open),
            _ => Err(None),
        }
    }
}
