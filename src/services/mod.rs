//! Local programs, which pmesh starts, supervises and replaces, each instance on addresses of its own in
//! `subnet_service`.
//!
//! - [`table`] knows the addresses of the instances, and what routes and the supervisor share about them;
//! - [`traffic`] tells the supervisor about requests to the instances;
//! - [`report`] is what `pmesh services` shows;
//! - [`printable`] makes what programs write safe to show;
//! - [`keeper`] is the process that starts them, so that none outlives pmesh;
//! - [`supervisor`] runs them;
//! - [`handle`] is how the admin API and reloads reach the supervisor.

pub mod handle;
pub mod keeper;
pub mod printable;
mod recent;
pub mod report;
mod shared;
pub mod supervisor;
pub mod table;
pub mod traffic;
mod usage;
