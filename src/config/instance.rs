//! The variables that each instance of a service has of its own.

/// pmesh sets these variables, and replaces `{NAME}` in the words of a command.
pub(crate) const OF_INSTANCE: [&str; 6] = ["HOST", "PORT", "LISTEN", "SOCKET", "PMESH_SERVICE", "PMESH_INSTANCE"];

/// Advice on a reference such as `${PORT}` in a command. It would be replaced from pmesh's own environment.
pub(super) fn instead_of_reference(path: &[String], text: &str) -> Option<String> {
    let [services, _, command, rest @ ..] = path else { return None };
    if services != "services" || command != "command" {
        return None;
    }
    let is_meant = |name: &&str| {
        text.match_indices(&format!("${{{name}"))
            .any(|(at, found)| !text[..at].ends_with('$') && text[at + found.len()..].starts_with(['}', ':']))
    };
    let name = OF_INSTANCE.into_iter().find(is_meant)?;
    let instead = if rest.is_empty() { format!("${name}, or $${{{name}}}") } else { format!("{{{name}}}") };
    Some(format!("each instance has its own {name}, which is not in pmesh's environment: write {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_variables_of_instances_are_found() {
        let advice = |path: &str, text: &str| {
            let path: Vec<_> = path.split('.').map(str::to_owned).collect();
            instead_of_reference(&path, text)
        };
        let line = advice("services.web.command", "serve -p ${PORT:-3000}").expect("a reference");
        assert!(line.ends_with("write $PORT, or $${PORT}"), "{line}");
        let word = advice("services.web.command.1", "${HOST}:80").expect("a reference");
        assert!(word.ends_with("write {HOST}"), "{word}");
        for (path, text) in [
            ("services.web.command", "serve -p $PORT"),
            ("services.web.command", "serve -p $${PORT}"),
            ("services.web.command", "serve -p ${PORTAL}"),
            ("services.web.cwd", "${PORT}"),
            ("routes.0.command", "${PORT}"),
        ] {
            assert_eq!(advice(path, text), None, "{path}: {text}");
        }
    }
}
