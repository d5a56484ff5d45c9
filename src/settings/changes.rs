//! The settings that a reload has changed.

use std::{collections::BTreeMap, fmt};

use super::{Loaded, explain};
use crate::config::{Kind, SETTINGS, Secret, Setting};

/// The value of each setting that can be changed in a file, except for routes, `[defaults]`, `[redirects]` and services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values(BTreeMap<&'static str, Value>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    shown: String,
    /// The value with its password.
    hidden: Option<Secret>,
}

/// A setting whose value has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its key.
    pub key: &'static str,
    /// Whether it takes effect only after a restart.
    pub needs_restart: bool,
    /// The old value, without a password.
    pub before: String,
    /// The new value, without a password.
    pub after: String,
}

impl Loaded {
    /// Returns the values of these settings, for a later comparison.
    pub fn values(&self) -> Values {
        let can_change = |setting: &&Setting| {
            setting.in_file && !matches!(setting.kind, Kind::Routes | Kind::Defaults | Kind::Redirects | Kind::Services)
        };
        let value = |setting: &'static Setting| {
            let hidden = match setting.key {
                "mesh_registry" => self.merged.node(setting.key).and_then(|node| node.value.clone().into_string()),
                _ => None,
            };
            (setting.key, Value { shown: explain::value(self, setting), hidden: hidden.map(Secret::from) })
        };
        Values(SETTINGS.iter().filter(can_change).map(value).collect())
    }
}

impl Values {
    /// Returns the changes from these values to `after`, in the order in which settings are displayed.
    pub fn changes(&self, after: &Self) -> Vec<Change> {
        let change = |setting: &'static Setting| {
            let key = setting.key;
            let (before, after) = (self.0.get(key)?, after.0.get(key)?);
            (before != after).then(|| Change {
                key,
                needs_restart: setting.needs_restart,
                before: before.shown.clone(),
                after: after.shown.clone(),
            })
        };
        SETTINGS.iter().filter_map(change).collect()
    }

    /// Returns the values that are in use after a reload from `self` to `after`. Settings that need a restart keep
    /// their value.
    #[must_use]
    pub fn in_use_after(&self, mut after: Self) -> Self {
        for setting in SETTINGS.iter().filter(|setting| setting.needs_restart) {
            if let Some(value) = self.0.get(setting.key) {
                after.0.insert(setting.key, value.clone());
            }
        }
        after
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after, .. } = self;
        if before == after {
            write!(f, "{key}: {after}, with another password")
        } else {
            write!(f, "{key}: {before} -> {after}")
        }
    }
}
