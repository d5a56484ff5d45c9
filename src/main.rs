//! Parses the arguments, loads the settings and runs the command. The only place that exits.

mod allocator;

use std::{
    env, fmt,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use pmesh::{
    cli::{Arguments, Command, ServicesCommand},
    commands::{self, Unreachable},
    config::{Defaults, Source, schema},
    demo,
    secret::{CONTEXT, Secrets},
    server::{check::check, descriptors::MORE_FILES, reload::Configuration, run::run},
    services::keeper,
    settings::{Loaded, SecretSource, Settings, explain},
    telemetry::logging,
};
use pmesh_layers::{causes::texts, identity::Authority};
use tower::BoxError;

/// Exit status if a node cannot be reached.
const UNREACHABLE: u8 = 1;
/// Exit status for a bad flag, variable, setting, file or port.
const BAD_SETUP: u8 = 2;

fn main() -> ExitCode {
    allocator::disable_huge_pages();
    allocator::return_memory_soon();
    if env::args_os().nth(1).is_some_and(|argument| argument == keeper::ARGUMENT) {
        return keeper::run();
    }
    let arguments = match Arguments::parse(env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&texts(&*error).join("\n  caused by: "));
            if lacks_descriptors(&*error) {
                complain(&MORE_FILES);
            }
            ExitCode::from(if error.is::<Unreachable>() { UNREACHABLE } else { BAD_SETUP })
        }
    }
}

fn execute(Arguments { command, flags }: Arguments) -> Result<(), BoxError> {
    let defaults = if command == Command::Demo { Defaults::demo() } else { Defaults::program() };
    let source = Source::new(flags, env::vars_os(), defaults);
    match &command {
        Command::Serve => {
            let loaded = source.load()?;
            let _log = logging::init(&loaded.settings);
            log_sources(&loaded);
            run(Configuration::new(source), loaded)
        }
        Command::Demo => {
            let loaded = source.load()?;
            let _log = logging::init(&loaded.settings);
            log_sources(&loaded);
            demo::run(source)
        }
        Command::Check { json } => {
            let checked = checked(&source, *json);
            if let (Err(error), true) = (&checked, *json) {
                show(&commands::failed_check(&**error)?)?;
            }
            show(&checked?)
        }
        Command::ExplainUrl { question, live: true, json } => {
            show(&commands::explain_live(&source.load_for_command()?, question, *json)?)
        }
        Command::ExplainUrl { question, live: false, json } => {
            show(&commands::explain_from_settings(&source.load()?, question, *json)?)
        }
        Command::Explain { key } => show(&explain(&source.load()?, key.as_deref())?),
        Command::Schema => show(&schema()),
        Command::HashPassword => show(&commands::hash_password()?),
        Command::Authority { next } => show(&authority(&source.load_for_command()?, *next)?),
        Command::Status(query) => {
            show(&commands::status(&source.load_for_command()?, query.node.as_ref(), query.json)?)
        }
        Command::Peers(query) => show(&commands::peers(&source.load_for_command()?, query.node.as_ref(), query.json)?),
        Command::Upstreams { json } => show(&commands::upstreams(&source.load_for_command()?, *json)?),
        Command::Routes { json } => show(&commands::routes(&source.load_for_command()?, *json)?),
        Command::Services(ServicesCommand::Show { name, json }) => {
            show_or_failure(commands::services(&source.load_for_command()?, name.as_deref(), *json), *json)
        }
        Command::Services(ServicesCommand::Logs(query)) => {
            let is_colored = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            commands::service_logs(&source.load_for_command()?, query, &mut io::stdout().lock(), is_colored)
        }
        Command::Services(ServicesCommand::Act { action, name, json }) => {
            show_or_failure(commands::act_on_service(&source.load_for_command()?, *action, name, *json), *json)
        }
        Command::Reload { json } => show_or_failure(commands::reload(&source.load_for_command()?, *json), *json),
        Command::Secret(command) => show(&commands::secret(&source.load_for_command()?, command)?),
    }
}

/// Returns what would be served. Warnings are part of the JSON; in text mode they go to standard error.
fn checked(source: &Source, json: bool) -> Result<String, BoxError> {
    let loaded = source.load()?;
    let doubts = loaded.doubts.iter().map(ToString::to_string);
    let doubts: Vec<_> = doubts.chain(check(&loaded.settings)?).collect();
    if !json {
        doubts.iter().for_each(|doubt| complain(&format_args!("warning: {doubt}")));
    }
    commands::check(&loaded, doubts, json)
}

/// Logs which file was read, and warnings about the settings.
fn log_sources(loaded: &Loaded) {
    tracing::info!("{}", loaded.file_line());
    for doubt in &loaded.doubts {
        tracing::warn!("{doubt}");
    }
}

fn authority(settings: &Settings, next: bool) -> Result<String, BoxError> {
    if let SecretSource::Home(path) = &settings.secret
        && !path.exists()
    {
        complain(&format_args!("no secret in {} yet: creating one", settings.home.display()));
    }
    let secrets = Secrets::load_or_make(&settings.secret, &settings.home)?;
    if next && secrets.old_one().is_none() {
        return Err(
            "there is no next authority, because the secret is not being rotated; see `pmesh secret rotate`".into()
        );
    }
    let secret = if next { secrets.new_one() } else { secrets.public() };
    Ok(Authority::derive(secret, CONTEXT)?.certificate_pem())
}

fn lacks_descriptors(error: &(dyn std::error::Error + 'static)) -> bool {
    let errno = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    errno == Some(nix::errno::Errno::EMFILE as i32) || error.source().is_some_and(lacks_descriptors)
}

/// Writes what the node answered to standard output; in JSON also why it could not do what was requested.
fn show_or_failure(answer: Result<String, BoxError>, json: bool) -> Result<(), BoxError> {
    if let (Err(error), true) = (&answer, json)
        && let Some(report) = commands::failure_as_json(&**error)?
    {
        show(&report)?;
    }
    show(&answer?)
}

/// Writes to standard output. Its reader may have closed it, as in `pmesh explain | head`; that is not an error.
fn show(text: &str) -> Result<(), BoxError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes to standard error. `eprintln!` would panic if that fails: a full disk, a pipe without a reader.
fn complain(text: &dyn fmt::Display) {
    let _ = writeln!(io::stderr(), "pmesh: {text}");
}
