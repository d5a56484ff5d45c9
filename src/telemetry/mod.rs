//! What the program tells the people who run it: the log, and counters.

pub mod causes;
pub mod counters;
pub mod logging;
