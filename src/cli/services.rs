//! `pmesh services` and its subcommands.

use clap::{Arg, ArgMatches, value_parser};

use super::switch::{JSON, json, switch};
use crate::admin::ServiceAction;

/// The name of the command.
pub(super) const SERVICES: &str = "services";
const NAME: &str = "name";
const FOLLOW: &str = "follow";
const LINES: &str = "lines";

const AFTER_HELP: &str = "\
With more than 30 instances, the table has one line per service; `pmesh services NAME` prints everything about one. \
Memory and CPU time are those of the whole process tree of an instance.";

const AFTER_LOGS: &str = "\
Prints the output that the node has kept. With --follow, runs until Ctrl-C or until the node stops.";

const AFTER_RESTART: &str = "\
Starts the new instance, waits until it is ready, drains the old one and stops it; then the next. If one does not become \
ready, the old ones stay, and the exit code is 1. This can take minutes. Ctrl-C stops the command, not the restart.";

/// What to do with services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServicesCommand {
    /// Print their state.
    Show {
        /// Only this service, in detail.
        name: Option<String>,
        /// Print JSON instead of a table.
        json: bool,
    },
    /// Print their output.
    Logs(LogsQuery),
    /// Start, stop or restart a service.
    Act {
        /// Which of these.
        action: ServiceAction,
        /// The service.
        name: String,
        /// Print JSON instead of text.
        json: bool,
    },
}

/// Which lines to print, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsQuery {
    /// The service, or one instance of it such as `web/2`; `None`: all services.
    pub name: Option<String>,
    /// How many past lines.
    pub lines: usize,
    /// Whether to wait for new lines.
    pub follow: bool,
    /// Print one JSON object per line.
    pub json: bool,
}

pub(super) fn command(matches: &ArgMatches) -> ServicesCommand {
    let name = |matches: &ArgMatches| matches.get_one::<String>(NAME).cloned();
    let action = matches.subcommand().and_then(|(name, matches)| Some((name.parse().ok()?, matches)));
    if let Some((action, matches)) = action {
        let name = name(matches).unwrap_or_default();
        return ServicesCommand::Act { action, name, json: matches.get_flag(JSON) };
    }
    match matches.subcommand() {
        Some(("logs", matches)) => ServicesCommand::Logs(LogsQuery {
            name: name(matches),
            lines: matches.get_one(LINES).copied().unwrap_or_default(),
            follow: matches.get_flag(FOLLOW),
            json: matches.get_flag(JSON),
        }),
        _ => ServicesCommand::Show { name: name(matches), json: matches.get_flag(JSON) },
    }
}

pub(super) fn definition() -> clap::Command {
    let name = |help: &'static str| Arg::new(NAME).value_name("NAME").help(help);
    let action = |action: ServiceAction, about: &'static str| {
        clap::Command::new(action.name()).about(about).arg(name("The service").required(true)).arg(json())
    };
    clap::Command::new(SERVICES)
        .about("Prints the services of the running node, their state and output; starts, stops and restarts them")
        .after_help(AFTER_HELP)
        .args_conflicts_with_subcommands(true)
        .arg(name("Prints only this service, in detail"))
        .arg(json())
        .subcommand(
            clap::Command::new("logs")
                .about("Prints the last lines that services wrote")
                .after_help(AFTER_LOGS)
                .arg(name("Only this service, or this instance: web or web/1"))
                .arg(switch(FOLLOW, "Prints new lines as they are written").short('f'))
                .arg(
                    Arg::new(LINES)
                        .short('n')
                        .long(LINES)
                        .value_name("N")
                        .value_parser(value_parser!(usize))
                        .default_value("100")
                        .help("Number of past lines"),
                )
                .arg(json()),
        )
        .subcommand(action(ServiceAction::Start, "Starts a stopped service, and waits until it is ready"))
        .subcommand(action(
            ServiceAction::Stop,
            "Stops a service until it is started again; meanwhile, its requests get 503",
        ))
        .subcommand(
            action(ServiceAction::Restart, "Replaces the instances of a service one by one, without an interruption")
                .after_help(AFTER_RESTART),
        )
}
