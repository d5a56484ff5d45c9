//! The program `pmesh`.

pub mod ca;
pub mod secret;
