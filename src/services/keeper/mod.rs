//! The keeper: a second process, the parent of all services, so that none outlives pmesh.
//!
//! pmesh starts its own program again, with [`ARGUMENT`], and talks to it over a socket. If the socket closes, because
//! pmesh has ended in whatever way, the keeper stops all services and exits. If the keeper is killed, the kernel kills
//! the services, and pmesh what they have started. The keeper does nothing else: it has one thread, no settings and no
//! state but the processes.
//!
//! - [`Keeper`] is pmesh's side; it speaks the messages of `message` over the `socket`, and `lost` cleans up after a
//!   keeper that was killed;
//! - [`run`] is the process: `family` knows what it has started, `start` starts a program, `before_exec` runs between
//!   fork and exec, `cgroups` limits what programs use.
//!
//! A later `pmesh upgrade` can hand over running services: the socket is the keeper's only tie to pmesh, so the next
//! program inherits that descriptor, and the read ends of the pipes, across exec. It then asks the keeper which
//! launches it has, for which one more message is needed.

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
