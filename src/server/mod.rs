//! The process: it starts, listens, runs the workers and the threads beside them, and stops when it is told to.

pub mod admin;
pub mod control;
pub mod handover;
pub mod listen;
pub mod lock;
pub mod run;
pub mod signals;
pub mod worker;
