//! The built program over real sockets: a client on one side, a backend on the other.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]

#[path = "../support/mod.rs"]
mod support;

mod advice;
mod answers;
mod bodiless;
mod body_limits;
mod certificates;
mod commands;
mod connect_timeouts;
mod connection_limits;
mod deadlines;
mod debug_log;
mod descriptors;
mod expect;
mod explain;
mod failing;
mod files;
mod floods;
mod forwarded_headers;
mod framing_http1;
mod framing_http2;
mod head_limits;
mod headers;
mod http2;
mod identity;
mod interim;
mod internal;
mod ipv6;
mod later_requests;
mod listeners;
mod log_unread;
mod loops;
mod making_room;
mod memory;
mod messages;
mod middleware;
mod middleware_basic_auth;
mod middleware_buffer;
mod middleware_cors;
mod middleware_forward_auth;
mod middleware_jwt;
mod middleware_limits;
mod middleware_mirror;
mod middleware_pages;
mod middleware_path;
mod ntlm;
mod options;
mod pool_age;
mod precedence;
mod routes;
mod shutdown;
mod silence_http;
mod silence_https;
mod slow_readers;
mod sources;
mod stalls;
mod start_errors;
mod truncated_responses;
mod truncated_uploads;
mod upgrades;
mod upgrades_http2;
mod upstream_http2;
mod upstream_tls;
mod upstream_unix;
mod vanishing;
mod whole_site;
