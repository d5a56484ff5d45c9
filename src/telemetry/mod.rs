//! What the program tells the people who run it: the log, and counters.

pub mod counters;
pub mod logging;
pub mod outages;

pub use pmesh_layers::causes;
