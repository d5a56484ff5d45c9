//! The page on operations shows the files of deploy/ as they are.

use std::fs;

use crate::{Page, root};

#[test]
fn the_page_on_operations_shows_the_files_of_deploy() {
    let page = Page::read("docs/operations.md");
    for (file, language, first) in [("pmesh.service", "systemd", "[Unit]"), ("Dockerfile", "dockerfile", "FROM")] {
        let text = fs::read_to_string(root().join("deploy").join(file)).unwrap();
        // Without the comment at the top.
        let shown = &text[text.find(first).unwrap()..];
        assert!(
            page.code(language).any(|code| code == shown),
            "docs/operations.md should show deploy/{file}:\n{shown}"
        );
    }
}
