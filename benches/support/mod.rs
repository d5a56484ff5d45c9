//! What the measuring programs share.

pub mod arguments;
pub mod backend;
pub mod backend_process;
#[path = "../../tests/support/mod.rs"]
pub mod harness;
pub mod load;
pub mod priority;
pub mod process;
pub mod proxy;
pub mod statistics;
pub mod table;
pub mod wire;
