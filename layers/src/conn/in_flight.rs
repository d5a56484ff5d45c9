use super::{
    Control,
    control::{REQUEST, UPLOAD, WAITING},
};

/// What a piece of a response is worth, besides its length.
const WORTH_OF_PIECE: u64 = 4;
/// So many bytes of a response are worth one.
const WORTH_ONE: u64 = 256;

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    control: Control,
    counted: u64,
    /// Whoever drops it before has given the request up.
    ended: bool,
}

impl Control {
    pub(crate) fn begin_request(&self, has_body: bool) -> InFlight {
        self.count_request(has_body);
        InFlight { control: self.clone(), counted: REQUEST + WAITING, ended: false }
    }

    /// Counts a request body, which may go on after the response has ended.
    pub(crate) fn begin_upload(&self) -> Upload {
        self.count_upload();
        Upload(self.clone())
    }

    /// A stream has become a tunnel.
    pub(crate) fn begin_tunnel(&self) -> OpenTunnel {
        self.count_tunnel();
        OpenTunnel(self.clone())
    }
}

impl InFlight {
    /// The head of the response is there.
    pub(crate) fn responded(&mut self) {
        self.counted = REQUEST;
        self.control.uncount(WAITING);
    }

    /// A piece of the response of so many bytes has moved.
    pub(crate) fn note_piece(&self, bytes: usize) {
        self.control.note_moved(1 + ((WORTH_OF_PIECE + bytes as u64 / WORTH_ONE) << 32));
    }

    /// Leaves the request without an answer. Its connection takes no further requests.
    pub(crate) fn refuse(self) {
        let control = self.control.clone();
        drop(self);
        control.refuse();
    }

    /// Whether some of what was written has not been sent yet.
    pub(crate) fn is_unsent(&self) -> bool {
        self.control.is_unsent()
    }

    /// There is no more to come.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn note_cut_short(&self) {
        self.control.note_cut_short();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.control.end_counted(self.counted, !self.ended);
    }
}

/// Counts a request body as in flight until dropped.
#[derive(Debug)]
pub(crate) struct Upload(Control);

impl Upload {
    pub(crate) fn note_progress(&self) {
        self.0.note_progress();
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.end_counted(UPLOAD, false);
    }
}

/// Counts a tunnel as open until dropped.
#[derive(Debug)]
pub(crate) struct OpenTunnel(Control);

impl OpenTunnel {
    pub(crate) fn note_progress(&self) {
        self.0.note_progress();
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.end_tunnel();
    }
}
