//! The `include` setting: files that the main file includes.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use figment::value::Value;

use super::{
    Problem, Problems, environment::Environment, file::ConfigFile, files::Files, find::unreadable, pattern::Pattern,
    unknown::WhichFile,
};

const KEY: &str = "include";
const EXPECTED: &str = "expected a file or a pattern such as \"routes.d/*.toml\"";

/// The files and patterns that the main file includes.
#[derive(Debug, Clone, Default)]
pub(super) struct Include {
    main: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Where it is in the main file.
    place: String,
    pattern: Pattern,
}

impl Include {
    /// Reads the setting, and resolves its paths.
    pub(super) fn read_setting(main: &ConfigFile, user_home: Option<&str>, problems: &mut Problems) -> Self {
        let folder = main.path().parent().unwrap_or(Path::new(""));
        let mut entries = Vec::new();
        let mut read = |value: &Value, path: &[String]| {
            let place = main.place(path);
            let pattern = match value.as_str() {
                Some("") => Err(format!("{EXPECTED}, found \"\"")),
                Some(text) => Pattern::new(text, folder, user_home),
                None => Err(format!("{EXPECTED}, in quotes")),
            };
            match pattern {
                Ok(pattern) => entries.push(Entry { place, pattern }),
                Err(message) => problems.push(Problem::new(place, message)),
            }
        };
        match main.value(KEY) {
            Some(Value::Array(_, values)) => {
                for (index, value) in values.iter().enumerate() {
                    read(value, &[KEY.to_owned(), index.to_string()]);
                }
            }
            Some(value) => read(value, &[KEY.to_owned()]),
            None => {}
        }
        Self { main: main.path().to_owned(), entries }
    }

    /// Reads all included files, and adds their contents to those of the main file. Reports files that cannot be read
    /// and then returns `false`: without them, values cannot be validated.
    pub(super) fn read_into(&self, files: &mut Files, environment: &Environment, problems: &mut Problems) -> bool {
        let mut is_complete = true;
        for (path, place) in self.find(problems) {
            let read = self.read(path, place, environment, problems);
            is_complete &= read.is_some();
            read.into_iter().for_each(|file| files.add(file, problems));
        }
        is_complete
    }

    /// Returns `None` if the file cannot be read, and reports that.
    fn read(
        &self,
        path: PathBuf,
        place: &str,
        environment: &Environment,
        problems: &mut Problems,
    ) -> Option<ConfigFile> {
        let text = problems.note(read(&path, place))?;
        let mut file = problems.note(ConfigFile::parse(path, &text))?;
        file.report_unknown_keys(WhichFile::Included, problems);
        file.keep(|setting| WhichFile::Included.holds(setting));
        file.resolve(environment, problems).then_some(file)
    }

    /// The files that exist now.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        // Errors are reported when the files are read.
        self.find(&mut Problems::default()).into_iter().map(|(path, _)| path).collect()
    }

    /// The files that exist now, without duplicates, each with the place of its entry. They are in the order of the
    /// entries; the files of a pattern are sorted by name.
    fn find(&self, problems: &mut Problems) -> Vec<(PathBuf, &str)> {
        let main = identity(&self.main);
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for Entry { place, pattern } in &self.entries {
            let files = pattern.find(|error| {
                let message = format!("cannot read {}: {}", error.path().display(), error.error());
                problems.push(Problem::new(place, message));
            });
            for file in files {
                if main.is_some() && identity(&file) == main {
                    // A pattern is allowed to match the main file.
                    if pattern.is_name() {
                        problems.push(Problem::new(place, "a file cannot include itself"));
                    }
                } else if seen.insert(file.clone()) {
                    found.push((file, place.as_str()));
                }
            }
        }
        found
    }
}

/// Device and inode: they are the same for all names of a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Reads the text of the file at `path`, which the main file names at `place`.
fn read(path: &Path, place: &str) -> Result<String, Problem> {
    // Reading a pipe or a device might never end.
    if fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir()) {
        return Err(Problem::new(place, format!("{} is not a regular file", path.display())));
    }
    fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        let message = match error.kind() {
            io::ErrorKind::IsADirectory => format!("{shown} is a folder: write \"{shown}/*.toml\" for the files in it"),
            _ => format!("cannot read {shown}: {}", unreadable(&error)),
        };
        Problem::new(place, message)
    })
}
