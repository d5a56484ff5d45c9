//! Each layer alone: seen by a client over a pipe, or between a mock and the test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asleep;
mod balance;
mod connector;
mod continue_100;
mod deadline;
mod draining;
mod early_response;
mod extended_connect;
mod floods;
mod forwarded_fields;
mod gate;
mod held;
mod host;
mod host_name;
mod http2_refused;
mod http2_silence;
mod idle;
mod leaving;
mod node_certificates;
mod node_connector;
mod node_own_certificates;
mod node_rotation;
mod node_silence;
mod panics;
mod pool_framing;
mod pool_http2;
mod pool_reuse;
mod pool_unsent;
mod route_table;
mod silence;
mod slow_head;
mod slow_reader;
mod slow_upload;
mod sni;
mod sni_fragments;
mod sni_match;
mod stalled;
mod support;
mod tcp_end;
mod tls_connector;
mod tls_silence;
mod tunnel;
mod turns;
mod unix;
