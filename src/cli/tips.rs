use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config;

/// Words that other programs are started to serve with.
const SERVE: [&str; 7] = ["serve", "server", "run", "start", "up", "daemon", "reverse-proxy"];
/// And words that have their configuration validated.
const CHECK: [&str; 5] = ["configtest", "lint", "test", "validate", "verify"];

/// Says what to type instead, where clap does not know.
pub(super) fn with_tip(mut error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = context(&error, ContextKind::InvalidArg);
            if let Some(flag) = config::flag_meant_by(word.trim_start_matches('-')) {
                error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{flag}")));
            }
        }
        ErrorKind::InvalidSubcommand => {
            let word = context(&error, ContextKind::InvalidSubcommand);
            if let Some(tip) = instead_of_command(&word, error.get(ContextKind::SuggestedSubcommand).is_some()) {
                error.remove(ContextKind::SuggestedSubcommand);
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            }
        }
        _ => {}
    }
    error
}

fn context(error: &clap::Error, kind: ContextKind) -> String {
    error.get(kind).map(ToString::to_string).unwrap_or_default()
}

fn instead_of_command(word: &str, is_near_one: bool) -> Option<String> {
    if CHECK.contains(&word) {
        Some("`pmesh check` validates the settings".into())
    } else if word.contains(':') || word.contains('=') {
        Some(format!("a route is one word, as in --route app.example.com={}", word.rsplit('=').next()?))
    } else if word.contains(['/', '.']) {
        Some(format!("a file of settings is named by --config {word}"))
    } else if SERVE.contains(&word) || !is_near_one {
        Some("`pmesh` itself serves, without a command".into())
    } else {
        None
    }
}
