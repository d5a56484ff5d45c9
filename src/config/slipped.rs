//! Finds top-level settings that may have slipped into a route: TOML treats every key below a table as part of it.

use toml_edit::TableLike;

use super::{
    keys::CHILD_ROUTE,
    shape, table,
    toml::{self, Lines},
};

/// Finds keys of routes that were most likely meant for the top level: the setting exists in both places, and an empty
/// line separates the key from the rest of the route.
pub(super) fn slipped(root: &dyn TableLike, text: &str, lines: &Lines) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let text: Vec<&str> = text.lines().collect();
    let mut path = Vec::new();
    if let Some(routes) = root.get("routes") {
        walk(routes, "routes", &mut path, &mut |table, path| {
            let is_in_both = |key: &str| {
                table::by_key(key).is_some_and(|setting| setting.in_file) && shape::key(CHILD_ROUTE, key).is_some()
            };
            for (name, _) in table.iter().filter(|(name, _)| is_in_both(name)) {
                let Some(span) = table.key(name).and_then(toml_edit::Key::span) else { continue };
                // The nearest line above the key that is not a comment.
                let above = text[..lines.at(span.start) - 1].iter().rev();
                let before = above.map(|line| line.trim()).find(|line| !line.starts_with('#'));
                if before == Some("") {
                    let mut path = path.to_vec();
                    path.push(name.to_owned());
                    let message = format!(
                        "`{name}` applies to this route only, because it is below {}; for all routes, move it above \
                         the first [table] of the file, or below [defaults]",
                        if path.len() > 3 { "[[routes.routes]]" } else { "[[routes]]" }
                    );
                    found.push((path, message));
                }
            }
        });
    }
    found
}

fn walk(item: &toml_edit::Item, key: &str, path: &mut Vec<String>, visit: &mut impl FnMut(&dyn TableLike, &[String])) {
    path.push(key.to_owned());
    for (index, table) in toml::tables(item).into_iter().enumerate() {
        path.push(index.to_string());
        visit(table, path);
        if let Some(children) = table.get("routes") {
            walk(children, "routes", path, visit);
        }
        path.pop();
    }
    path.pop();
}
