//! How a request is handled: the stack of layers, errors turned into responses, the access log.

pub mod access_log;
pub mod failure_log;
pub mod nodes;
pub mod pseudonym;
pub mod request_id;
pub mod stack;
