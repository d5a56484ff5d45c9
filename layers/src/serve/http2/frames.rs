//! Finds frames in the bytes of a connection.

use crate::frame_head::{FRAME_HEAD, FrameHead};

/// HTTP/2 frame types (RFC 9113, 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

const PADDED: u8 = 0x8;

/// The shortest DATA frame with content: an empty gRPC message.
const MIN_DATA: u32 = 5;
/// The most that PADDED adds: the length of the padding, and the padding (RFC 9113, 6.1).
const MAX_PADDING: u32 = 256;

/// Finds the heads of frames in a byte stream that is cut into pieces anywhere.
#[derive(Debug)]
pub(super) struct Frames {
    /// The beginning of a head whose rest has not arrived.
    head: [u8; FRAME_HEAD],
    begun: usize,
    /// Bytes to skip before the next head.
    skip: usize,
}

impl Frames {
    /// For a stream whose first `skip` bytes belong to no frame.
    pub(super) fn after(skip: usize) -> Self {
        Self { head: [0; FRAME_HEAD], begun: 0, skip }
    }

    /// Takes the next bytes of the stream, and calls `each` for every head that is complete with them.
    #[inline]
    pub(super) fn walk(&mut self, mut bytes: &[u8], mut each: impl FnMut(FrameHead)) {
        loop {
            if self.skip >= bytes.len() {
                self.skip -= bytes.len();
                return;
            }
            bytes = &bytes[self.skip..];
            self.skip = 0;
            let count = bytes.len().min(FRAME_HEAD - self.begun);
            self.head[self.begun..self.begun + count].copy_from_slice(&bytes[..count]);
            self.begun += count;
            bytes = &bytes[count..];
            if self.begun == FRAME_HEAD {
                let head = FrameHead::read(&self.head);
                self.begun = 0;
                self.skip = head.length as usize;
                each(head);
            }
        }
    }

    /// Whether the last frame is complete.
    pub(super) fn at_boundary(&self) -> bool {
        self.begun == 0 && self.skip == 0
    }
}

/// Whether a frame carries part of a request body or response body.
pub(super) fn is_substance(head: FrameHead) -> bool {
    let least = if head.flags & PADDED == 0 { MIN_DATA } else { MIN_DATA + MAX_PADDING };
    head.kind == DATA && head.length >= least
}

/// A GOAWAY with `ENHANCE_YOUR_CALM` (RFC 9113, 6.8 and 7): no stream above `last` was looked at.
pub(super) fn calm_down(last: u32, why: &str) -> Vec<u8> {
    const ENHANCE_YOUR_CALM: u32 = 11;
    // `why` is a few words.
    let length = u8::try_from(8 + why.len()).unwrap_or(8);
    let mut frame = vec![0, 0, length, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend(last.to_be_bytes());
    frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    frame.extend(why.as_bytes().iter().take(usize::from(length) - 8));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(vec![0xff; usize::from(length)]);
        frame
    }

    #[test]
    fn heads_are_found_in_pieces_of_any_size() {
        let all = [&b"preface"[..], &frame(4, 0, 0, 0), &frame(0, 1, 1 << 31 | 3, 200), &frame(99, 7, 5, 1)].concat();
        let head = |length, kind, flags, stream| FrameHead { length, kind, flags, stream };
        let expected = [head(0, 4, 0, 0), head(200, 0, 1, 3), head(1, 99, 7, 5)];
        for size in 1..=all.len() {
            let (mut frames, mut found) = (Frames::after(7), Vec::new());
            all.chunks(size).for_each(|piece| frames.walk(piece, |head| found.push(head)));
            assert_eq!(found, expected, "{size}");
            assert!(frames.at_boundary());
        }
    }

    #[test]
    fn an_incomplete_frame_is_not_a_boundary() {
        let whole = frame(0, 0, 1, 3);
        for end in 0..=whole.len() {
            let mut frames = Frames::after(0);
            frames.walk(&whole[..end], |_| {});
            assert_eq!(frames.at_boundary(), end == 0 || end == whole.len(), "{end}");
        }
    }

    #[test]
    fn padding_does_not_count_as_content() {
        let head = |kind, flags, length| FrameHead { length, kind, flags, stream: 1 };
        for (length, flags, expected) in
            [(0, 0, false), (4, 0, false), (5, 0, true), (260, PADDED, false), (261, PADDED, true), (0, 1, false)]
        {
            assert_eq!(is_substance(head(DATA, flags, length)), expected, "{length}");
        }
        assert!(!is_substance(head(HEADERS, 0, 100)));
    }

    #[test]
    fn a_goaway_is_a_whole_frame() {
        let bytes = calm_down(7, "too many frames");
        let (mut frames, mut found) = (Frames::after(0), Vec::new());
        frames.walk(&bytes, |head| found.push((head.kind, head.stream)));
        assert_eq!(found, [(GOAWAY, 0)]);
        assert!(frames.at_boundary());
        assert_eq!(bytes[9..17], [0, 0, 0, 7, 0, 0, 0, 11]);
    }
}
