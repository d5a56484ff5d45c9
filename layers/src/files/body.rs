use std::{
    fs::File,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rustix::{buffer::spare_capacity, io::pread};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{open::Access, variants::Found};

/// Maximum part of a file that is in memory at once.
pub(super) const CHUNK: usize = 64 * 1024;

/// A range of a file, read as fast as the client takes it.
#[derive(Debug)]
pub(super) struct FileBody {
    found: Arc<Found>,
    position: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    pub(super) fn new(found: Arc<Found>, position: u64, length: u64) -> Self {
        Self { found, position, left: length, reading: None }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            let length = chunk(self.left);
            match read(&self.found.file, self.position, length, Access::Cached) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
            let (found, position) = (Arc::clone(&self.found), self.position);
            self.reading = Some(spawn_blocking(move || read(&found.file, position, length, Access::Blocking)));
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        Poll::Ready(read.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let read =
            ready!(this.poll_read(cx)).and_then(|bytes| if bytes.is_empty() { Err(shortened()) } else { Ok(bytes) });
        match &read {
            Ok(bytes) => {
                this.position += bytes.len() as u64;
                this.left -= bytes.len() as u64;
            }
            Err(_) => this.left = 0,
        }
        Poll::Ready(Some(read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for FileBody {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

/// Reads a range of at most [`CHUNK`].
pub(super) fn read_all(file: &File, position: u64, length: usize, access: Access) -> io::Result<Bytes> {
    let mut all = read(file, position, length, access)?;
    if all.len() == length {
        return Ok(all);
    }
    let mut joined = Vec::with_capacity(length);
    while !all.is_empty() {
        joined.extend_from_slice(&all);
        if joined.len() == length {
            return Ok(joined.into());
        }
        all = read(file, position + joined.len() as u64, length - joined.len(), access)?;
    }
    Err(shortened())
}

fn shortened() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file has become shorter")
}

fn chunk(left: u64) -> usize {
    usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK))
}

/// Reads at least one byte, or none at the end of the file.
fn read(file: &File, position: u64, length: usize, access: Access) -> io::Result<Bytes> {
    if access == Access::Cached {
        return read_cached(file, position, length);
    }
    let mut bytes = Vec::with_capacity(length);
    loop {
        match pread(file, spare_capacity(&mut bytes), position) {
            Ok(_) => return Ok(bytes.into()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads what is in the page cache.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    use rustix::io::{ReadWriteFlags, preadv2};

    let mut bytes = vec![0; length];
    // Any other error comes up again in the blocking read, which reports it.
    let read = preadv2(file, &mut [io::IoSliceMut::new(&mut bytes)], position, ReadWriteFlags::NOWAIT)
        .map_err(|_| io::Error::from(io::ErrorKind::WouldBlock))?;
    bytes.truncate(read);
    Ok(bytes.into())
}

#[cfg(not(target_os = "linux"))]
fn read_cached(_: &File, _: u64, _: usize) -> io::Result<Bytes> {
    Err(io::ErrorKind::WouldBlock.into())
}
