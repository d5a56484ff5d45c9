//! The server process: startup, listeners, workers, reload and shutdown.
//!
//! - [`run`] starts everything and shuts it down; [`process::Process`] holds what lives as long as the process;
//! - [`generation`] is everything built from one configuration; [`reload`] replaces it without interrupting service;
//! - [`worker`] is a thread that accepts connections on its [`sockets`] and serves them;
//! - [`control`] is the thread alongside the workers: it reloads, answers the admin API, watches files and probes nodes;
//!   [`handover`] switches to a new secret;
//! - `reaper` reaps orphans, for process 1 of a container;
//! - [`check`] finds mistakes without serving.

mod admin;
pub mod check;
pub mod control;
pub mod descriptors;
pub mod generation;
pub mod handover;
pub mod listen_error;
pub mod listeners;
pub mod lock;
pub mod process;
mod reaper;
pub mod reload;
pub mod run;
pub mod signals;
pub mod sockets;
mod ways_around;
pub mod worker;
