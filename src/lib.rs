//! The program `pmesh`.

pub mod ca;
pub mod certificates;
pub mod secret;
