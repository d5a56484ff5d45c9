//! The process: it starts, listens, runs the workers and the threads beside them, and stops when it is told to.
//!
//! - [`run`] starts it all, and ends it: a [`process::Process`] is what lasts as long as the process;
//! - [`generation`] is what one configuration builds, and [`reload`] replaces it while serving;
//! - [`worker`] is a thread that accepts connections, at [`sockets`], and serves them;
//! - [`control`] is the thread beside the workers: it reloads, answers the admin API, watches files and probes nodes;
//!   [`handover`] replaces the secret;
//! - [`check`] finds what is wrong without serving.

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
pub mod reload;
pub mod run;
pub mod signals;
pub mod sockets;
pub mod worker;
