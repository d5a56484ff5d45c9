//! How the program takes memory from the system.

use crate::support::Start;

#[test]
fn it_takes_no_page_that_is_long_in_clearing() {
    let program = Start::new().run();
    // Linux 6.2 and later say so, where they have such pages.
    if let Some(large_pages) = program.linux_says("THP_enabled:") {
        assert_eq!(large_pages, 0);
    } else {
        eprintln!("skipped: this kernel does not say");
    }
}
