//! Settings: from all sources to the validated values.

mod errors;
mod example_file;
mod examples;
mod files;
mod from_elsewhere;
mod include;
mod inheritance;
mod listeners;
mod middleware;
mod middleware_basic_auth;
mod middleware_buffer;
mod middleware_cors;
mod middleware_forward_auth;
mod middleware_jwt;
mod middleware_limits;
mod middleware_mirror;
mod middleware_pages;
mod middleware_path;
mod newcomers;
mod references;
mod reload;
mod routes;
mod schema;
mod secret;
mod services;
mod services_mistakes;
mod sources;
mod static_files;
mod values;

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use pmesh::{
    cli::Arguments,
    config::{self, Defaults, Source},
    settings::{Loaded, explain},
};

/// What the program finds at startup. In texts, `[DIR]` stands for a folder of its own, which is also the user's home.
struct Start {
    folder: PathBuf,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    defaults: Defaults,
}

impl Start {
    fn new() -> Self {
        static STARTS: AtomicU32 = AtomicU32::new(0);

        let name = format!("settings-{}-{}", process::id(), STARTS.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let environment = vec![("HOME".to_owned(), folder.display().to_string())];
        Self { folder, flags: vec!["pmesh".into()], environment, defaults: Defaults::none() }
    }

    fn flags(mut self, flags: &[&str]) -> Self {
        let flags: Vec<_> = flags.iter().map(|flag| self.with_folder(flag)).collect();
        self.flags.extend(flags);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), self.with_folder(value)));
        self
    }

    fn default(mut self, key: &'static str, value: &str) -> Self {
        self.defaults.values.push((key, value.into()));
        self
    }

    fn write(self, path: &str, text: &str) -> Self {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::write(path, text).expect("a file");
        self
    }

    /// A configuration file that the user names.
    fn file(self, text: &str) -> Self {
        self.write("config.toml", text).variable("PMESH_CONFIG", "[DIR]/config.toml")
    }

    fn source(&self) -> Source {
        let arguments = Arguments::parse(&self.flags).expect("arguments that clap accepts");
        let environment = self.environment.iter().map(|(name, value)| (name.into(), value.into()));
        Source::new(arguments.flags, environment, self.defaults.clone())
    }

    fn load(&self) -> Result<Loaded, config::Error> {
        self.source().load()
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The error message.
    fn error(&self) -> String {
        self.without_folder(&self.load().expect_err("a problem").to_string())
    }

    /// The value and the source of a setting.
    fn explained(&self, key: &str) -> (String, String) {
        let text = explain(&self.loaded(), Some(key)).expect("a setting");
        let row = self.without_folder(text.lines().next().expect("a row"));
        let columns: Vec<_> = row.split("  ").filter(|column| !column.is_empty()).map(str::trim).collect();
        let [name, value, source] = columns[..] else { panic!("three columns: {row:?}") };
        assert_eq!(name, key);
        (value.into(), source.into())
    }

    fn with_folder(&self, text: &str) -> String {
        text.replace("[DIR]", &self.folder.display().to_string())
    }

    fn without_folder(&self, text: &str) -> String {
        text.replace(&self.folder.display().to_string(), "[DIR]")
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        // If this fails, files are only left in the target folder.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
