//! The program `pmesh`.

pub mod cli;
pub mod config;
pub mod endpoint;
pub mod settings;
