//! Helpers that the benches share.

pub mod arguments;
pub mod backend;
pub mod backend_process;
pub mod cores;
pub mod generator;
#[path = "../../tests/support/mod.rs"]
pub mod harness;
pub mod holder;
pub mod load;
pub mod never;
pub mod nginx;
pub mod process;
pub mod proxy;
pub mod statistics;
pub mod table;
pub mod tool;
pub mod wire;
