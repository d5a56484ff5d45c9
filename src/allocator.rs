//! The allocator, in what pages it takes memory from the system, and how soon it gives memory back.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3, for which there is no constant: how many milliseconds unused memory is kept.
const PURGE_DELAY: mi_option_t = 15;
/// A second by default, and then until something else is freed: the buffers of 4000 connections that have gone to sleep
/// would stay for good. From 10 on, requests do not notice.
const SOON: std::ffi::c_long = 10;

/// Gives memory back soon after it was freed. `MIMALLOC_PURGE_DELAY` in the environment has no effect then.
pub(crate) fn give_back_soon() {
    // SAFETY: it stores a number among the allocator's options, which may happen at any time.
    #[expect(unsafe_code, reason = "the allocator has no other way to be told")]
    unsafe {
        mi_option_set(PURGE_DELAY, SOON);
    }
}

/// Has the kernel give memory in pages of its usual size, and none of 2 MiB (transparent huge pages): to clear one takes
/// from a quarter of a millisecond to five, in which a worker serves nobody. Requests do not cost more without.
pub(crate) fn take_small_pages() {
    // Fails where the kernel has none of the large ones.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(test)]
mod tests {
    use super::*;
    use libmimalloc_sys::mi_option_get;

    #[test]
    fn it_is_the_delay_that_is_set() {
        #[expect(unsafe_code, reason = "as above")]
        // SAFETY: it reads a number.
        let read = || unsafe { mi_option_get(PURGE_DELAY) };
        // What mimalloc 3 begins with: with another number this would be another option.
        assert_eq!(read(), 1000);
        give_back_soon();
        assert_eq!(read(), SOON);
    }
}
