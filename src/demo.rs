//! x
use crate::{config::Defaults, settings::Settings};
use tower::BoxError;
pub fn defaults() -> Defaults {
    Defaults::none()
}
pub fn run(_s: Settings) -> Result<(), BoxError> {
    Ok(())
}
