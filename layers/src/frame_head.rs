//! The head of an HTTP/2 frame.

/// The length of a frame's head, in bytes (RFC 9113, 4.1).
pub(crate) const FRAME_HEAD: usize = 9;

/// The head of a frame (RFC 9113, 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHead {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

impl FrameHead {
    #[inline]
    pub(crate) fn read(bytes: &[u8; FRAME_HEAD]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *bytes;
        // The first bit of the stream is reserved and must be ignored.
        Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream: u32::from_be_bytes(stream) & !(1 << 31) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_read_from_its_bytes() {
        let head = FrameHead { length: 0x01_02_03, kind: 4, flags: 5, stream: 0x07_08_09 };
        assert_eq!(FrameHead::read(&[1, 2, 3, 4, 5, 0, 7, 8, 9]), head);
        assert_eq!(FrameHead::read(&[1, 2, 3, 4, 5, 0x80, 7, 8, 9]), head);
        let most = FrameHead::read(&[0xff; FRAME_HEAD]);
        assert_eq!((most.length, most.stream), ((1 << 24) - 1, (1 << 31) - 1));
    }
}
