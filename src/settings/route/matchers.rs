//! Parses the conditions of routes: methods, headers, networks and paths.

use figment::value::Value;
use http::{HeaderName, Method};
use ipnet::IpNet;
use pmesh_layers::route::{ExactPath, InvalidRegex, PathRegex, ValuePattern};

use crate::config::{Parse, Reason, because, text};

pub(super) struct MethodName(pub(super) Method);

impl Parse for MethodName {
    const EXPECTED: &'static str = "a method such as GET";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let method: Method = text.parse().map_err(|_| None)?;
        let upper = text.to_ascii_uppercase();
        // Methods are case-sensitive (RFC 9110, 9.1), and no known one contains lower-case letters.
        if upper == text { Ok(Self(method)) } else { Err(Some(format!("write {upper:?}"))) }
    }
}

pub(super) struct HeaderKey(pub(super) HeaderName);

impl Parse for HeaderKey {
    const EXPECTED: &'static str = "the name of a header";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map(Self).map_err(|_| None)
    }
}

/// The value that a header or a query parameter must have.
pub(super) struct Condition(pub(super) ValuePattern);

impl Parse for Condition {
    const EXPECTED: &'static str = "text, which can begin or end with *, or true for any value";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.to_bool() {
            Some(true) => Ok(Self(ValuePattern::any())),
            Some(false) => Err(None),
            None => text(value).map(|text| Self(text.into())),
        }
    }
}

/// A network, or all private networks.
pub(super) struct Networks(pub(super) Vec<IpNet>);

/// RFC 1918, RFC 6598, loopback, link-local and unique local addresses.
const PRIVATE: [&str; 9] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

impl Parse for Networks {
    const EXPECTED: &'static str = "an IP address, a network such as 10.0.0.0/8, or \"private\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match text(value)? {
            "private" => Ok(Self(PRIVATE.iter().filter_map(|network| network.parse().ok()).collect())),
            _ => IpNet::parse(value).map(|network| Self(vec![network])),
        }
    }
}

impl Parse for PathRegex {
    const EXPECTED: &'static str = "a regular expression such as ^/u/([0-9]+)$";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(|error| match error {
            // `EXPECTED` already says that a regular expression belongs here.
            InvalidRegex::Syntax(reason) => because(reason),
            other => because(other),
        })
    }
}

impl Parse for ExactPath {
    const EXPECTED: &'static str = "a path that starts with a slash, such as /robots.txt";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if let Some(start) = text.strip_suffix('*') {
            let prefix = start.strip_suffix('/').filter(|prefix| !prefix.is_empty()).unwrap_or("/");
            return Err(Some(format!("`path` is one exact path; for all paths below it, write prefix = {prefix:?}")));
        }
        if text.contains(['{', '^', '(', '[', '|', '\\']) {
            return Err(Some("`path` is one exact path; for a regular expression, write path_regex".into()));
        }
        if !text.starts_with('/') && Self::parse(&format!("/{text}").into()).is_ok() {
            return Err(Some(format!("write \"/{text}\"")));
        }
        text.parse().map_err(because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason<T: Parse>(value: impl Into<Value>) -> Option<String> {
        T::parse(&value.into()).err().flatten()
    }

    #[test]
    fn invalid_methods_and_paths_get_advice() {
        assert_eq!(reason::<MethodName>("get").as_deref(), Some("write \"GET\""));
        assert!(MethodName::parse(&"PURGE".into()).is_ok());
        for (text, expected) in [
            ("/api/*", "`path` is one exact path; for all paths below it, write prefix = \"/api\""),
            ("/*", "`path` is one exact path; for all paths below it, write prefix = \"/\""),
            ("^/a$", "`path` is one exact path; for a regular expression, write path_regex"),
            ("robots.txt", "write \"/robots.txt\""),
        ] {
            assert_eq!(reason::<ExactPath>(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn invalid_regexes_get_a_reason_without_repetition() {
        assert_eq!(reason::<PathRegex>("(").as_deref(), Some("unclosed group"));
        assert!(reason::<PathRegex>("^/é$").is_some_and(|reason| reason.starts_with("paths are percent-encoded")));
    }

    #[test]
    fn private_means_all_private_networks() {
        assert!(Networks::parse(&"private".into()).is_ok_and(|Networks(networks)| networks.len() == PRIVATE.len()));
    }
}
