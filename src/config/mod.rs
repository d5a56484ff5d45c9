//! Where settings come from: one table of all settings, four sources, one merge.
//!
//! Flags win over the environment, the environment over the file, the file over the defaults. A list of a stronger
//! source replaces that of a weaker one as a whole. Values keep the place they were written at until
//! [`Settings`] are read from them, so that a bad one is reported there: as a flag, as a
//! variable, or as a line of the file. Values are taken one by one rather than through one serde struct, because
//! serde stops at the first problem and a person wants to hear of all of them.
//!
//! ```
//! use pmesh::{cli::Arguments, config};
//!
//! let arguments = Arguments::parse(["pmesh", "--http", "8080", "--route", "example.com=127.0.0.1:9001"])?;
//! let environment = [("PMESH_HTTPS".into(), "off".into()), ("HOME".into(), "/root".into())];
//! let loaded = config::load(&arguments, environment, &config::Defaults::none())?;
//! assert_eq!(loaded.settings.routes[0].to_string(), "example.com/ -> 127.0.0.1:9001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod environment;
mod error;
mod explain;
mod file;
mod host;
mod kind;
mod merged;
mod parse;
mod path;
mod size;
mod suggest;
mod table;
mod texts;
mod toml;

use std::{ffi::OsString, path::PathBuf};

use figment::Figment;

use self::{
    environment::Environment,
    file::ConfigFile,
    texts::{Rank, Texts},
};
pub(crate) use self::{
    error::Problems,
    file::misplaced,
    merged::{Merged, Node},
    parse::{Parse, Reason, TimeLimit, text},
    size::{Size, SizeLimit},
    suggest::flag_meant_by,
};
pub use self::{
    error::{Error, Problem},
    explain::explain,
    kind::Kind,
    table::{Fallback, SETTINGS, Setting},
};
use crate::{cli::Arguments, settings::Settings};

/// What replaces the program's own defaults, for the demo and for tests.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Keys of [`SETTINGS`] with what would stand in their variable. Weaker than every other source. A key that no
    /// setting has is ignored.
    pub values: Vec<(&'static str, String)>,
    /// The file that is read when the user names none and HOME/config.toml does not exist. `None`: look for no file
    /// at all, not even for HOME/config.toml.
    pub system_file: Option<PathBuf>,
    /// Ports that are alternatives: if the user turns any of them on, those that are not set are off.
    pub alternatives: &'static [&'static str],
}

impl Defaults {
    /// The program's own defaults; files are looked for.
    pub fn program() -> Self {
        Self { system_file: Some("/etc/pmesh/config.toml".into()), ..Self::none() }
    }

    /// The program's own defaults; no file is read unless the user names one.
    pub fn none() -> Self {
        Self { values: Vec::new(), system_file: None, alternatives: &[] }
    }

    /// The defaults of `pmesh demo`: ports that need no privileges, for clients on this machine only. No file is read
    /// unless the user names one, so that the demo opens no other ports and binds no other addresses.
    pub fn demo() -> Self {
        let values = SETTINGS.iter().filter_map(|setting| match setting.demo? {
            Fallback::Value(text) => Some((setting.key, text.to_owned())),
            Fallback::Described(_) => None,
        });
        Self { values: values.collect(), alternatives: &["http", "https"], ..Self::none() }
    }

    /// These defaults with the alternatives off, if the user has turned one of them on.
    fn narrow(&self, merged: &Merged) -> Option<Self> {
        let is_named = |key: &&&str| {
            let node = merged.node(key).filter(|node| !node.is_default());
            node.is_some_and(|node| node.value.as_str().is_none_or(|text| !text.eq_ignore_ascii_case("off")))
        };
        self.alternatives.iter().find(is_named)?;
        let mut narrowed = Self { alternatives: &[], ..self.clone() };
        narrowed.values.extend(self.alternatives.iter().map(|key| (*key, "off".to_owned())));
        Some(narrowed)
    }
}

/// Settings, and where each came from.
#[derive(Debug)]
pub struct Loaded {
    /// What the program runs on.
    pub settings: Settings,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Possible mistakes that do not keep the program from starting.
    pub doubts: Vec<Problem>,
    looked_for: Vec<PathBuf>,
    merged: Merged,
}

impl Loaded {
    /// Which file was read, or which were looked for, as a line of the [summary](crate::settings::summary).
    pub fn file_line(&self) -> String {
        match (&self.file, self.looked_for.as_slice()) {
            (Some(file), _) => format!("config    {}", file.display()),
            (None, []) => "config    none".to_owned(),
            (None, paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                format!("config    none, looked for {}", paths.join(" and "))
            }
        }
    }

    /// The settings alone: what all sources said takes more memory than they do.
    pub fn into_settings(self) -> Settings {
        self.settings
    }
}

/// Merges all sources and validates the result.
///
/// `environment` is what [`std::env::vars_os`] gives. `HOME` is taken from it, to expand `~/`.
///
/// # Errors
///
/// Every unknown key, bad value and unreadable file that was found, not only the first.
pub fn load(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    defaults: &Defaults,
) -> Result<Loaded, Error> {
    let mut problems = Problems::default();
    let environment = Environment::read(environment, &mut problems);
    merge(arguments, environment, defaults, problems)
}

fn merge(
    arguments: &Arguments,
    environment: Environment,
    defaults: &Defaults,
    mut problems: Problems,
) -> Result<Loaded, Error> {
    let home = environment.home.as_deref();
    let variables = Texts::new(Rank::Environment, &environment.values, home);
    let flags = Texts::new(Rank::Flag, &arguments.flags, home);
    let merge_with = |defaults: &Defaults, file: Option<&ConfigFile>| {
        let weakest = Figment::from(Texts::new(Rank::Default, &table::defaults(defaults), home));
        let sources = file.into_iter().fold(weakest, |sources, file| sources.merge(file));
        Merged::new(sources.merge(&variables).merge(&flags))
    };

    let named = merge_with(defaults, None);
    let (file, looked_for) = match ConfigFile::open(&named, defaults.system_file.as_deref(), home) {
        Ok(found) => found,
        // Without the file, the other sources cannot be judged.
        Err(problem) => {
            problems.push(problem);
            return Err(problems.into());
        }
    };
    let mut merged = named;
    if let Some(file) = &file {
        file.report_unknown_keys(&mut problems);
        merged = merge_with(defaults, Some(file));
    }
    if let Some(narrowed) = defaults.narrow(&merged) {
        merged = merge_with(&narrowed, file.as_ref());
    }
    let settings = Settings::read(&merged, environment.secret, &mut problems);
    if problems.is_empty() {
        let mut doubts = environment.doubts;
        doubts.extend(file.as_ref().and_then(|file| replaced_routes(file, &merged)));
        let file = file.map(ConfigFile::into_path);
        Ok(Loaded { settings, file, doubts, looked_for, merged })
    } else {
        Err(problems.into())
    }
}

/// A flag or a variable for one more route replaces those of the file, which may not be meant.
fn replaced_routes(file: &ConfigFile, merged: &Merged) -> Option<Problem> {
    let routes = merged.node("routes").filter(|routes| file.routes() > 0 && !routes.is_from_file())?;
    let count = match file.routes() {
        1 => "the route".to_owned(),
        count => format!("all {count} routes"),
    };
    Some(routes.problem(format!("replaces {count} of the file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Admin;

    #[test]
    fn without_a_user_home_one_must_be_set_unless_the_secret_is_elsewhere() {
        let load = |flags: &[&str], secret: Option<&str>| {
            let arguments = Arguments::parse([&["pmesh"], flags].concat()).expect("valid");
            let secret = secret.map(|text| text.to_owned().into());
            let environment = Environment { secret, ..Environment::default() };
            merge(&arguments, environment, &Defaults::none(), Problems::default())
        };
        assert_eq!(
            load(&[], None).expect_err("no home").to_string(),
            "home: HOME is not set, which ~ in the default, ~/.pmesh, stands for: set PMESH_HOME or --home"
        );
        assert!(load(&["--home", "/var/lib/pmesh"], None).is_ok());
        assert!(load(&["--secret-file", "/run/secrets/pmesh"], None).is_ok());
        let settings = load(&[], Some("7")).expect("a secret without a home").settings;
        assert_eq!(settings.admin, Admin::Off);
        assert_eq!(
            load(&["--admin", "unix"], Some("7")).expect_err("no home").to_string(),
            "--admin: there is no home to put the socket in: set PMESH_HOME or --home, or write unix:PATH"
        );
        let error = crate::secret::prepare_home(&settings.home).expect_err("no home");
        assert!(error.to_string().contains("HOME is not set"), "{error}");
    }
}
