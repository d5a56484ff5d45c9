//! Reads the processes that `/proc` shows.

use std::{collections::HashMap, fs, io::Read};

/// A process, as `/proc/PID/stat` describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessEntry {
    /// Its id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Whether it has exited and waits to be reaped.
    pub is_zombie: bool,
}

/// All processes that this one can see, by id. Empty without `/proc`.
///
/// A kernel does not always list the children of a process, so this reads all processes: about 10 µs for each.
pub fn processes() -> HashMap<i32, ProcessEntry> {
    let Ok(folder) = fs::read_dir("/proc") else { return HashMap::new() };
    let ids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut text = Vec::with_capacity(512);
    ids.filter_map(|pid| {
        text.clear();
        // Fails for a process that is gone by now.
        fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_end(&mut text).ok()?;
        parse(pid, &text)
    })
    .map(|process| (process.pid, process))
    .collect()
}

/// The value of a variable in the environment that a process was started with, if this one may read it.
pub fn started_with(pid: i32, variable: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |entry: &[u8]| {
        let value = entry.strip_prefix(variable.as_bytes())?.strip_prefix(b"=")?;
        String::from_utf8(value.to_vec()).ok()
    };
    environment.split(|byte| *byte == 0).find_map(value)
}

fn parse(pid: i32, text: &[u8]) -> Option<ProcessEntry> {
    // The name before it can contain anything, even `)`.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&text[end + 1..]).ok()?.split_ascii_whitespace();
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    let mut number = || fields.next()?.parse().ok();
    Some(ProcessEntry { pid, parent: number()?, group: number()?, session: number()?, is_zombie })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_process_is_parsed() {
        let parsed = |text: &str| parse(7, text.as_bytes());
        let process = ProcessEntry { pid: 7, parent: 1, group: 5, session: 4, is_zombie: false };
        assert_eq!(parsed("7 (node) S 1 5 4 34816 7 4194304"), Some(process));
        assert_eq!(parsed("7 (a) Z 9 9 9 () S 1 5 4 0"), Some(process));
        assert_eq!(parsed("7 (node) Z 1 5 4 0"), Some(ProcessEntry { is_zombie: true, ..process }));
        assert_eq!(parsed("7 (node) S 1"), None);
        assert_eq!(parsed(""), None);
    }

    #[test]
    fn this_process_is_found() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = processes()[&pid];
        assert_eq!(own.parent, i32::try_from(std::os::unix::process::parent_id()).unwrap());
        assert_eq!(started_with(pid, "CARGO_MANIFEST_DIR"), std::env::var("CARGO_MANIFEST_DIR").ok());
        assert_eq!(started_with(pid, "CARGO_MANIFEST"), None);
    }
}
