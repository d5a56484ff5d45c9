//! "Did you mean": suggestions for typos and for names from other programs.

use super::SETTINGS;

/// Names from other programs, each with the keys that it may stand for. The first key that is valid in its place is
/// suggested.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("address", &["bind"]),
    ("app", &["services"]),
    ("apps", &["services"]),
    ("backend", &["upstream"]),
    ("backends", &["upstream"]),
    ("c", &["config"]),
    ("ca_file", &["ca"]),
    ("cafile", &["ca"]),
    ("cert_file", &["cert"]),
    ("certificate", &["cert"]),
    ("client_ip", &["clients"]),
    ("client_max_body_size", &["max_body"]),
    ("code", &["status"]),
    ("conf", &["config"]),
    ("config_file", &["config"]),
    ("domain", &["host"]),
    ("domains", &["host"]),
    ("endpoints", &["upstream"]),
    ("f", &["config"]),
    ("force_https", &["redirect_https"]),
    ("file", &["config"]),
    ("frontend", &["routes"]),
    ("hostname", &["host"]),
    ("http_port", &["http"]),
    ("https_port", &["https"]),
    ("https_redirect", &["redirect_https"]),
    ("idle_timeout", &["keep_alive_timeout"]),
    ("import", &["include"]),
    ("insecure", &["skip_verify"]),
    ("insecure_skip_verify", &["skip_verify"]),
    ("insecureskipverify", &["skip_verify"]),
    ("key_file", &["key"]),
    ("listen", &["http", "port"]),
    ("listen_address", &["bind"]),
    ("location", &["prefix", "routes"]),
    ("log_level", &["log"]),
    ("loglevel", &["log"]),
    ("mem", &["memory"]),
    ("nofile", &["open_files"]),
    ("p", &["http"]),
    ("path_prefix", &["prefix"]),
    ("path_regexp", &["path_regex"]),
    ("pathprefix", &["prefix"]),
    ("permanent", &["status"]),
    ("port", &["http"]),
    ("private_key", &["key"]),
    ("process", &["services"]),
    ("processes", &["services"]),
    ("program", &["services"]),
    ("programs", &["services"]),
    ("proxy_connect_timeout", &["connect_timeout"]),
    ("proxy_pass", &["upstream"]),
    ("proxy_read_timeout", &["response_timeout"]),
    ("read_timeout", &["response_timeout"]),
    ("redir", &["redirect"]),
    ("regex", &["path_regex"]),
    ("remote_ip", &["clients"]),
    ("response", &["respond"]),
    ("reverse_proxy", &["upstream"]),
    ("server", &["upstream", "routes"]),
    ("root_ca", &["ca"]),
    ("rootcas", &["ca"]),
    ("server_name", &["host"]),
    ("servers", &["upstream"]),
    ("service", &["upstream", "services"]),
    ("services", &["upstream"]),
    ("set_real_ip_from", &["trusted_proxies"]),
    ("ssl_certificate", &["cert"]),
    ("ssl_certificate_key", &["key"]),
    ("sni", &["server_name"]),
    ("status_code", &["status"]),
    ("target", &["upstream"]),
    ("targets", &["upstream"]),
    ("text", &["body"]),
    ("threads", &["workers"]),
    ("timeout", &["response_timeout"]),
    ("tls_cert", &["cert"]),
    ("tls_insecure_skip_verify", &["skip_verify", "tls"]),
    ("tls_key", &["key"]),
    ("tls_server_name", &["server_name"]),
    ("url", &["upstream", "to"]),
    ("worker_processes", &["workers"]),
];

/// The flag that other programs call `word`, without its leading dashes.
pub(crate) fn flag_meant_by(word: &str) -> Option<&'static str> {
    let word = folded(word);
    let (_, ours) = ELSEWHERE.iter().find(|(name, _)| *name == word)?;
    SETTINGS.iter().find(|setting| ours.contains(&setting.key))?.flag
}

/// "; did you mean …?" with the candidate that `word` most likely stands for, or an empty string.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(word, candidates) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None => String::new(),
    }
}

/// The candidate that `word` most likely stands for, as a name from another program or a typo.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = folded(word);
    let candidates: Vec<_> = candidates.into_iter().map(|candidate| (folded(candidate), candidate)).collect();
    let named = meant_by(&word).iter().find_map(|own| candidates.iter().find(|(folded, _)| folded == own));
    // One typo per three letters, and three at most. With more, it is another word.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let slipped = || {
        let slips = candidates.iter().map(|found| (strsim::damerau_levenshtein(&word, &found.0), found));
        slips.filter(|(slips, _)| *slips <= allowed).min_by_key(|(slips, _)| *slips).map(|(_, found)| found)
    };
    named.or_else(slipped).map(|(_, candidate)| *candidate)
}

/// Whether `word` is the key `own`, or another program's name for it.
pub(super) fn names(word: &str, own: &str) -> bool {
    let word = folded(word);
    word == own || meant_by(&word).contains(&own)
}

fn meant_by(folded: &str) -> &'static [&'static str] {
    ELSEWHERE.iter().find(|(name, _)| *name == folded).map_or(&[], |(_, ours)| ours)
}

/// Normalizes a word for comparison: `Keep-Alive` becomes `keep_alive`. Drops the prefix that all variables share.
fn folded(word: &str) -> String {
    let word = word.to_lowercase().replace('-', "_");
    word.strip_prefix("pmesh_").map(str::to_owned).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        keys::{CERTIFICATE, LISTENER, MATCH, REDIRECT, RESPOND, ROUTE, SERVICE_LIMITS, TLS},
        table::by_key,
    };

    #[test]
    fn suggests_only_similar_words() {
        for (word, expected) in [
            ("htpp", Some("http")),
            ("htttps", Some("https")),
            ("Subnet-Dialer", Some("subnet_dialer")),
            ("prefix", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["http", "https", "subnet_dialer"]), expected, "{word}");
        }
    }

    #[test]
    fn names_from_other_programs_are_understood() {
        for (word, expected) in [("server", Some("routes")), ("port", Some("http")), ("proxy_pass", None)] {
            assert_eq!(nearest(word, ["routes", "http"]), expected, "{word}");
        }
        assert_eq!(nearest("PMESH_PORT", ["PMESH_CERT", "PMESH_HTTP"]), Some("PMESH_HTTP"));
        assert_eq!(nearest("PMESH_VERSION", ["PMESH_CERT", "PMESH_HTTP"]), None);
    }

    #[test]
    fn every_suggestion_is_a_setting_or_a_key_of_a_table() {
        for own in ELSEWHERE.iter().flat_map(|(_, ours)| *ours) {
            let tables = [CERTIFICATE, LISTENER, MATCH, REDIRECT, RESPOND, ROUTE, SERVICE_LIMITS, TLS];
            let mut of_tables = tables.into_iter().flatten();
            assert!(by_key(own).is_some() || of_tables.any(|key| key.name == *own), "{own}");
        }
    }
}
