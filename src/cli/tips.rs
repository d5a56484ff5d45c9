//! Tips for users who type the commands and flags of other programs.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::config::{self, renamed};

/// Commands that make other programs serve.
const SERVE: [&str; 6] = ["serve", "server", "run", "up", "daemon", "reverse-proxy"];
/// Commands that make other programs validate their configuration.
const CHECK: [&str; 5] = ["configtest", "lint", "test", "validate", "verify"];
/// Commands of process managers that list what is running.
const LIST: [&str; 4] = ["list", "ls", "ps", "service"];

/// Adds a tip on what to type instead, where clap has none.
pub(super) fn with_tip(mut error: clap::Error) -> clap::Error {
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = context(&error, ContextKind::InvalidArg);
            let name = word.trim_start_matches('-');
            if let Some(new) = renamed::flag(name) {
                error.remove(ContextKind::SuggestedArg);
                error.remove(ContextKind::Usage);
                let tip = format!("{word} is now called --{new}");
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            } else if let Some(flag) = config::flag_meant_by(name) {
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
        Some("to validate the settings, run `pmesh check`".into())
    } else if LIST.contains(&word) {
        Some("to see the services, run `pmesh services`".into())
    } else if ["log", "logs"].contains(&word) {
        Some("to see the output of services, run `pmesh services logs`".into())
    } else if ["stop", "restart"].contains(&word) {
        Some(format!("to {word} a service, run `pmesh services {word} NAME`"))
    } else if word == "start" {
        Some("to serve, run `pmesh` without a command; to start a service, run `pmesh services start NAME`".into())
    } else if word.contains(':') || word.contains('=') {
        Some(format!("write a route as one word: --route app.example.com={}", word.rsplit('=').next()?))
    } else if word.contains(['/', '.']) {
        Some(format!("to use a configuration file, write --config {word}"))
    } else if SERVE.contains(&word) || !is_near_one {
        Some("to serve, run `pmesh` without a command".into())
    } else {
        None
    }
}
