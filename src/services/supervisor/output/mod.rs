//! What services write: split into lines, remembered, and sent to the log or to a file.
//!
//! - [`reader`](Reading) reads the pipes of a process; `lines` splits; `level` finds the level of a line;
//! - `sink` is where lines go; [`Files`] writes to files on a thread of its own.

mod files;
mod level;
mod lines;
mod reader;
mod sink;
mod tail;

pub(crate) use self::{files::Files, reader::Reading, sink::Sink};
