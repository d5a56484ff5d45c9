//! What happens to a request on its way from the client's connection to the upstream, and to the response on its way
//! back: the stack of layers, errors turned into answers, the access log.

pub mod access_log;
pub mod nodes;
pub mod request_id;
pub mod respond;
pub mod stack;
pub mod via;
