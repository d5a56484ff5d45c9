//! The command line.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{Kind, SETTINGS, Setting};

const EXPLAINED: &str = "explained";

const AFTER_HELP: &str = "\
Flags win over the environment, the environment over the file, the file over the defaults.
Durations have a unit: 10s, 500ms, 1m 30s. `pmesh explain` shows each setting and where it was set.";

/// What the program was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve: `pmesh` alone.
    Serve,
    /// Serve an embedded backend, for a first look.
    Demo,
    /// Validate the settings and say what would be served.
    Check,
    /// Show settings and their sources.
    Explain {
        /// Only this one.
        key: Option<String>,
    },
    /// Print the public part of the local authority.
    Authority,
}

/// The arguments of the program: a command, and settings that are not validated yet.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
    pub(crate) flags: Vec<(&'static Setting, String)>,
}

impl Arguments {
    /// Reads the arguments of a process, of which the first is its name.
    ///
    /// # Errors
    ///
    /// A usage error, or the text of `--help` or `--version`: call [`clap::Error::exit`], which prints either and ends
    /// the process with 2 or 0.
    pub fn parse<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> Result<Self, clap::Error> {
        let matches = definition().try_get_matches_from(arguments)?;
        let command = match matches.subcommand() {
            Some(("demo", _)) => Command::Demo,
            Some(("check", _)) => Command::Check,
            Some(("explain", matches)) => Command::Explain { key: matches.get_one(EXPLAINED).cloned() },
            Some(("ca", _)) => Command::Authority,
            _ => Command::Serve,
        };
        Ok(Self { command, flags: SETTINGS.iter().filter_map(|setting| flag(&matches, setting)).collect() })
    }
}

/// The value of a flag. Of a repeated one all values, apart by spaces as in its variable.
fn flag(matches: &ArgMatches, setting: &'static Setting) -> Option<(&'static Setting, String)> {
    setting.flag?;
    let values: Vec<_> = matches.get_many::<String>(setting.key)?.map(String::as_str).collect();
    Some((setting, values.join(" ")))
}

/// The command line as clap sees it.
fn definition() -> clap::Command {
    clap::Command::new("pmesh")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A reverse proxy that answers only clients who know a name it serves. Without a command it serves.")
        .after_help(AFTER_HELP)
        .max_term_width(120)
        .args(SETTINGS.iter().filter_map(argument))
        .subcommand(clap::Command::new("demo").about("Serves an embedded backend, for a first look"))
        .subcommand(clap::Command::new("check").about("Validates the settings and says what would be served"))
        .subcommand(
            clap::Command::new("explain")
                .about("Shows the value of each setting and where it was set")
                .arg(Arg::new(EXPLAINED).value_name("KEY").help("Only this setting, and what it is for")),
        )
        .subcommand(clap::Command::new("ca").about("Prints the public part of the local authority, for curl --cacert"))
}

fn argument(setting: &'static Setting) -> Option<Arg> {
    let argument = Arg::new(setting.key)
        .long(setting.flag?)
        .value_name(setting.kind.value_name())
        .help(help(setting))
        .help_heading(setting.group)
        .global(true);
    Some(match (setting.key, setting.kind) {
        ("internal", _) => argument.alias("internal-port"),
        // An equals sign is required, or `pmesh --access-log check` would take the command for the value.
        (_, Kind::Switch) => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        (_, Kind::Routes | Kind::Peers) => argument.action(ArgAction::Append),
        _ => argument,
    })
}

fn help(setting: &Setting) -> String {
    let variable = setting.variable.map(|name| format!(" [env: {name}]")).unwrap_or_default();
    format!("{}{variable} [default: {}]", setting.help, setting.default.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse([&["pmesh"], arguments].concat()).map_err(|error| error.to_string())
    }

    fn flags(arguments: &[&str]) -> Vec<(&'static str, String)> {
        let arguments = parse(arguments).expect("valid");
        arguments.flags.into_iter().map(|(setting, text)| (setting.key, text)).collect()
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn commands() {
        for (arguments, expected) in [
            (&[][..], Command::Serve),
            (&["demo"], Command::Demo),
            (&["check"], Command::Check),
            (&["explain"], Command::Explain { key: None }),
            (&["explain", "http"], Command::Explain { key: Some("http".into()) }),
            (&["ca"], Command::Authority),
        ] {
            assert_eq!(parse(arguments).expect("valid").command, expected);
        }
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        for arguments in [&["demo", "--http", "0"][..], &["--http", "0", "demo"], &["--http=0"]] {
            assert_eq!(flags(arguments), [("http", "0".to_owned())], "{arguments:?}");
        }
        assert_eq!(flags(&["--internal-port", "1"]), [("internal", "1".to_owned())]);
        assert_eq!(flags(&["--route", "a=b:1", "--route", "c=d:1"]), [("routes", "a=b:1 c=d:1".to_owned())]);
    }

    #[test]
    fn a_switch_needs_no_value() {
        assert_eq!(flags(&["--access-log", "check"]), [("access_log", "true".to_owned())]);
        assert_eq!(flags(&["--access-log=off", "check"]), [("access_log", "off".to_owned())]);
    }

    #[test]
    fn a_slip_is_met_with_a_suggestion() {
        let error = parse(&["--htps", "1"]).expect_err("unknown");
        assert!(error.contains("unexpected argument '--htps'") && error.contains("'--https'"), "{error}");
    }
}
