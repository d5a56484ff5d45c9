//! Sends messages over a Unix socket, with descriptors.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::{io::Interest, net::UnixStream};

use super::message::{LENGTH, MAX_MESSAGE};

/// Number of descriptors of a message that has any: the pipes for standard output and standard error.
const DESCRIPTORS: usize = 2;
/// Larger buffers are freed once they are empty.
const KEPT_BUFFER: usize = 32 << 10;

/// The two descriptors of a message.
pub(super) type Pipes = [OwnedFd; DESCRIPTORS];

/// Sends a whole message, with its descriptors.
pub(super) async fn send(socket: &UnixStream, message: &[u8], pipes: Option<&Pipes>) -> io::Result<()> {
    let mut rest = message;
    let mut unsent = pipes;
    while !rest.is_empty() {
        socket.writable().await?;
        match socket.try_io(Interest::WRITABLE, || send_some(socket, rest, unsent)) {
            Ok(sent) => {
                rest = &rest[sent..];
                unsent = None;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn send_some(socket: &UnixStream, bytes: &[u8], pipes: Option<&Pipes>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let borrowed = pipes.map(|pipes| pipes.each_ref().map(AsFd::as_fd));
    if let Some(descriptors) = &borrowed {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// What was received and has not been taken yet.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    /// For each message with descriptors, in order. `None` if there were too many open files here.
    pipes: VecDeque<Option<Pipes>>,
}

impl Received {
    /// The next message, without its length; `None` at the end. Can be cancelled.
    ///
    /// # Errors
    ///
    /// If the socket fails or the other side sends too much.
    pub(super) async fn message(&mut self, socket: &UnixStream) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            socket.readable().await?;
            match socket.try_io(Interest::READABLE, || self.receive_some(socket)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The descriptors of the next message that has any. Call it for each such message: those of a later one may have
    /// arrived already.
    pub(super) fn take_pipes(&mut self) -> Option<Pipes> {
        self.pipes.pop_front().flatten()
    }

    fn take(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(length) = self.bytes.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message is too long"));
        }
        let end = LENGTH + length;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let message = self.bytes[LENGTH..end].to_vec();
        self.bytes.drain(..end);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BUFFER {
            self.bytes = Vec::new();
        }
        Ok(Some(message))
    }

    fn receive_some(&mut self, socket: &UnixStream) -> io::Result<usize> {
        let mut chunk = [0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut has_any = received.flags.contains(ReturnFlags::CTRUNC);
        let mut descriptors = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(more) = message {
                has_any = true;
                descriptors.extend(more);
            }
        }
        if has_any {
            self.pipes.push_back(descriptors.try_into().ok());
        }
        self.bytes.extend_from_slice(&chunk[..received.bytes]);
        Ok(received.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::AsFd};

    use super::*;
    use crate::services::keeper::message::encode;

    #[tokio::test]
    async fn messages_arrive_whole_and_with_their_descriptors() {
        let (own, other) = UnixStream::pair().unwrap();
        // Far more than the socket holds at once.
        let messages: Vec<_> = (0..20).map(|number| "x".repeat(number * 50_000)).collect();
        let sent = messages.clone();
        let sender = tokio::spawn(async move {
            let mut ends = Vec::new();
            for message in sent {
                let (first, first_end) = io::pipe().unwrap();
                let (second, second_end) = io::pipe().unwrap();
                ends.push((first_end, second_end));
                send(&own, &encode(&message).unwrap(), Some(&[first.into(), second.into()])).await.unwrap();
                send(&own, &encode(&"between").unwrap(), None).await.unwrap();
            }
            ends
        });
        let mut received = Received::default();
        let mut pipes = Vec::new();
        for message in &messages {
            let text: String = serde_json::from_slice(&received.message(&other).await.unwrap().unwrap()).unwrap();
            assert_eq!(&text, message);
            pipes.push(received.take_pipes().unwrap());
            assert_eq!(received.message(&other).await.unwrap().unwrap(), b"\"between\"");
        }
        let ends = sender.await.unwrap();
        for ((first, second), pipes) in ends.into_iter().zip(pipes) {
            for (mut end, pipe, text) in [(first, &pipes[0], "first"), (second, &pipes[1], "second")] {
                io::Write::write_all(&mut end, text.as_bytes()).unwrap();
                drop(end);
                let mut read = String::new();
                io::PipeReader::from(pipe.as_fd().try_clone_to_owned().unwrap()).read_to_string(&mut read).unwrap();
                assert_eq!(read, text);
            }
        }
        assert!(received.message(&other).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_message_that_is_cut_off_or_too_long_is_not_taken() {
        let (own, other) = UnixStream::pair().unwrap();
        send(&own, &[0, 0, 0, 9, b'x'], None).await.unwrap();
        drop(own);
        assert!(Received::default().message(&other).await.unwrap().is_none());
        let (own, other) = UnixStream::pair().unwrap();
        send(&own, &[0xff, 0, 0, 0], None).await.unwrap();
        assert!(Received::default().message(&other).await.is_err());
    }
}
