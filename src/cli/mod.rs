//! The command line.

mod services;
mod switch;
mod tips;

use std::{ffi::OsString, net::IpAddr, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use pmesh_layers::identity::NodeName;

pub use self::services::{LogsQuery, ServicesCommand};
use self::switch::{JSON, json, switch};
use crate::{
    config::{Fallback, Kind, SETTINGS, Setting},
    explain::{Question, is_url},
};

const EXPLAINED: &str = "explained";
const METHOD: &str = "method";
const HEADER: &str = "header";
const FROM: &str = "from";
const SNI: &str = "sni";
const LIVE: &str = "live";
const NEXT: &str = "next";
const FILE: &str = "file";
const FORCE: &str = "force";
const SET: &str = "set";
const FINISH: &str = "finish";
/// Also the key of a setting.
const NODE: &str = "node";
const STATUS: &str = "status";
const PEERS: &str = "peers";

const AFTER_HELP: &str = "\
Flags win over the environment, the environment over the file, the file over the defaults.
Durations have a unit: 10s, 500ms, 1m 30s. `pmesh explain` shows each setting and where it was set.";

const AFTER_DEMO: &str = "\
If only one of --http and --https is given, the demo does not open the other port.";

const AFTER_EXPLAIN: &str = "\
For a URL, nothing is sent. The exit code is 0 if the request could be explained, whatever its answer is.";

const AFTER_RELOAD: &str = "\
The node keeps the flags and variables that it was started with. If anything is wrong, nothing changes: the \
error is printed, and the exit code is 1.";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve: `pmesh` alone.
    Serve,
    /// Serve an embedded backend, for a first look.
    Demo,
    /// Validate the settings and print what would be served.
    Check {
        /// Print JSON instead of text.
        json: bool,
    },
    /// Print settings and their sources.
    Explain {
        /// Only this setting.
        key: Option<String>,
    },
    /// Print what happens to a request, and why.
    ExplainUrl {
        /// The request.
        question: Question,
        /// Ask the running node instead of reading the settings.
        live: bool,
        /// Print JSON instead of text.
        json: bool,
    },
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Print the hash of a password.
    HashPassword,
    /// Print the certificate of the local authority.
    Authority {
        /// Print the certificate for the new secret, during a rotation.
        next: bool,
    },
    /// Print the state of a node.
    Status(NodeQuery),
    /// Print the nodes that a node knows.
    Peers(NodeQuery),
    /// Print the endpoints that the running node sends requests to, and their state.
    Upstreams {
        /// Print JSON instead of a table.
        json: bool,
    },
    /// Print what the running node serves.
    Routes {
        /// Print JSON instead of a table.
        json: bool,
    },
    /// Show or control the services of the running node.
    Services(ServicesCommand),
    /// Reload the configuration of the running node.
    Reload {
        /// Print JSON instead of text.
        json: bool,
    },
    /// Show or change the secret.
    Secret(SecretCommand),
}

/// Which node to ask, and how to print its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeQuery {
    /// The name of another node; `None`: the node that runs in this home.
    pub node: Option<NodeName>,
    /// Print JSON instead of a table.
    pub json: bool,
}

/// What to do with the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretCommand {
    /// Print it.
    Show,
    /// Print its fingerprints, which do not reveal it.
    Fingerprint,
    /// Store a given secret.
    Set {
        /// The file to read it from; `None` or `-` means standard input.
        file: Option<PathBuf>,
        /// Replace an existing secret.
        force: bool,
    },
    /// Start using a new secret, next to the old one.
    Rotate {
        /// The file with the new secret, `-` for standard input; `None`: create one.
        given: Option<PathBuf>,
    },
    /// Drop the old secret.
    Finish,
}

/// The arguments of the program: a command, and settings as text.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// What to do.
    pub command: Command,
    /// Settings, not yet validated.
    pub flags: Vec<(&'static Setting, String)>,
}

impl Arguments {
    /// Parses the arguments of a process. The first one is its name.
    ///
    /// # Errors
    ///
    /// A usage error, or the text of `--help` or `--version`. For both, call [`clap::Error::exit`]: it prints the text and
    /// exits with code 2 or 0.
    pub fn parse<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> Result<Self, clap::Error> {
        let matches = definition().try_get_matches_from(arguments).map_err(tips::with_tip)?;
        let mut flags: Vec<_> = SETTINGS.iter().filter_map(|setting| flag(&matches, setting)).collect();
        if matches!(matches.subcommand_name(), Some(STATUS | PEERS)) {
            // For these commands, --node names the node to ask. It does not set the name of this one.
            flags.retain(|(setting, _)| setting.key != NODE);
        }
        let command = match matches.subcommand() {
            Some(("demo", _)) => Command::Demo,
            Some(("check", matches)) => Command::Check { json: matches.get_flag(JSON) },
            Some(("explain", matches)) => explain(matches),
            Some(("schema", _)) => Command::Schema,
            Some(("hash-password", _)) => Command::HashPassword,
            Some(("ca", matches)) => Command::Authority { next: matches.get_flag(NEXT) },
            Some((STATUS, matches)) => Command::Status(node_query(matches)),
            Some((PEERS, matches)) => Command::Peers(node_query(matches)),
            Some(("upstreams", matches)) => Command::Upstreams { json: matches.get_flag(JSON) },
            Some(("routes", matches)) => Command::Routes { json: matches.get_flag(JSON) },
            Some((services::SERVICES, matches)) => Command::Services(services::command(matches)),
            Some(("reload", matches)) => Command::Reload { json: matches.get_flag(JSON) },
            Some(("secret", matches)) => Command::Secret(secret(matches)),
            _ => Command::Serve,
        };
        Ok(Self { command, flags })
    }
}

fn node_query(matches: &ArgMatches) -> NodeQuery {
    let node = matches.get_one::<String>(NODE).and_then(|name| name.parse().ok());
    NodeQuery { node, json: matches.get_flag(JSON) }
}

fn explain(matches: &ArgMatches) -> Command {
    let explained = matches.get_one::<String>(EXPLAINED).cloned();
    let text = |id| matches.get_one::<String>(id).cloned();
    let is_about_request = [METHOD, HEADER, FROM, SNI].into_iter().any(|id| matches.contains_id(id))
        || [LIVE, JSON].into_iter().any(|id| matches.get_flag(id));
    match explained {
        Some(url) if is_about_request || is_url(&url) => Command::ExplainUrl {
            question: Question {
                url,
                method: text(METHOD),
                headers: matches.get_many(HEADER).into_iter().flatten().cloned().collect(),
                from: matches.get_one(FROM).copied(),
                sni: text(SNI),
            },
            live: matches.get_flag(LIVE),
            json: matches.get_flag(JSON),
        },
        key => Command::Explain { key },
    }
}

fn secret(matches: &ArgMatches) -> SecretCommand {
    match matches.subcommand() {
        Some(("fingerprint", _)) => SecretCommand::Fingerprint,
        Some(("set", matches)) => {
            SecretCommand::Set { file: matches.get_one(FILE).cloned(), force: matches.get_flag(FORCE) }
        }
        Some(("rotate", matches)) if matches.get_flag(FINISH) => SecretCommand::Finish,
        Some(("rotate", matches)) => SecretCommand::Rotate { given: matches.get_one(SET).cloned() },
        _ => SecretCommand::Show,
    }
}

/// The value of a flag; the values of a repeated flag are joined with spaces, as in its variable.
fn flag(matches: &ArgMatches, setting: &'static Setting) -> Option<(&'static Setting, String)> {
    setting.flag?;
    let values: Vec<_> = matches.get_many::<String>(setting.key)?.map(String::as_str).collect();
    Some((setting, values.join(" ")))
}

/// The command line as clap sees it.
fn definition() -> clap::Command {
    clap::Command::new("pmesh")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A reverse proxy that answers only clients that know a name it serves. Run it without a command to serve.")
        .after_help(AFTER_HELP)
        .max_term_width(120)
        .args(SETTINGS.iter().filter_map(|setting| argument(setting, setting.default)))
        .subcommand(
            clap::Command::new("demo")
                .about("Serves a built-in backend, for a first look")
                .after_help(AFTER_DEMO)
                .args(SETTINGS.iter().filter_map(|setting| argument(setting, setting.demo?))),
        )
        .subcommand(clap::Command::new("check").about("Validates the settings and prints what would be served: the routes in matching order, with inherited settings").arg(json()))
        .subcommand(explain_definition())
        .subcommand(
            clap::Command::new("schema")
                .about("Prints a JSON Schema of the configuration file, so that editors can complete and check it"),
        )
        .subcommand(
            clap::Command::new("ca")
                .about("Prints the certificate of the local authority, for curl --cacert")
                .arg(switch(NEXT, "Prints the certificate that will replace it once the secret has been rotated")),
        )
        .subcommand(secret_definition())
        .subcommand(
            clap::Command::new("hash-password")
                .about("Prints the hash of a password, for basic_auth; reads it from the terminal, or from standard input"),
        )
        .subcommand(asking(STATUS, "Prints the state of the running node"))
        .subcommand(asking(PEERS, "Prints the other nodes that the running node knows, and their state"))
        .subcommand(
            clap::Command::new("upstreams")
                .about("Prints the endpoints that the running node sends requests to, and their state")
                .arg(json()),
        )
        .subcommand(clap::Command::new("routes").about("Prints the routes of the running node").arg(json()))
        .subcommand(services::definition())
        .subcommand(
            clap::Command::new("reload")
                .about("Reloads the configuration of the running node, and prints what changed")
                .after_help(AFTER_RELOAD)
                .arg(json()),
        )
}

fn explain_definition() -> clap::Command {
    let about_request = |id: &'static str, value: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(value).help(help).requires(EXPLAINED)
    };
    let explained =
        "Prints only this setting, with its description; or what happens to a request for this URL, and why";
    let from = about_request(FROM, "IP", "Address of the client");
    clap::Command::new("explain")
        .about("Prints the value of each setting and where it was set; or which route a URL takes, and why")
        .after_help(AFTER_EXPLAIN)
        .arg(Arg::new(EXPLAINED).value_name("KEY | URL").help(explained))
        .arg(about_request(METHOD, "METHOD", "Method of the request [default: GET]"))
        .arg(about_request(HEADER, "NAME: VALUE", "A header of the request; can be repeated").action(ArgAction::Append))
        .arg(from.value_parser(value_parser!(IpAddr)))
        .arg(about_request(SNI, "NAME", "Name in the TLS handshake, if it is not the host of the URL"))
        .arg(switch(LIVE, "Asks the running node instead of reading the settings").requires(EXPLAINED))
        .arg(json().requires(EXPLAINED))
}

/// A command that asks the running node, or through it another one.
fn asking(name: &'static str, about: &'static str) -> clap::Command {
    // Replaces the global flag of the same name, which sets the name of this node.
    let node =
        Arg::new(NODE).long(NODE).value_name("NAME").help("Asks this node instead; the running node must know it");
    let node = node.value_parser(|text: &str| text.parse::<NodeName>().map(|name| name.to_string()));
    clap::Command::new(name).about(about).arg(node).arg(json())
}

fn secret_definition() -> clap::Command {
    let file = |id: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
    };
    let set = "Reads the new secret from this file, or from standard input if it is -, instead of creating one";
    clap::Command::new("secret")
        .about("Shows or changes the secret that all nodes share")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(clap::Command::new("show").about("Prints the secret; treat the output like a private key"))
        .subcommand(clap::Command::new("fingerprint").about("Prints a fingerprint that does not reveal the secret"))
        .subcommand(
            clap::Command::new("set")
                .about("Reads a secret of 64 hexadecimal digits from standard input, and stores it in the home folder")
                .arg(file(FILE, "Reads the secret from this file instead"))
                .arg(switch(FORCE, "Replaces an existing secret")),
        )
        .subcommand(
            clap::Command::new("rotate")
                .about("Starts using a new secret; the old one is still accepted until --finish")
                .arg(file(SET, set))
                .arg(switch(FINISH, "Drops the old secret").conflicts_with(SET)),
        )
}

fn argument(setting: &'static Setting, default: Fallback) -> Option<Arg> {
    let argument = Arg::new(setting.key)
        .long(setting.flag?)
        .value_name(setting.kind.value_name())
        .help(help(setting, default))
        .help_heading(setting.group)
        .global(true);
    Some(match (setting.key, setting.kind) {
        ("internal", _) => argument.alias("internal-port"),
        // An equals sign is required: otherwise, `pmesh --access-log check` would treat the command as the value.
        (_, Kind::Switch) => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        (_, Kind::Routes | Kind::Peers) => argument.action(ArgAction::Append),
        _ => argument,
    })
}

fn help(setting: &Setting, default: Fallback) -> String {
    let variable = setting.variable.map(|name| format!(" [env: {name}]")).unwrap_or_default();
    format!("{}{variable} [default: {}]", setting.help, default.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ServiceAction;

    fn parse(arguments: &[&str]) -> Result<Arguments, String> {
        Arguments::parse([&["pmesh"], arguments].concat()).map_err(|error| error.to_string())
    }

    fn flags(arguments: &[&str]) -> Vec<(&'static str, String)> {
        let arguments = parse(arguments).expect("valid");
        arguments.flags.into_iter().map(|(setting, text)| (setting.key, text)).collect()
    }

    #[test]
    fn clap_accepts_the_definition() {
        definition().debug_assert();
    }

    #[test]
    fn local_commands_are_listed_before_those_that_ask_a_node() {
        let definition = definition();
        let names: Vec<_> = definition.get_subcommands().map(clap::Command::get_name).collect();
        let expected =
            "demo check explain schema ca secret hash-password status peers upstreams routes services reload";
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn the_demo_shows_its_own_defaults() {
        let text = |arguments| parse(arguments).expect_err("help").replace("\n", " ");
        let (help, help_of_demo) = (text(&["--help"]), text(&["demo", "--help"]));
        for (usual, of_demo) in [("80", "8080"), ("443", "8443"), ("0.0.0.0", "127.0.0.1")] {
            let [usual, of_demo] = [usual, of_demo].map(|default| format!("[default: {default}]"));
            assert!(help.contains(&usual) && help_of_demo.contains(&of_demo), "{help_of_demo}");
            assert!(!help_of_demo.contains(&usual), "{help_of_demo}");
        }
    }

    fn explained(url: &str, live: bool, json: bool) -> Command {
        Command::ExplainUrl { question: Question { url: url.to_owned(), ..Question::default() }, live, json }
    }

    fn show(name: Option<&str>, json: bool) -> Command {
        Command::Services(ServicesCommand::Show { name: name.map(str::to_owned), json })
    }

    fn logs(name: Option<&str>, lines: usize, follow: bool, json: bool) -> Command {
        Command::Services(ServicesCommand::Logs(LogsQuery { name: name.map(str::to_owned), lines, follow, json }))
    }

    fn act(action: ServiceAction, json: bool) -> Command {
        Command::Services(ServicesCommand::Act { action, name: "web".to_owned(), json })
    }

    #[test]
    fn a_request_to_explain_can_have_a_method_headers_and_an_address() {
        let arguments = "explain http://a/ --method POST --header a:1 --from ::1 --header b:2 --sni b";
        let arguments: Vec<_> = arguments.split(' ').collect();
        let expected = Question {
            url: "http://a/".into(),
            method: Some("POST".into()),
            headers: vec!["a:1".into(), "b:2".into()],
            from: "::1".parse().ok(),
            sni: Some("b".into()),
        };
        let Command::ExplainUrl { question, .. } = parse(&arguments).expect("valid").command else { panic!() };
        assert_eq!(question, expected);
        for arguments in [&["explain", "--live"][..], &["explain", "--json"], &["explain", "http://a/", "--from", "a"]]
        {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn arguments_become_commands() {
        for (arguments, expected) in [
            (&[][..], Command::Serve),
            (&["demo"], Command::Demo),
            (&["check"], Command::Check { json: false }),
            (&["explain"], Command::Explain { key: None }),
            (&["explain", "http"], Command::Explain { key: Some("http".into()) }),
            (&["explain", "https://a.test/x", "--live"], explained("https://a.test/x", true, false)),
            (&["explain", "a.test/x", "--json"], explained("a.test/x", false, true)),
            (&["schema"], Command::Schema),
            (&["ca"], Command::Authority { next: false }),
            (&["ca", "--next"], Command::Authority { next: true }),
            (&["status"], Command::Status(NodeQuery { node: None, json: false })),
            (&["peers", "--json", "--node", "B"], Command::Peers(NodeQuery { node: "b".parse().ok(), json: true })),
            (&["upstreams", "--json"], Command::Upstreams { json: true }),
            (&["routes"], Command::Routes { json: false }),
            (&["services"], show(None, false)),
            (&["services", "web", "--json"], show(Some("web"), true)),
            (&["services", "logs"], logs(None, 100, false, false)),
            (&["services", "logs", "web/1", "-f", "-n", "5", "--json"], logs(Some("web/1"), 5, true, true)),
            (&["services", "stop", "web"], act(ServiceAction::Stop, false)),
            (&["services", "restart", "web", "--json"], act(ServiceAction::Restart, true)),
            (&["reload"], Command::Reload { json: false }),
            (&["hash-password"], Command::HashPassword),
            (&["secret", "show"], Command::Secret(SecretCommand::Show)),
            (&["secret", "fingerprint"], Command::Secret(SecretCommand::Fingerprint)),
            (&["secret", "set", "--force"], Command::Secret(SecretCommand::Set { file: None, force: true })),
            (&["secret", "rotate"], Command::Secret(SecretCommand::Rotate { given: None })),
            (&["secret", "rotate", "--set", "-"], Command::Secret(SecretCommand::Rotate { given: Some("-".into()) })),
            (&["secret", "rotate", "--finish"], Command::Secret(SecretCommand::Finish)),
        ] {
            assert_eq!(parse(arguments).expect("valid").command, expected);
        }
    }

    #[test]
    fn flags_can_be_before_or_after_the_command() {
        for arguments in [&["demo", "--http", "0"][..], &["--http", "0", "demo"], &["--http=0"]] {
            assert_eq!(flags(arguments), [("http", "0".to_owned())], "{arguments:?}");
        }
        assert_eq!(flags(&["--internal-port", "1"]), [("internal", "1".to_owned())]);
        assert_eq!(flags(&["--route", "a=b:1", "--route", "c=d:1"]), [("routes", "a=b:1 c=d:1".to_owned())]);
    }

    #[test]
    fn node_names_the_node_to_ask_for_status_and_peers() {
        assert_eq!(flags(&["status", "--node", "b"]), []);
        assert_eq!(flags(&["--node", "b", "check"]), [("node", "b".to_owned())]);
        let error = parse(&["peers", "--node", "b.c"]).expect_err("no name");
        assert!(error.contains("b.c"), "{error}");
        assert!(parse(&["secret"]).is_err() && parse(&["secret", "rotate", "--finish", "--set", "-"]).is_err());
    }

    #[test]
    fn a_switch_needs_no_value() {
        assert_eq!(flags(&["--access-log", "check"]), [("access_log", "true".to_owned())]);
        assert_eq!(flags(&["--access-log=off", "check"]), [("access_log", "off".to_owned())]);
    }

    #[test]
    fn typos_and_foreign_names_get_a_tip() {
        for (arguments, expected) in [
            (&["--htps", "1"][..], "a similar argument exists: '--https'"),
            (&["--port", "80"], "a similar argument exists: '--http'"),
            (&["--listen=:80"], "a similar argument exists: '--http'"),
            (&["--body-timeout", "5s"], "--body-timeout is now called --stall-timeout"),
            (&["demo", "--tunnel-timeout=5s"], "--tunnel-timeout is now called --stream-timeout"),
            (&["-c", "x.toml"], "a similar argument exists: '--config'"),
            (&["explian"], "a similar subcommand exists: 'explain'"),
            (&["serve"], "to serve, run `pmesh` without a command"),
            (&["proxy.toml"], "to use a configuration file, write --config proxy.toml"),
            (&["logs"], "to see the output of services, run `pmesh services logs`"),
            (&["ps"], "to see the services, run `pmesh services`"),
            (&["restart", "web"], "to restart a service, run `pmesh services restart NAME`"),
            (
                &["start"],
                "to serve, run `pmesh` without a command; to start a service, run `pmesh services start NAME`",
            ),
            (&["validate"], "to validate the settings, run `pmesh check`"),
            (&["--route", "a.test", "127.0.0.1:80"], "write a route as one word: --route app.example.com=127.0.0.1:80"),
        ] {
            let error = parse(arguments).expect_err("invalid");
            assert!(error.contains(&format!("tip: {expected}\n")), "{arguments:?}: {error}");
            assert_eq!(error.matches("tip: ").count(), 1, "{error}");
        }
    }
}
