//! The weakest source: defaults, some of which the demo replaces.

use std::path::PathBuf;

use super::{Fallback, Merged, SETTINGS, Setting, table::by_key};

/// Replacements for the program's own defaults, for the demo and for tests.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// Keys of [`SETTINGS`], each with its value as written in a variable. All other sources win over these. Unknown
    /// keys are ignored.
    pub values: Vec<(&'static str, String)>,
    /// The file to read if the user names none and HOME/config.toml does not exist. If this is `None`, HOME/config.toml
    /// is not looked for either.
    pub system_file: Option<PathBuf>,
    /// Ports that are alternatives: if the user turns one of them on, the ports that are not set are off.
    pub alternatives: &'static [&'static str],
}

impl Defaults {
    /// The program's own defaults. Looks for a file.
    pub fn program() -> Self {
        Self { system_file: Some("/etc/pmesh/config.toml".into()), ..Self::none() }
    }

    /// The program's own defaults. Reads no file unless the user names one.
    pub fn none() -> Self {
        Self { values: Vec::new(), system_file: None, alternatives: &[] }
    }

    /// The defaults of `pmesh demo`: ports that need no privileges, for clients on this machine only. Reads no file
    /// unless the user names one, so that the demo opens no other ports and binds no other addresses.
    pub fn demo() -> Self {
        let values = SETTINGS.iter().filter_map(|setting| match setting.demo? {
            Fallback::Value(text) => Some((setting.key, text.to_owned())),
            Fallback::Described(_) => None,
        });
        Self { values: values.collect(), alternatives: &["http", "https"], ..Self::none() }
    }

    /// Returns these defaults with the alternatives off if the user has turned one of them on.
    pub(super) fn narrow(&self, merged: &Merged) -> Option<Self> {
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

/// The defaults with a fixed value. Values in `replaced` win.
pub(super) fn texts(replaced: &Defaults) -> Vec<(&'static Setting, &str)> {
    let fixed = SETTINGS.iter().filter_map(|setting| match setting.default {
        Fallback::Value(text) => Some((setting, text)),
        Fallback::Described(_) => None,
    });
    // The later of two wins.
    fixed.chain(replaced.values.iter().filter_map(|(key, text)| Some((by_key(key)?, text.as_str())))).collect()
}
