//! Where settings come from: one table of all settings, four sources, one merge.
//!
//! Flags win over the environment, the environment over the file, the file over the defaults. A list of a stronger
//! source replaces that of a weaker one as a whole. Values keep the place they were written at until
//! [`settings`](crate::settings) are read from them, so that a bad one is reported there: as a flag, as a
//! variable, or as a line of the file. Values are taken one by one rather than through one serde struct, because
//! serde stops at the first problem and a person wants to hear of all of them.
//!
//! Strings of the file may refer to the environment. Each value from there is recorded with its place, so that errors
//! name the variable and do not show the value.

mod defaults;
mod environment;
mod error;
mod file;
mod files;
mod find;
mod foreign;
mod include;
mod keys;
mod kind;
mod merged;
mod parse;
mod path;
mod pattern;
mod references;
mod relative;
pub(crate) mod renamed;
mod schema;
mod secret;
mod shape;
mod shown;
mod size;
mod slipped;
mod source;
mod suggest;
mod syntax;
mod table;
mod texts;
mod toml;
mod unknown;
mod watched;

pub use self::{
    defaults::Defaults,
    error::{Error, Problem},
    kind::Kind,
    schema::schema,
    secret::Secret,
    source::Source,
    table::{Fallback, SETTINGS, Setting},
    watched::Watched,
};
pub(crate) use self::{
    error::Problems,
    foreign::with_references,
    keys::{
        CERTIFICATE as CERTIFICATE_KEYS, HSTS as HSTS_KEYS, LISTENER as LISTENER_KEYS, REDIRECT as REDIRECT_KEYS,
        RESPOND as RESPOND_KEYS, ROUTE as ROUTE_KEYS,
    },
    merged::{Merged, Node},
    parse::{Parse, Reason, TimeLimit, because, text},
    shape::{Key, Role},
    size::{Size, SizeLimit},
    source::Raw,
    suggest::{did_you_mean, flag_meant_by},
    table::names,
    unknown::misplaced,
};
