//! Loads settings from their sources.

use std::path::PathBuf;

use super::{Inherited, Settings, check, route::inherited, service, summary::LISTED};
use crate::config::{Error, Merged, Problem, Raw, Source, Watched};

/// The settings, and where each of them came from.
#[derive(Debug)]
pub struct Loaded {
    /// The validated settings.
    pub settings: Settings,
    /// The main file, if there is one.
    pub file: Option<PathBuf>,
    /// The files that the main file includes.
    pub included: Vec<PathBuf>,
    /// The files with variables of services.
    pub env_files: Vec<PathBuf>,
    /// The files to watch for changes: the files that were read, or else the paths that were tried.
    pub watched: Watched,
    /// Warnings. The program starts in spite of them.
    pub doubts: Vec<Problem>,
    looked_for: Vec<PathBuf>,
    pub(super) merged: Merged,
}

impl Source {
    /// Reads the files, merges all sources and validates the result.
    ///
    /// ```
    /// use pmesh::{cli::Arguments, config};
    ///
    /// let arguments = Arguments::parse(["pmesh", "--http", "8080", "--route", "example.com=127.0.0.1:9001"])?;
    /// let environment = [("PMESH_HTTPS".into(), "off".into()), ("HOME".into(), "/root".into())];
    /// let loaded = config::Source::new(arguments.flags, environment, config::Defaults::none()).load()?;
    /// assert_eq!(loaded.settings.routes[0].to_string(), "example.com/ -> 127.0.0.1:9001");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Reports every unknown key, invalid value and unreadable file, not only the first one.
    pub fn load(&self) -> Result<Loaded, Error> {
        let Raw { merged, secret, file, included, mut watched, looked_for, doubts, mut problems } = self.read()?;
        let env_files = service::env_files(&merged);
        watched.add(&env_files);
        let settings = Settings::read(&merged, secret, &mut problems);
        check::all(&settings, &merged, &mut problems);
        if problems.is_empty() {
            Ok(Loaded { settings, file, included, env_files, watched, doubts, looked_for, merged })
        } else {
            Err(problems.into())
        }
    }
}

/// The settings that commands need to find the running node and its secret.
const FOR_COMMANDS: &[&str] = &["home", "admin", "secret_file", "node", "mesh_ca", "mesh_cert", "mesh_key"];

impl Source {
    /// Loads the settings that commands need to ask the running node. All other settings in the file are ignored: the
    /// node may run with an older version of the file, and the current one may be invalid.
    ///
    /// # Errors
    ///
    /// Fails like [`load`](Self::load), but does not check the ignored settings. A file that cannot be read is ignored,
    /// too.
    pub fn load_for_command(&self) -> Result<Settings, Error> {
        let Raw { merged, secret, mut problems, .. } = self.read_only(FOR_COMMANDS)?;
        let settings = Settings::read(&merged, secret, &mut problems);
        if problems.is_empty() { Ok(settings) } else { Err(problems.into()) }
    }
}

impl Loaded {
    /// The files that were read, or the paths that were tried, as a line in the style of the [summary](super::summary).
    pub fn file_line(&self) -> String {
        match (&self.file, self.looked_for.as_slice()) {
            (Some(file), _) => {
                format!("config    {}{}", file.display(), and_included(self.included.len()))
            }
            (None, []) => "config    none".to_owned(),
            (None, paths) => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                format!("config    none, looked for {}", paths.join(" and "))
            }
        }
    }

    /// The files that were read, one per line, or the paths that were tried.
    pub fn file_lines(&self) -> String {
        let Some(file) = &self.file else { return self.file_line() };
        let mut lines = format!("config    {}", file.display());
        for file in self.included.iter().take(LISTED) {
            lines += &format!("\ninclude   {}", file.display());
        }
        match self.included.len().saturating_sub(LISTED) {
            0 => {}
            more => lines += &format!("\nand {more} more"),
        }
        lines
    }

    /// The files that were read, or the paths that were tried.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.file {
            Some(file) => [file].into_iter().chain(&self.included).chain(&self.env_files).cloned().collect(),
            None => self.looked_for.clone(),
        }
    }

    /// What each route inherits, and from where, in the order of [`Settings::routes`].
    pub fn inherited(&self) -> Vec<Vec<Inherited>> {
        inherited(&self.merged)
    }

    /// Returns only the settings. This frees the merged sources, which take more memory than the settings.
    pub fn into_settings(self) -> Settings {
        self.settings
    }
}

/// The number of included files in words, to append to the name of the main file.
pub fn and_included(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " and 1 included file".to_owned(),
        _ => format!(" and {count} included files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Defaults, SETTINGS},
        settings::Admin,
    };

    #[test]
    fn without_a_user_home_a_home_or_secret_must_be_set() {
        let load = |flag: Option<(&str, &str)>, secret: Option<&str>| {
            let setting = |key| SETTINGS.iter().find(|setting| setting.key == key).expect("a setting");
            let flags = flag.map(|(key, text)| (setting(key), text.to_owned()));
            Source::without_home(flags.into_iter().collect(), secret.map(str::to_owned), Defaults::none()).load()
        };
        assert_eq!(
            load(None, None).expect_err("no home").to_string(),
            "home: ~ in the default ~/.pmesh cannot be expanded, because HOME is not set: set PMESH_HOME or --home"
        );
        assert!(load(Some(("home", "/var/lib/pmesh")), None).is_ok());
        assert!(load(Some(("secret_file", "/run/secrets/pmesh")), None).is_ok());
        let settings = load(None, Some("7")).expect("a secret without a home").settings;
        assert_eq!(settings.admin, Admin::Off);
        assert_eq!(
            load(Some(("admin", "unix")), Some("7")).expect_err("no home").to_string(),
            "--admin: there is no home folder for the socket: set PMESH_HOME or --home, or write unix:PATH"
        );
        let error = crate::secret::prepare_home(&settings.home).expect_err("no home");
        assert!(error.to_string().contains("HOME is not set"), "{error}");
    }
}
