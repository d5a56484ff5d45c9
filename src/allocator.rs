//! The allocator: which pages it gets from the system, and how soon it returns memory.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3, which has no constant for it: how many milliseconds freed memory is kept.
const PURGE_DELAY: mi_option_t = 15;
/// The default is a second, and then until something else is freed: the buffers of 4000 connections that have gone idle
/// would stay for good. From 10 ms on, requests do not notice.
const SOON: std::ffi::c_long = 10;

/// Returns memory to the system soon after it was freed. This overrides `MIMALLOC_PURGE_DELAY` in the environment.
pub(crate) fn give_back_soon() {
    // SAFETY: it stores a number among the allocator's options, which is allowed at any time.
    #[expect(unsafe_code, reason = "the allocator has no other way to set this")]
    unsafe {
        mi_option_set(PURGE_DELAY, SOON);
    }
}

/// Tells the kernel to use pages of the usual size, not of 2 MiB (transparent huge pages): clearing a large page takes
/// between a quarter of a millisecond and five, during which the worker serves nobody. Requests are no slower without
/// them.
pub(crate) fn take_small_pages() {
    // Fails on kernels without transparent huge pages.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use libmimalloc_sys::mi_option_get;

    #[test]
    fn the_option_number_is_that_of_the_purge_delay() {
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: it reads a number.
        let read = || unsafe { mi_option_get(PURGE_DELAY) };
        // The default of mimalloc 3. A different value would mean that the number belongs to another option.
        assert_eq!(read(), 1000);
        give_back_soon();
        assert_eq!(read(), SOON);
    }
}
