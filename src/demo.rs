//! x
use tower::BoxError;
use crate::{config::Defaults, settings::Settings};
pub fn defaults() -> Defaults { Defaults::none() }
pub fn run(_s: Settings) -> Result<(), BoxError> { Ok(()) }
