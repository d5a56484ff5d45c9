//! Links lead to existing files and headings, and the table of contents lists each page once.

use std::{collections::BTreeMap, path::Path};

use crate::{Page, pages, root};

/// Pages outside docs/, and the table of contents.
const OTHERS: &[&str] = &[
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "layers/README.md",
    "examples/config/README.md",
    "benches/README.md",
    "fuzz/README.md",
    "docs/SUMMARY.md",
];

#[test]
fn links_lead_to_files_and_headings() {
    let pages: Vec<_> = pages().into_iter().chain(OTHERS.iter().map(|name| Page::read(name))).collect();
    let anchors: BTreeMap<_, _> =
        pages.iter().map(|page| (root().join(&page.name).canonicalize().unwrap(), &page.anchors)).collect();
    let mut broken = Vec::new();
    for page in &pages {
        let path = root().join(&page.name);
        for link in page.links.iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(file) };
            let is_there = target.canonicalize().is_ok_and(|target| match (anchor, anchors.get(&target)) {
                (Some(anchor), Some(anchors)) => anchors.contains(anchor),
                _ => true,
            });
            if !is_there {
                broken.push(format!("{}: {link}", page.name));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_table_of_contents_has_each_page_once() {
    let mut listed = Page::read("docs/SUMMARY.md").links;
    listed.sort_unstable();
    let pages = pages();
    let names: Vec<_> = pages.iter().filter_map(|page| page.name.strip_prefix("docs/")).collect();
    assert_eq!(listed, names);
}

#[test]
fn the_front_page_links_to_each_page() {
    let front = Page::read("docs/README.md");
    for page in pages() {
        if let Some(name) = page.name.strip_prefix("docs/").filter(|name| *name != "README.md") {
            assert!(front.links.iter().any(|link| link == name), "docs/README.md has no link to {name}");
        }
    }
}
