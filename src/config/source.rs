//! All sources of settings. The files are read again on each reload.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use figment::Figment;

use super::{
    Defaults, Error, Merged, Problem, Problems, Secret, Setting, defaults,
    environment::Environment,
    file::ConfigFile,
    files::Files,
    find::find,
    include::Include,
    texts::{Rank, Texts},
    unknown::WhichFile,
    watched::Watched,
};

/// Where settings are read from. Flags and variables stay as they were at startup; files are read again each time.
#[derive(Clone)]
pub struct Source {
    flags: Vec<(&'static Setting, String)>,
    environment: Environment,
    /// Problems with variables.
    problems: Problems,
    defaults: Defaults,
}

/// The merged values of all sources, not yet validated.
pub(crate) struct Raw {
    pub(crate) merged: Merged,
    /// `PMESH_SECRET`. Kept apart, because everything else is merged and shown.
    pub(crate) secret: Option<Secret>,
    /// The main file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The files that the main file includes.
    pub(crate) included: Vec<PathBuf>,
    /// The files to watch for changes.
    pub(crate) watched: Watched,
    /// The files that were looked for, but do not exist.
    pub(crate) looked_for: Vec<PathBuf>,
    /// Warnings.
    pub(crate) doubts: Vec<Problem>,
    /// Errors.
    pub(crate) problems: Problems,
}

impl Source {
    /// `environment` is usually [`std::env::vars_os`]. Its `HOME` is used to expand `~/`.
    pub fn new(
        flags: Vec<(&'static Setting, String)>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        defaults: Defaults,
    ) -> Self {
        let mut problems = Problems::default();
        let environment = Environment::read(environment, &mut problems);
        Self { flags, environment, problems, defaults }
    }

    /// For a user without a home: `HOME` is not set, and the user database is not consulted.
    #[cfg(test)]
    pub(crate) fn without_home(
        flags: Vec<(&'static Setting, String)>,
        secret: Option<String>,
        defaults: Defaults,
    ) -> Self {
        let environment = Environment { secret: secret.map(Secret::from), ..Environment::default() };
        Self { flags, environment, problems: Problems::default(), defaults }
    }

    /// Reads the files and merges all sources.
    pub(crate) fn read(&self) -> Result<Raw, Error> {
        self.read_keys(None)
    }

    /// Reads only `keys` from the main file, or nothing if it is not valid TOML. Ignores included files.
    pub(crate) fn read_only(&self, keys: &[&str]) -> Result<Raw, Error> {
        self.read_keys(Some(keys))
    }

    fn read_keys(&self, keys: Option<&[&str]>) -> Result<Raw, Error> {
        let mut problems = self.problems.clone();
        let Environment { home, secret, values, doubts, .. } = &self.environment;
        let (home, mut doubts) = (home.as_deref(), doubts.clone());
        let variables = Texts::new(Rank::Environment, values, home);
        let flags = Texts::new(Rank::Flag, &self.flags, home);
        let merge_with = |defaults: &Defaults, files: Option<&Arc<Files>>| {
            let weakest = Figment::from(Texts::new(Rank::Default, &defaults::texts(defaults), home));
            let sources = files.into_iter().fold(weakest, |sources, files| sources.merge(&**files));
            Merged::new(sources.merge(&variables).merge(&flags), files.cloned())
        };

        let defaults = &self.defaults;
        let named = merge_with(defaults, None);
        let opened = find(&named, defaults.system_file.as_deref()).and_then(|(found, looked_for)| {
            let file = found.map(|(path, text)| ConfigFile::parse(path, &text)).transpose();
            Ok((if keys.is_some() { file.unwrap_or(None) } else { file? }, looked_for))
        });
        let (file, looked_for) = match opened {
            Ok(opened) => opened,
            // Commands can ask the running node without the file.
            Err(_) if keys.is_some() => (None, Vec::new()),
            // Without the file, the other sources cannot be validated.
            Err(problem) => {
                problems.push(problem);
                return Err(problems.into());
            }
        };
        let (mut merged, mut files, mut include) = (named, None, Include::default());
        if let Some(mut file) = file {
            match keys {
                Some(keys) => file.keep(|setting| keys.contains(&setting.key)),
                None => {
                    file.report_unknown_keys(WhichFile::Main, &mut problems);
                    doubts.extend(file.slipped());
                }
            }
            if !file.resolve(&self.environment, &mut problems) {
                return Err(problems.into());
            }
            include = Include::read_setting(&file, home, &mut problems);
            let mut read = Files::new(file);
            if !include.read_into(&mut read, &self.environment, &mut problems) {
                return Err(problems.into());
            }
            let read = Arc::new(read);
            merged = merge_with(defaults, Some(&read));
            files = Some(read);
        }
        if let Some(narrowed) = defaults.narrow(&merged) {
            merged = merge_with(&narrowed, files.as_ref());
        }
        if keys.is_some() {
            merged = merged.partial();
        }
        doubts.extend(files.as_ref().and_then(|files| replaced_routes(files, &merged)));
        let file = files.as_ref().map(|files| files.main().to_owned());
        let included = files.iter().flat_map(|files| files.included()).map(Path::to_owned).collect();
        let watched = Watched::new(file.clone().map_or(looked_for.clone(), |file| vec![file]), include);
        Ok(Raw { merged, secret: secret.clone(), file, included, watched, looked_for, doubts, problems })
    }
}

impl fmt::Debug for Source {
    /// Flags and variables may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}

/// A flag or a variable replaces all routes in the files. The user may only have wanted to add a route.
fn replaced_routes(files: &Files, merged: &Merged) -> Option<Problem> {
    let routes = merged.node("routes").filter(|routes| files.routes() > 0 && !routes.is_from_file())?;
    let count = match files.routes() {
        1 => "the route".to_owned(),
        count => format!("all {count} routes"),
    };
    Some(routes.problem(format!("replaces {count} in the file")))
}
