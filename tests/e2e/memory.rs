//! How the program allocates memory from the system.

use crate::support::Start;

#[test]
fn the_program_uses_no_huge_pages() {
    let program = Start::new().run();
    // Reported by Linux 6.2 and later, if there are huge pages.
    if let Some(large_pages) = program.proc_status("THP_enabled:") {
        assert_eq!(large_pages, 0);
    } else {
        eprintln!("skipped: this kernel does not report huge pages");
    }
}
