//! Advice on lines that are not valid TOML.

use toml_edit::Document;

use super::shown::without_password;

const ROUTE: &str = "a route begins with a [[routes]] line, followed by lines such as host = \"example.com\" and \
                     upstream = \"127.0.0.1:3000\"";

/// What to write instead of an invalid line, to append to a message.
pub(super) fn advice(line: &str) -> String {
    if let Some(instead) = valid_instead(line) {
        return format!(": write {}", without_password(&instead));
    }
    let line = line.split('#').next().unwrap_or_default().trim_end();
    if line.ends_with('{') || (line.ends_with(';') && !line.contains('=')) {
        return format!(": the file is TOML, not in the syntax of nginx or Caddy; {ROUTE}");
    }
    if line.ends_with(':') || line.trim_start().starts_with("- ") {
        return format!(": the file is TOML, not YAML; {ROUTE}");
    }
    String::new()
}

/// Corrects an invalid line: adds an equals sign and quotes, lower-cases `True`, and removes what follows the value.
fn valid_instead(line: &str) -> Option<String> {
    let is_valid = |line: &str| Document::parse(line).is_ok();
    let (key, value) = line.split_once(['=', ':'])?;
    let (key, value) = (key.trim(), value.split('#').next()?.trim().trim_end_matches([';', ',']));
    if value.is_empty() || is_valid(line) {
        return None;
    }
    let lower = Some(value.to_ascii_lowercase()).filter(|value| matches!(value.as_str(), "true" | "false"));
    let quoted = Some(format!("\"{value}\"")).filter(|_| !value.contains(['"', '\'', '[', '{']));
    let values = [lower, Some(value.to_owned()), quoted].into_iter().flatten();
    values.map(|value| format!("{key} = {value}")).find(|line| is_valid(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_says_what_to_write() {
        for (line, expected) in [
            ("bind = 0.0.0.0 # all", ": write bind = \"0.0.0.0\""),
            ("connect_timeout = 30s", ": write connect_timeout = \"30s\""),
            ("access_log = True", ": write access_log = true"),
            ("host = \"a.com\";", ": write host = \"a.com\""),
            ("http = 80,", ": write http = 80"),
            ("host: a.com", ": write host = \"a.com\""),
            ("hosts: [\"a.com\", \"b.com\"]", ": write hosts = [\"a.com\", \"b.com\"]"),
            ("upstream = http://bob:hunter2@a:1", ": write upstream = \"http://bob:***@a:1\""),
            ("a b = c", ""),
            ("host = [a", ""),
            ("http =", ""),
        ] {
            assert_eq!(advice(line), expected, "{line}");
        }
        for (line, syntax) in [
            ("server {", "nginx"),
            ("example.com { # a site", "Caddy"),
            ("worker_processes auto;", "nginx"),
            ("http:", "YAML"),
            ("  - url: a", "YAML"),
        ] {
            assert!(advice(line).contains(syntax) && advice(line).ends_with(ROUTE), "{line}: {}", advice(line));
        }
    }
}
