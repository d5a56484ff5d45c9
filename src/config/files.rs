//! The main file and the files that it includes, as one source.

use std::{borrow::Cow, collections::HashMap, path::Path};

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use super::{Problem, Problems, file::ConfigFile, shape::Shape, table};

/// The merged values of all files. Each can be traced to its file, and to its key and index in that file.
#[derive(Debug)]
pub(super) struct Files {
    main: ConfigFile,
    included: Vec<ConfigFile>,
    values: Dict,
    /// Which file holds what, for the keys that included files can have.
    parts: HashMap<String, Parts>,
}

/// Which file holds which part of a value.
#[derive(Debug)]
enum Parts {
    /// One file holds the whole value.
    Whole(Id),
    /// A list: for each file, the index of its first element in the merged list, in ascending order.
    List(Vec<(usize, Id)>),
    /// A table: the file of each key.
    Table(HashMap<String, Id>),
}

/// The main file, or the index of an included one.
type Id = Option<usize>;

/// A value in a file, and its path there.
pub(super) struct InFile<'a> {
    file: &'a ConfigFile,
    path: Cow<'a, [String]>,
}

impl<'a> InFile<'a> {
    /// The folder of the file.
    pub(super) fn folder(&self) -> Option<&'a Path> {
        self.file.path().parent()
    }

    /// `/etc/pmesh/config.toml:3, from ${PORT}`
    pub(super) fn origin(&self) -> String {
        self.file.origin(&self.path)
    }

    /// `/etc/pmesh/config.toml:3: http, from ${PORT}`
    pub(super) fn place(&self) -> String {
        self.file.place(&self.path)
    }

    /// This string, with its references.
    pub(super) fn written(&self) -> Option<&str> {
        self.file.written(&self.path)
    }

    /// The references to the environment in this string.
    pub(super) fn references(&self) -> Option<String> {
        self.file.references(&self.path)
    }
}

impl Files {
    pub(super) fn new(mut main: ConfigFile) -> Self {
        let values = main.take_values();
        let included = values.iter().filter(|(key, _)| table::by_key(key).is_some_and(|setting| setting.in_included));
        let parts = included.map(|(key, value)| (key.clone(), Parts::new(value, None))).collect();
        Self { main, included: Vec::new(), values, parts }
    }

    /// Adds an included file: appends lists, merges tables, and reports keys of a table that another file also sets.
    pub(super) fn add(&mut self, mut file: ConfigFile, problems: &mut Problems) {
        let id = Some(self.included.len());
        let values = file.take_values();
        self.included.push(file);
        for (key, value) in values {
            self.add_value(key, value, id, problems);
        }
    }

    fn add_value(&mut self, key: String, value: Value, id: Id, problems: &mut Problems) {
        let parts = self.parts.entry(key.clone()).or_insert_with(|| Parts::new(&value, id));
        match (self.values.get_mut(&key), value, parts) {
            (None, value, _) => {
                self.values.insert(key, value);
            }
            (Some(Value::Array(_, all)), Value::Array(_, more), Parts::List(starts)) => {
                starts.push((all.len(), id));
                all.extend(more);
            }
            (Some(Value::Dict(_, all)), Value::Dict(_, more), Parts::Table(owners)) => {
                let mut taken = Vec::new();
                for (name, value) in more {
                    match owners.get(&name) {
                        Some(owner) => taken.push((name, *owner)),
                        None => {
                            owners.insert(name.clone(), id);
                            all.insert(name, value);
                        }
                    }
                }
                for (name, owner) in taken {
                    let path = [key.clone(), name];
                    let other = self.file(owner).origin(&path);
                    let message = format!("defined twice: here and in {other}; keep one of them");
                    problems.push(Problem::new(self.file(id).place(&path), message));
                }
            }
            // One of the two values has the wrong type. Keep only that one, so that the error names its file and line.
            (Some(all), value, parts) => {
                let is_list = |value: &Value| matches!(value, Value::Array(..));
                if table::by_key(&key)
                    .is_some_and(|setting| matches!(setting.kind.shape(), Shape::Tables(_)) == is_list(all))
                {
                    (*all, *parts) = (value, Parts::Whole(id));
                }
            }
        }
    }

    /// Finds the file that holds the value at `path`, and the path in that file.
    pub(super) fn find<'a>(&'a self, path: &'a [String]) -> InFile<'a> {
        let step = path.get(1);
        let (id, start) = match path.first().and_then(|key| self.parts.get(key)) {
            None => (None, 0),
            Some(Parts::Whole(id)) => (*id, 0),
            Some(Parts::List(starts)) => {
                let index = step.and_then(|step| step.parse().ok()).unwrap_or(0);
                let after = starts.partition_point(|(start, _)| *start <= index);
                starts.get(after.saturating_sub(1)).map_or((None, 0), |(start, id)| (*id, *start))
            }
            Some(Parts::Table(owners)) => {
                let owner = step.and_then(|step| owners.get(step)).or_else(|| owners.values().min());
                (owner.copied().flatten(), 0)
            }
        };
        let path = match step.and_then(|step| step.parse::<usize>().ok()) {
            Some(index) if start > 0 => {
                let mut path = path.to_vec();
                path[1] = (index - start).to_string();
                path.into()
            }
            _ => path.into(),
        };
        InFile { file: self.file(id), path }
    }

    fn file(&self, id: Id) -> &ConfigFile {
        id.and_then(|index| self.included.get(index)).unwrap_or(&self.main)
    }

    /// The main file.
    pub(super) fn main(&self) -> &Path {
        self.main.path()
    }

    /// The files that the main file includes.
    pub(super) fn included(&self) -> impl Iterator<Item = &Path> {
        self.included.iter().map(ConfigFile::path)
    }

    /// The number of routes in all files.
    pub(super) fn routes(&self) -> usize {
        self.values.get("routes").and_then(Value::as_array).map_or(0, <[_]>::len)
    }
}

impl Parts {
    fn new(value: &Value, id: Id) -> Self {
        match value {
            Value::Array(..) => Self::List(vec![(0, id)]),
            Value::Dict(_, table) => Self::Table(table.keys().map(|key| (key.clone(), id)).collect()),
            _ => Self::Whole(id),
        }
    }
}

impl Provider for Files {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", self.main.path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
