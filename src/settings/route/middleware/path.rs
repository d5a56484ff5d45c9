//! `rewrite` and `add_prefix`.

use figment::value::Value;
use pmesh_layers::{
    edit_path::{InvalidRewrite, RewriteTarget},
    route::{PathPrefix, PathRegex},
};

use crate::{
    config::{Node, Parse, Problems, REWRITE_KEYS, Reason, because, text},
    settings::route::Scope,
};

/// Replaces the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewriting {
    /// The paths to replace, with the groups for `$1` and the like; `None` for all paths, with the groups of `path_regex`.
    pub regex: Option<PathRegex>,
    /// The new path.
    pub to: RewriteTarget,
}

impl Rewriting {
    /// Reads a target, or a table with a regular expression and a target. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<Self>> {
        let Some(rewrite) = scope.table("rewrite") else { return Some(None) };
        let own = rewrite.own();
        if own.value.as_dict().is_none() {
            return Some(Some(Self { regex: None, to: own.read(problems)? }));
        }
        let regex = match rewrite.field("regex") {
            Some(node) => whole(&node, problems).map(Some),
            None => Some(None),
        };
        let Some(to) = rewrite.field("to") else {
            own.lacks("no target: write to = \"/new/$1\"", REWRITE_KEYS, problems);
            return None;
        };
        let to = to.read(problems);
        Some(Some(Self { regex: regex?, to: to? }))
    }
}

/// Reads an expression. It has to match the whole path, because the target replaces the whole path. Users of programs that
/// replace only the matching part write `^/old`, and would lose the rest of the path here.
fn whole(node: &Node<'_>, problems: &mut Problems) -> Option<PathRegex> {
    let regex: PathRegex = node.read(problems)?;
    let text = regex.as_str();
    let behind_flags = text.strip_prefix("(?i)").unwrap_or(text);
    let begins = behind_flags.starts_with('^');
    let ends = ["$", ".*", ".*)"].iter().any(|end| text.ends_with(end));
    if begins && ends {
        return Some(regex);
    }
    let (begin, end) = (if begins { "" } else { "^" }, if ends { "" } else { "(.*)$" });
    let wanted = format!("{begin}{text}{end}");
    problems.push(node.problem(format!(
        "`to` replaces the whole path, so the expression has to match from ^ to $: write {wanted:?}{}",
        if ends { "" } else { ", and in `to` the number of that group" }
    )));
    None
}

/// Reads `add_prefix`. Returns `None` if it is invalid, and reports that.
pub(super) fn add_prefix(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<PathPrefix>> {
    scope.field("add_prefix").map_or(Some(None), |node| node.read(problems).map(Some))
}

impl Parse for RewriteTarget {
    const EXPECTED: &'static str = "a path such as /new/{*} or /new/$1, or a table with regex and to";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(|error| match error {
            InvalidRewrite::NotAbsolute { hint: Some(hint) } => Some(format!("write {hint:?}")),
            other => because(other),
        })
    }
}
