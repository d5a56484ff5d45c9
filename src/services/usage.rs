//! Memory and processor time of the processes of instances, as Linux counts them.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
};

/// What the processes of an instance use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Memory in bytes. Shared memory counts for each process that shares it.
    pub(super) memory: u64,
    /// Processor time in milliseconds, including that of children that have exited.
    pub(super) cpu_ms: u64,
}

/// What Linux says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: u32,
    group: u32,
    usage: Usage,
}

/// What each of the processes `roots` uses, with its descendants and its process group. Looks at each process of the
/// system once.
pub(super) fn usage(roots: &[u32]) -> BTreeMap<u32, Usage> {
    if roots.is_empty() {
        return BTreeMap::new();
    }
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        Some((id, parse(&text)?))
    });
    sum(roots, &stats.collect())
}

fn sum(roots: &[u32], stats: &HashMap<u32, Stat>) -> BTreeMap<u32, Usage> {
    let mut sums: BTreeMap<u32, Usage> = roots.iter().map(|root| (*root, Usage::default())).collect();
    for (id, stat) in stats {
        let root = ancestors(*id, stats).find(|id| sums.contains_key(id));
        let root = root.or_else(|| sums.contains_key(&stat.group).then_some(stat.group));
        if let Some(sum) = root.and_then(|root| sums.get_mut(&root)) {
            sum.memory += stat.usage.memory;
            sum.cpu_ms += stat.usage.cpu_ms;
        }
    }
    sums
}

/// The process and its ancestors.
fn ancestors(id: u32, stats: &HashMap<u32, Stat>) -> impl Iterator<Item = u32> {
    let parent = |id: &u32| stats.get(id).map(|stat| stat.parent).filter(|parent| *parent > 1);
    // The processes were not read at the same moment, so there could be a circle.
    std::iter::successors(Some(id), parent).take(64)
}

/// Parses `/proc/PID/stat`.
fn parse(text: &str) -> Option<Stat> {
    // The name before it is in parentheses, and can contain anything.
    let fields: Vec<_> = text[text.rfind(')')? + 1..].split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let page = u64::try_from(rustix::param::page_size()).ok()?;
    Some(Stat {
        parent: number(1)?.try_into().ok()?,
        group: number(2)?.try_into().ok()?,
        usage: Usage { memory: number(21)? * page, cpu_ms: ticks * 1000 / per_second },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_and_group_members_count() {
        let stat = |parent, group, memory| Stat { parent, group, usage: Usage { memory, cpu_ms: 1 } };
        let stats = [
            (10, stat(1, 10, 1)),
            (11, stat(10, 11, 2)),
            (12, stat(11, 12, 4)),
            (13, stat(1, 10, 8)),
            (20, stat(1, 20, 16)),
            (30, stat(1, 30, 32)),
        ];
        let sums = sum(&[10, 20, 40], &stats.into_iter().collect());
        let expected = [(10, (15, 4)), (20, (16, 1)), (40, (0, 0))];
        assert_eq!(
            sums.into_iter().map(|(id, usage)| (id, (usage.memory, usage.cpu_ms))).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn this_process_uses_memory() {
        let id = std::process::id();
        assert!(usage(&[id])[&id].memory > 100_000);
    }

    #[test]
    fn a_name_with_parentheses_is_no_problem() {
        let line = "7 (a) b (c) S 3 5 5 0 -1 0 0 0 0 0 100 50 1 2 20 0 1 0 99 4096 10 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.group), (3, 5));
        assert!(stat.usage.memory >= 10 * 4096 && stat.usage.cpu_ms >= 153);
        assert_eq!(parse("7 (a"), None);
    }
}
