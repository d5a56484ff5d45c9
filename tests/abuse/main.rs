//! Hostile messages in bulk: no two parsers disagree about what reaches a backend, and each response belongs to its
//! request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod chunks;
mod codings;
mod connections;
mod corpus;
mod floods;
mod handshakes;
mod hosts;
mod http2_bodies;
mod http2_corpus;
mod http2_fields;
mod http2_first;
mod http2_floods;
mod http2_targets;
mod lengths;
mod spellings;
mod targets;
mod trailers;
mod traversal;
