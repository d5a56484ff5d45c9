//! Finds the processes that a service has started, even if they have left its process group and its session, and if their
//! parents have exited.

use std::collections::HashMap;

use crate::processes::table::{ProcessEntry, processes, started_with};

/// The variable that identifies processes whose parents have exited, such as daemons.
pub(super) const MARK: &str = "SERVICE_KEEPER";

/// The value of [`MARK`] for a launch.
pub(super) fn mark(keeper: u32, id: u64) -> String {
    format!("{keeper}.{id}")
}

/// A process below another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descendant {
    /// The launch that it belongs to, if known.
    pub(super) id: Option<u64>,
    pub(super) process: ProcessEntry,
}

/// All processes below `ancestor`. `mains` are the main processes of launches, alive or not, by their process id.
///
/// An orphan is attributed by its session, its process group or its environment, which a program without privileges
/// cannot read if it belongs to another user.
pub(super) fn descendants(ancestor: i32, keeper: u32, mains: &HashMap<i32, u64>) -> Vec<Descendant> {
    let processes = processes();
    let mut of_children = HashMap::new();
    let below = processes.values().filter_map(|process| Some((process, child_above(&processes, process, ancestor)?)));
    below
        .map(|(process, child)| {
            let id = *of_children.entry(child.pid).or_insert_with(|| launch_of(child, keeper, mains));
            Descendant { id, process: *process }
        })
        .collect()
}

/// The child of `ancestor` that is `process` or above it.
fn child_above<'a>(
    processes: &'a HashMap<i32, ProcessEntry>,
    process: &'a ProcessEntry,
    ancestor: i32,
) -> Option<&'a ProcessEntry> {
    let mut at = process;
    // The processes were not read at the same moment, so there can be circles.
    for _ in 0..processes.len() {
        if at.parent == ancestor {
            return Some(at);
        }
        at = processes.get(&at.parent)?;
    }
    None
}

fn launch_of(child: &ProcessEntry, keeper: u32, mains: &HashMap<i32, u64>) -> Option<u64> {
    let known = [child.pid, child.session, child.group].into_iter().find_map(|pid| mains.get(&pid).copied());
    known.or_else(|| {
        let value = started_with(child.pid, MARK)?;
        value.strip_prefix(&format!("{keeper}."))?.parse().ok()
    })
}
