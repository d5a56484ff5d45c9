//! When an instance is ready.

use figment::value::Value;
use http::uri::PathAndQuery;

use super::Ready;
use crate::config::{Parse, Reason, text};

impl Parse for Ready {
    const EXPECTED: &'static str = "\"port\", \"started\", \"notify\", or a path such as \"/healthz\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        match text {
            "port" => return Ok(Self::Port),
            "started" => return Ok(Self::Started),
            "notify" => return Ok(Self::Notify),
            _ => {}
        }
        if let Some((_, rest)) = text.split_once("://") {
            let path = rest.find('/').map_or("/", |start| &rest[start..]);
            return Err(Some(format!("pmesh knows the address of each instance: write {path:?}")));
        }
        if text.contains('#') || text.chars().any(char::is_whitespace) {
            return Err(None);
        }
        match text.strip_prefix('/') {
            Some(_) => text.parse::<PathAndQuery>().map(Self::Path).map_err(|_| None),
            None if text.contains('/') || text.starts_with("health") => {
                Err(Some(format!("a path begins with a slash: write \"/{text}\"")))
            }
            None => Err(None),
        }
    }
}
