//! Closes descriptors that the keeper was not meant to inherit.

use std::{
    fs,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

/// Closes all descriptors other than standard input, output and error: those that the parent of pmesh left open, such as a
/// pipe of a shell. Services would inherit them, and the reader of that pipe would never see its end.
///
/// Call it before anything is opened.
pub(super) fn close_others() {
    let Ok(open) = fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The list has the descriptor by which it was read, which is closed by now.
        if fs::symlink_metadata(format!("/proc/self/fd/{descriptor}")).is_err() {
            continue;
        }
        #[expect(unsafe_code, reason = "std and rustix close only descriptors that a value owns")]
        // SAFETY: it is open, and no value owns it, because the program has opened nothing yet.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}
