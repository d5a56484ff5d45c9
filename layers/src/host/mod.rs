//! Host names: which name a request asks for, and whether it is served here.

mod name;
mod pattern;

pub use name::{HostName, InvalidHost};
pub use pattern::HostPattern;
