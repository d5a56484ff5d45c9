//! The allocator: which pages it gets from the system, and how soon it returns memory.

use libmimalloc_sys::{mi_option_set, mi_option_t};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3, which has no constant for it: how many milliseconds freed memory is kept.
const PURGE_DELAY: mi_option_t = 15;
/// The default is one second, and after that memory is returned only when something else is freed, so the buffers of
/// 4000 connections that have gone idle would stay. At 10 ms or more, requests are not slowed down.
const SOON: std::ffi::c_long = 10;

/// Returns memory to the system soon after it was freed. This overrides `MIMALLOC_PURGE_DELAY` in the environment.
pub(crate) fn return_memory_soon() {
    // SAFETY: it stores a number among the allocator's options, which is allowed at any time.
    #[expect(unsafe_code, reason = "the allocator has no other way to set this")]
    unsafe {
        mi_option_set(PURGE_DELAY, SOON);
    }
}

/// Turns off transparent huge pages. Clearing a page of 2 MiB takes 0.25 to 5 ms, during which the worker serves nobody,
/// and requests are no faster with such pages.
pub(crate) fn disable_huge_pages() {
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
        return_memory_soon();
        assert_eq!(read(), SOON);
    }
}
