//! `include`: the files that the main file includes.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use figment::value::Value;

use super::{
    Problem, Problems, SETTINGS,
    environment::Environment,
    file::ConfigFile,
    files::Files,
    find::unreadable,
    pattern::{Pattern, is_same},
    table,
};

const KEY: &str = "include";
const EXPECTED: &str = "expected a file or a pattern such as \"routes.d/*.toml\"";

/// What the main file includes.
#[derive(Debug, Clone, Default)]
pub(super) struct Include {
    main: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Where it stands in the main file.
    place: String,
    pattern: Pattern,
}

impl Include {
    /// What stands in the main file, which has been resolved.
    pub(super) fn of(main: &ConfigFile, user_home: Option<&str>, problems: &mut Problems) -> Self {
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

    /// Reads all included files, and adds what they hold to that of the main file. Without what could not be read, which
    /// is reported, values cannot be judged: `false`.
    pub(super) fn read_into(&self, files: &mut Files, environment: &Environment, problems: &mut Problems) -> bool {
        let mut is_complete = true;
        for (path, place) in self.find(problems) {
            let read = self.read(path, place, environment, problems);
            is_complete &= read.is_some();
            read.into_iter().for_each(|file| files.add(file, problems));
        }
        is_complete
    }

    /// `None` if it cannot be read, which is reported.
    fn read(
        &self,
        path: PathBuf,
        place: &str,
        environment: &Environment,
        problems: &mut Problems,
    ) -> Option<ConfigFile> {
        if is_same(&path, &self.main) {
            problems.push(Problem::new(place, "a file cannot include itself"));
            return None;
        }
        let text = problems.note(read(&path, place))?;
        let mut file = problems.note(ConfigFile::parse(path, &text))?;
        file.report_unknown_keys(problems);
        self.report_misplaced_keys(&file, problems);
        file.keep(&included_keys().collect::<Vec<_>>());
        file.resolve(environment, problems).then_some(file)
    }

    /// The files that there are now.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        // What is wrong is reported when they are read.
        self.find(&mut Problems::default()).into_iter().map(|(path, _)| path).collect()
    }

    /// The files that there are now, each once and with the place of the entry that leads there: in the order of the
    /// entries, those of a pattern by name.
    fn find(&self, problems: &mut Problems) -> Vec<(PathBuf, &str)> {
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        for Entry { place, pattern } in &self.entries {
            let files = pattern.find(|error| {
                let message = format!("cannot read {}: {}", error.path().display(), error.error());
                problems.push(Problem::new(place, message));
            });
            for file in files {
                // A pattern may well match the main file, too.
                if (pattern.is_name() || !is_same(&file, &self.main)) && seen.insert(file.clone()) {
                    found.push((file, place.as_str()));
                }
            }
        }
        found
    }

    fn report_misplaced_keys(&self, file: &ConfigFile, problems: &mut Problems) {
        let main = self.main.display();
        for key in file.keys() {
            if !table::by_key(key).is_some_and(|setting| setting.in_file && !setting.in_included) {
                continue;
            }
            let message = if key == KEY {
                format!("an included file cannot include others: name them in {main}")
            } else {
                let keys: Vec<_> = included_keys().map(|key| format!("`{key}`")).collect();
                format!("`{key}` belongs in the main file, {main}: included files may hold {}", keys.join(", "))
            };
            problems.push(Problem::new(file.place(&[key.to_owned()]), message));
        }
    }
}

fn included_keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter(|setting| setting.in_included).map(|setting| setting.key)
}

/// The text of the file at `path`, which the main file names at `place`.
fn read(path: &Path, place: &str) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|error| {
        let shown = path.display();
        let message = match error.kind() {
            io::ErrorKind::IsADirectory => format!("{shown} is a folder: write \"{shown}/*.toml\" for the files in it"),
            _ => format!("cannot read {shown}: {}", unreadable(&error)),
        };
        Problem::new(place, message)
    })
}
