//! HTTP/2 without TLS.

use figment::value::Value;

use crate::config::{Parse, Reason, text};

/// HTTP/2 without TLS, for clients with prior knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum H2c {
    /// Not supported.
    Off,
    /// Supported. The SETTINGS of the server are held back until the client has named a served host.
    Silent,
    /// Supported. SETTINGS are sent at once, for clients that wait for them. This gives up silence.
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
