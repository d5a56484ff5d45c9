//! The log and the counters.

pub mod counters;
pub mod logging;
pub mod outages;

pub use pmesh_layers::causes;
