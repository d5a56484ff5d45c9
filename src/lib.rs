//! The program `pmesh`: a reverse proxy that responds only to clients that name a host it serves.
//!
//! From the arguments to a served request, in this order:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`cli`] | commands and flags |
//! | [`config`] | merges flags, environment, file and defaults into one raw configuration |
//! | [`settings`] | turns it into validated, typed settings, or reports everything that is wrong |
//! | [`secret`] | reads or creates the secret that nodes share |
//! | [`certificates`] | finds a certificate for each served name: from files, or from the authority derived from the secret |
//! | [`server`] | runs the process: workers, listeners, generations, reload, shutdown |
//! | [`admission`] | decides which connections are let in, and which are closed to make room |
//! | [`http`] | handles a request: the chain of [`pmesh_layers`] layers, errors turned into responses, the access log |
//! | [`upstream`] | sends it to an endpoint of its route |
//! | [`middleware`] | builds the layers that a route puts around its answer |
//! | [`services`] | runs local programs on addresses of their own |
//! | [`mesh`] | keeps track of other nodes: their names, addresses and routes |
//!
//! Besides these:
//!
//! | module | what it does |
//! | --- | --- |
//! | [`admin`] | serves the admin API, on a socket in the home folder or on loopback |
//! | [`commands`] | the commands that query a running node, and those for the secret |
//! | [`demo`] | `pmesh demo` |
//! | [`explain`] | `pmesh explain URL`: what happens to a request, and why |
//! | [`telemetry`] | the log and the counters |
//! | [`file_watch`] | rereads files after they have changed |
//! | [`page`] | reads files that become the body of a response |
//! | [`password`] | hashes of passwords |
//! | [`pem`] | reads certificates and keys |
//! | [`processes`] | the processes of this machine, and the children of this one |
//! | [`columns`] | formats text in columns |
//!
//! A folder imports only folders that do not import it, directly or through others; `tests/architecture` checks this.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

pub mod admin;
pub mod admission;
pub mod certificates;
pub mod cli;
pub mod columns;
pub mod commands;
pub mod config;
pub mod demo;
pub mod explain;
pub mod file_watch;
pub mod http;
pub mod mesh;
pub mod middleware;
pub mod page;
pub mod password;
pub mod pem;
pub mod processes;
pub mod respond;
pub mod secret;
pub mod server;
pub mod services;
pub mod settings;
pub mod telemetry;
pub mod upstream;
