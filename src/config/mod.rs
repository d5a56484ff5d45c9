//! Reads settings from flags, the environment, files and defaults, and merges them.
//!
//! Flags win over the environment, the environment over the file, and the file over the defaults. A list replaces the
//! list of a weaker source as a whole. Each value knows where it is set, so that errors can name the flag, the
//! variable, or the line of the file. [`settings`](crate::settings) parses the values one by one instead of through a
//! serde struct, because serde stops at the first error and users want to see all of them.
//!
//! Strings in the file can refer to the environment. These references are recorded: errors name the variable, and never
//! show its value.

mod defaults;
mod environment;
mod error;
mod file;
mod files;
mod find;
mod foreign;
mod include;
mod instance;
mod keys;
mod kind;
mod merged;
mod parse;
mod path;
mod pattern;
#[cfg(test)]
mod reference;
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
    instance::OF_INSTANCE,
    keys::{
        BASIC_AUTH as BASIC_AUTH_KEYS, CERTIFICATE as CERTIFICATE_KEYS, CORS as CORS_KEYS, FILES as FILES_KEYS,
        FORWARD_AUTH as FORWARD_AUTH_KEYS, HEADER as HEADER_KEYS, HSTS as HSTS_KEYS, JWT as JWT_KEYS,
        LISTENER as LISTENER_KEYS, MIRROR as MIRROR_KEYS, RATE_LIMIT as RATE_LIMIT_KEYS, REDIRECT as REDIRECT_KEYS,
        RESPOND as RESPOND_KEYS, REWRITE as REWRITE_KEYS, ROUTE as ROUTE_KEYS, SERVICE as SERVICE_KEYS,
    },
    merged::{Merged, Node},
    parse::{Parse, Reason, TimeLimit, because, duration, text},
    shape::{Key, Role, Shape},
    size::{Size, SizeLimit},
    source::Raw,
    suggest::{did_you_mean, flag_meant_by},
    table::names,
    unknown::misplaced,
};
