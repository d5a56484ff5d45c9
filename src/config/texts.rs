//! Values from defaults, variables and flags.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map},
};

use super::{Setting, table};

/// The source that a text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    Default,
    Environment,
    Flag,
}

impl Rank {
    /// The name of the source.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::Flag => "flags",
        }
    }

    /// The name of a setting in this source.
    fn place(self, setting: &Setting) -> String {
        match self {
            Self::Default => self.name().into(),
            Self::Environment => setting.variable.unwrap_or_default().into(),
            Self::Flag => format!("--{}", setting.flag.unwrap_or_default()),
        }
    }
}

/// Values that are written as text: defaults, variables and flags. The kind of the setting determines their type. The
/// providers of figment would guess it, and turn the name `0123` into a number.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    rank: Rank,
    values: Dict,
}

impl Texts {
    pub(super) fn new<T: AsRef<str>>(rank: Rank, texts: &[(&'static Setting, T)], home: Option<&str>) -> Self {
        let values =
            texts.iter().map(|(setting, text)| (setting.key.into(), setting.kind.value(text.as_ref(), home))).collect();
        Self { rank, values }
    }
}

impl Provider for Texts {
    fn metadata(&self) -> Metadata {
        let rank = self.rank;
        Metadata::named(rank.name()).interpolater(move |_: &Profile, path: &[&str]| {
            path.first().and_then(|key| table::by_key(key)).map_or_else(String::new, |setting| rank.place(setting))
        })
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
