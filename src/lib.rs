//! The program `pmesh`: a reverse proxy that answers only clients that know a name it serves.
//!
//! The way from the arguments to a served request:
//!
//! 1. [`cli`] reads the arguments, [`config`] merges them with the environment, the file and the defaults,
//!    and [`settings`] is what comes out, validated.
//! 2. [`secret`] reads or makes the secret; [`certificates`] chooses a certificate for each served name, from files
//!    or from the authority that is derived from the secret.
//! 3. [`listen`] binds all ports; [`worker`] runs one thread per core, accepts the connections that [`admission`] lets
//!    in, and serves them; [`strangers`] and idle [`connections`] are closed to make [`room`] for them; [`spares`] are
//!    descriptors held back for other nodes.
//! 4. [`stack`] is what happens to a request: the layers of [`pmesh_layers`] in their order, down to [`upstream`];
//!    [`trust`] is whose certificates upstreams may show.
//! 5. [`mesh`] is what is known of other nodes, and finds them.
//! 6. [`control`] is a thread beside the workers: it probes other nodes, and notices with [`file_watch`] that
//!    certificates or the secret have changed; [`handover`] replaces the secret while serving.
//! 7. [`run`] does 2 to 6 and stops when it is told to. [`commands`] ask a node that runs, which they find by what it has
//!    left in its home, [`running`].

pub mod access_log;
pub mod admission;
pub mod advice;
pub mod body;
pub mod causes;
pub mod certificates;
pub mod cli;
pub mod client_stream;
pub mod columns;
pub mod commands;
pub mod config;
pub mod connections;
pub mod control;
pub mod counters;
pub mod demo;
pub mod endpoint;
pub mod exhaustion;
pub mod file_watch;
pub mod handover;
pub mod listen;
pub mod logging;
pub mod mesh;
pub mod request_id;
pub mod respond;
pub mod room;
pub mod room_connector;
pub mod run;
pub mod running;
pub mod secret;
pub mod settings;
pub mod signals;
pub mod spares;
pub mod stack;
pub mod strangers;
pub mod trust;
pub mod upstream;
pub mod via;
pub mod worker;
