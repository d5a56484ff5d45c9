//! The program `pmesh`: a reverse proxy that answers only clients that know a name it serves.
//!
//! From the arguments to a served request:
//!
//! 1. [`cli`]: the command line.
//! 2. [`config`]: merges the arguments with the environment, the file and the defaults.
//! 3. [`settings`]: what comes out of that, validated.
//! 4. [`secret`]: reads or makes the secret that nodes share.
//! 5. [`certificates`]: a certificate for each served name, from files or from the authority that is derived from the
//!    secret.
//! 6. [`server`]: the process. It binds all ports, runs one worker a core and a control thread beside them, and stops
//!    when it is told to.
//! 7. [`admission`]: which connections are let in, and which are closed to make room for them.
//! 8. [`http`]: what happens to a request: the layers of [`pmesh_layers`] in their order.
//! 9. [`upstream`]: from a route to the backend behind it.
//! 10. [`mesh`]: other nodes: who they are, where, and what they serve.
//!
//! Beside that:
//!
//! - [`admin`]: what a running node tells and does for who runs it, over a socket in its home.
//! - [`commands`]: subcommands that ask a running node.
//! - [`demo`]: `pmesh demo`.
//! - [`telemetry`]: the log, and counters.
//! - [`file_watch`]: files that are read again after they were changed or replaced.
//! - [`pem`]: certificates and keys in files.
//! - [`columns`]: text in columns, for people.

pub mod admin;
pub mod admission;
pub mod body;
pub mod certificates;
pub mod cli;
pub mod columns;
pub mod commands;
pub mod config;
pub mod demo;
pub mod file_watch;
pub mod http;
pub mod mesh;
pub mod pem;
pub mod secret;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod upstream;
