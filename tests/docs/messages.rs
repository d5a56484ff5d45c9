//! The messages that the page on troubleshooting quotes exist in the program, and so do the paths of its API on all pages.

use std::{fs, path::Path};

use crate::{Page, root};

/// Messages of other programs, of the system and of libraries.
const OTHERS: &[&str] = &[
    "Address already in use",
    "Bad Gateway",
    "Connection refused",
    "Empty reply from server",
    "No such file or directory",
    "Permission denied",
    "SSL_ERROR_SYSCALL",
    "Too many open files",
    "connection closed before message completed",
];

#[test]
fn quoted_messages_exist() {
    let (page, sources) = (Page::read("docs/troubleshooting.md"), sources());
    let mut quoted = 0;
    // Several words that are not a command, a flag or a setting.
    let is_message = |code: &&str| {
        let others = ["pmesh ", "curl ", "openssl ", "ss ", "sudo ", "-", "[", "respond "];
        code.contains(' ') && !code.contains(" = ") && !others.iter().any(|start| code.starts_with(start))
    };
    for message in page.spans.iter().map(|span| span.code.as_str()).filter(is_message) {
        for part in message.split('…').map(str::trim) {
            let is_known = OTHERS.iter().any(|other| part.contains(other)) || sources.contains(part);
            assert!(is_known, "docs/troubleshooting.md quotes `{message}`, which the program does not say");
        }
        quoted += 1;
    }
    assert!(quoted > 15, "{quoted}");
}

#[test]
fn paths_of_the_api_exist() {
    let sources = sources();
    let mut paths = 0;
    for page in crate::pages() {
        for span in page.spans.iter().filter(|span| span.code.contains("/v1/")) {
            let path = &span.code[span.code.find("/v1/").unwrap()..];
            let path = path.split(' ').next().unwrap();
            let without_query = path.split('?').next().unwrap();
            let is_known = [path, without_query].iter().any(|path| sources.contains(&format!("\"{path}\"")));
            assert!(is_known, "{}: there is no {path}", page.name);
            paths += 1;
        }
    }
    assert!(paths > 5, "{paths}");
}

/// All sources, with strings that continue on the next line joined.
fn sources() -> String {
    fn walk(folder: &Path, sources: &mut String) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let mut parts = text.split("\\\n");
                sources.extend(parts.next());
                parts.for_each(|part| sources.push_str(part.trim_start()));
            }
        }
    }

    let mut sources = String::new();
    ["src", "layers/src"].iter().for_each(|folder| walk(&root().join(folder), &mut sources));
    sources
}
