//! What happens to a request and its response: the stack of layers, errors turned into answers, the access log.

pub mod access_log;
pub mod failure_log;
pub mod nodes;
pub mod pseudonym;
pub mod request_id;
pub mod stack;
