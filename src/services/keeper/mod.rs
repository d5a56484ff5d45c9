//! The keeper: a second process, the parent of all services, so that none outlives pmesh.
//!
//! pmesh starts its own program again, with [`ARGUMENT`], and talks to it over a socket. If the socket closes, because
//! pmesh has ended for whatever reason, the keeper stops all services and exits. If the keeper is killed, the kernel kills
//! the services, and pmesh kills what they have started. The keeper does nothing else: it has one thread, no settings, and
//! no state other than the processes.
//!
//! - [`Keeper`] is pmesh's side; it speaks the messages of `message` over the `socket`, and `lost` cleans up after a
//!   keeper that was killed;
//! - [`run`] is the process: `family` knows what it has started, `start` starts a program, `before_exec` runs between
//!   fork and exec, `cgroups` limits what programs use.
//!
//! A later version could hand over running services to a new pmesh: the socket is the keeper's only tie to pmesh, so the
//! new program would inherit that descriptor and the read ends of the pipes across exec. It would then ask the keeper for
//! its launches, with one more kind of message.

mod before_exec;
mod cgroups;
mod client;
mod event;
mod family;
mod inherited;
mod launch;
mod leftovers;
mod lost;
mod message;
mod open_files;
mod process;
mod socket;
mod start;

pub use self::{
    client::Keeper,
    event::{ExitStatus, KeeperEvent},
    launch::{Launch, Output},
    message::ARGUMENT,
    open_files::remember_open_files,
    process::run,
};
