//! Hosts of routes, and advice on what to write instead of a catch-all host.

use figment::value::Value;
use pmesh_layers::host::HostPattern;

use crate::config::{Parse, Reason, because, text, with_references};

impl Parse for HostPattern {
    const EXPECTED: &'static str = "a host such as example.com or *.example.com";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        // A valid name, but configurations of nginx use it for a catch-all host.
        if text == "_" {
            return Err(Some(ANY.into()));
        }
        text.parse().map_err(|error| instead(text).or_else(|| because(error)))
    }
}

const ANY: &str = "there is no catch-all host, because pmesh only answers clients that name a served host: name each host, \
                   or write *.example.com for all names below example.com";

const NO_PATTERN: &str =
    "a host is a name, or *.example.com for all names below example.com; there are no other patterns";

/// Advice on what to write instead of an invalid host.
fn instead(text: &str) -> Option<String> {
    let is_host = |host: &&str| host.parse::<HostPattern>().is_ok();
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':']).next().filter(is_host).unwrap_or("a name such as example.com");
        return Some(format!("a host has no scheme: write {host}"));
    }
    if let Some(rule) = keys_for_rule(text) {
        return Some(format!("a route has no rule: write {rule}"));
    }
    if let Some(instead) = with_references(text) {
        return Some(format!("environment variables are written ${{NAME}}: write {instead}"));
    }
    if text == "*" {
        return Some(ANY.into());
    }
    let hosts: Vec<_> = text.split([',', ' ']).filter(|host| !host.is_empty()).collect();
    if hosts.len() > 1 && hosts.iter().all(is_host) {
        return Some(format!("for several hosts, write {hosts:?}, or repeat the flag"));
    }
    if let Some((host, path)) = text.split_once('/').filter(|(host, _)| is_host(host)) {
        return Some(format!("the path belongs in `prefix`: write host = \"{host}\" and prefix = \"/{path}\""));
    }
    if let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| is_host(host)) {
        let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
        return is_port.then(|| format!("a host has no port: write {host}"));
    }
    if let Some(parent) = text.strip_prefix('.').filter(is_host) {
        return Some(format!("write *.{parent} for all names below {parent}; it does not include {parent} itself"));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    name.contains(['*', '~', '^', '$', '(', '{', '\\']).then(|| NO_PATTERN.into())
}

/// The keys for a rule of Traefik that only has a host and possibly a path.
fn keys_for_rule(text: &str) -> Option<String> {
    let matchers = [("Host(", "host"), ("PathPrefix(", "prefix"), ("Path(", "path")];
    let keys = text.split("&&").map(|part| {
        let (matcher, key) = matchers.iter().find(|(matcher, _)| part.trim().starts_with(matcher))?;
        let value = part.trim().strip_prefix(matcher)?.strip_suffix(')')?.trim_matches(['`', '"', '\'']);
        (!value.contains(['`', '"', '\'', '(', ')'])).then(|| format!("{key} = \"{value}\""))
    });
    keys.collect::<Option<Vec<_>>>().map(|keys| keys.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_hosts_get_advice() {
        for (text, expected) in [
            ("*", ANY),
            ("_", ANY),
            ("https://a.test", "a host has no scheme: write a.test"),
            ("https://a.test:8443/x", "a host has no scheme: write a.test"),
            ("https://*", "a host has no scheme: write a name such as example.com"),
            ("{$DOMAIN}", "environment variables are written ${NAME}: write ${DOMAIN}"),
            ("a.test/api", "the path belongs in `prefix`: write host = \"a.test\" and prefix = \"/api\""),
            ("a.test:8080", "a host has no port: write a.test"),
            (".a.test", "write *.a.test for all names below a.test; it does not include a.test itself"),
            ("a.test, b.test", "for several hosts, write [\"a.test\", \"b.test\"], or repeat the flag"),
            ("www.*", NO_PATTERN),
            ("~^www\\.", NO_PATTERN),
            ("Host(`a.test`)", "a route has no rule: write host = \"a.test\""),
            (
                "Host(`a.test`) && PathPrefix(`/api`)",
                "a route has no rule: write host = \"a.test\" and prefix = \"/api\"",
            ),
            ("Host(`a.test`) || Host(`b.test`)", NO_PATTERN),
            ("a b!", "' ' is not allowed in a host name"),
            ("", "the host is empty"),
        ] {
            assert_eq!(HostPattern::parse(&text.into()), Err(Some(expected.to_owned())), "{text}");
        }
    }
}
