//! The processes of this machine, and the children of this one.
//!
//! - [`table`] lists processes;
//! - [`children`] starts children, and reaps those that nobody waits for.

pub mod children;
pub mod table;
