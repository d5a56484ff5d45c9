//! A cgroup for each program, where the system has delegated cgroups to pmesh. It limits all processes of the program
//! together, and is a way to find and kill them all.
//!
//! Only cgroup v2 can be delegated. Nothing here fails: without cgroups, the keeper uses other means.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::process::getpid;

use super::message::Enforced;
use crate::settings::ServiceLimits;

/// The period of a processor limit in microseconds: the default of the kernel.
const PERIOD: u64 = 100_000;

/// Creates cgroups below that of pmesh.
#[derive(Debug)]
pub(super) struct Cgroups {
    /// pmesh's own cgroup; `None` if it was not delegated.
    base: Option<PathBuf>,
    /// What their names begin with.
    prefix: String,
    enforced: Enforced,
}

impl Cgroups {
    /// Finds out what is possible, and prepares pmesh's own cgroup.
    pub(super) fn set_up() -> Self {
        let prefix = prefix(u32::try_from(getpid().as_raw_pid()).unwrap_or_default());
        match delegated() {
            Ok(base) => {
                remove_old(&base);
                let enforced = enable_controllers(&base);
                Self { base: Some(base), prefix, enforced }
            }
            Err(reason) => Self { base: None, prefix, enforced: Enforced { reason, ..Enforced::default() } },
        }
    }

    /// Which limits are enforced.
    pub(super) fn enforced(&self) -> &Enforced {
        &self.enforced
    }

    /// Creates the cgroup of a program, with its limits. `None` if that is not possible.
    pub(super) fn create(&self, label: &str, id: u64, limits: &ServiceLimits) -> Option<Cgroup> {
        let path = self.base.as_ref()?.join(format!("{}{label}-{id}", self.prefix));
        fs::create_dir(&path).ok()?;
        let cgroup = Cgroup { path };
        if self.limit(&cgroup, limits).is_err() {
            cgroup.remove();
            return None;
        }
        Some(cgroup)
    }

    fn limit(&self, cgroup: &Cgroup, limits: &ServiceLimits) -> io::Result<()> {
        if let Some(memory) = limits.memory.filter(|_| self.enforced.memory) {
            cgroup.write("memory.max", &memory.to_string())?;
            // If only one process were killed, the service could neither work nor exit.
            cgroup.write("memory.oom.group", "1")?;
        }
        if let Some(millicpus) = limits.millicpus.filter(|_| self.enforced.cpu) {
            let quota = u64::from(millicpus.max(10)) * PERIOD / 1000;
            cgroup.write("cpu.max", &format!("{quota} {PERIOD}"))?;
        }
        Ok(())
    }
}

/// The cgroup of a program. It stays when this is dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The file to which a process writes `0` to enter the cgroup.
    pub(super) fn entrance(&self) -> Option<OwnedFd> {
        Some(fs::OpenOptions::new().write(true).open(self.path.join("cgroup.procs")).ok()?.into())
    }

    /// Kills all processes in it.
    pub(super) fn kill(&self) {
        // Since Linux 5.14. Before that, the processes are found as without a cgroup.
        let _ = self.write("cgroup.kill", "1");
    }

    /// Whether the kernel has killed a process because of `memory.max`.
    pub(super) fn was_out_of_memory(&self) -> bool {
        let events = fs::read_to_string(self.path.join("memory.events")).unwrap_or_default();
        events.lines().filter_map(|line| line.strip_prefix("oom_kill ")).any(|count| count != "0")
    }

    /// Removes it, and returns whether it is gone. It cannot be removed while a process is in it.
    pub(super) fn remove(&self) -> bool {
        remove(&self.path)
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(file), text)
    }
}

/// Kills what is left in the cgroups of a keeper that has ended, and removes them. Returns whether they are gone.
pub(super) fn end_all_of(keeper: u32) -> bool {
    let Ok(base) = delegated() else { return true };
    let prefix = prefix(keeper);
    names(&base).into_iter().filter(|name| name.starts_with(&prefix)).all(|name| {
        let cgroup = Cgroup { path: base.join(name) };
        cgroup.kill();
        cgroup.remove()
    })
}

/// What the names of a keeper's cgroups begin with. The namespace is part of it, because containers that share the folder
/// each have process ids of their own.
fn prefix(keeper: u32) -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("pmesh-{digits}-{keeper}-")
}

/// Removes the cgroups of keepers that no longer run.
fn remove_old(base: &Path) {
    let of_namespace = prefix(0);
    let of_namespace = of_namespace.trim_end_matches("0-");
    for name in names(base) {
        let Some(keeper) = name.strip_prefix(of_namespace).and_then(|rest| rest.split('-').next()) else { continue };
        if keeper.parse::<u32>().is_ok() && !Path::new("/proc").join(keeper).exists() {
            let cgroup = Cgroup { path: base.join(&name) };
            cgroup.kill();
            cgroup.remove();
        }
    }
}

fn names(base: &Path) -> Vec<String> {
    let entries = fs::read_dir(base).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Removes a cgroup and those that its program has created in it.
fn remove(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(_) => {
            let inner = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            let folders = inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let has_removed = folders.map(|folder| remove(&folder.path())).fold(false, |any, gone| any | gone);
            has_removed && fs::remove_dir(path).is_ok()
        }
    }
}

/// pmesh's own cgroup, if pmesh may manage it, or why not.
///
/// It may if systemd has marked the cgroup as delegated, or at the root of a container or of a system without systemd.
/// Anywhere else, something else manages the cgroup, even if root could write to it.
fn delegated() -> Result<PathBuf, String> {
    let missing = || "there is no cgroup v2".to_owned();
    let own = fs::read_to_string("/proc/self/cgroup").map_err(|_| missing())?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(missing)?;
    // An earlier keeper has moved pmesh to a leaf of the delegated cgroup.
    let own = own.strip_suffix(LEAF).unwrap_or(own);
    let own = if own.is_empty() { "/" } else { own };
    let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|_| missing())?;
    let mount = mounts.lines().find_map(mounted_cgroup2).ok_or_else(missing)?;
    let base = Path::new(mount).join(own.trim_start_matches('/'));
    let is_marked = ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(&base, *name, &mut value[..]).is_ok_and(|length| &value[..length] == b"1")
    });
    if own != "/" && !is_marked {
        return Err("the cgroup of pmesh is not delegated to it; with systemd, set Delegate=yes".to_owned());
    }
    let probe = base.join(format!("{}probe", prefix(u32::try_from(getpid().as_raw_pid()).unwrap_or_default())));
    fs::create_dir(&probe).map_err(|error| format!("pmesh cannot create cgroups in {}: {error}", base.display()))?;
    let _ = fs::remove_dir(&probe);
    Ok(base)
}

/// The leaf for pmesh and the keeper, because a cgroup that divides its resources cannot have processes of its own.
const LEAF: &str = "/pmesh-main";

/// The folder where cgroup v2 is mounted, if this line of `mountinfo` is about that.
fn mounted_cgroup2(line: &str) -> Option<&str> {
    let (before, after) = line.split_once(" - ")?;
    after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4))?
}

/// Makes the controllers available to cgroups below `base`.
fn enable_controllers(base: &Path) -> Enforced {
    let read = |file: &str| fs::read_to_string(base.join(file)).unwrap_or_default();
    let contains = |list: &str, name: &str| list.split_whitespace().any(|word| word == name);
    let available = read("cgroup.controllers");
    let wanted: Vec<_> = ["memory", "cpu"].into_iter().filter(|name| contains(&available, name)).collect();
    // The root of the machine is left as it is, even if nothing else manages it.
    let is_root = !base.join("cgroup.type").exists();
    if !is_root && wanted.iter().any(|name| !contains(&read("cgroup.subtree_control"), name)) {
        move_to_leaf(base);
        for name in &wanted {
            let _ = fs::write(base.join("cgroup.subtree_control"), format!("+{name}"));
        }
    }
    let enabled = read("cgroup.subtree_control");
    let (memory, cpu) = (contains(&enabled, "memory"), contains(&enabled, "cpu"));
    let missing: Vec<_> =
        [("memory", memory), ("cpu", cpu)].iter().filter(|(_, has)| !has).map(|(name, _)| *name).collect();
    let reason = if missing.is_empty() {
        String::new()
    } else {
        format!("the cgroup {} has no controller for {}", base.display(), missing.join(" and "))
    };
    Enforced { memory, cpu, reason }
}

fn move_to_leaf(base: &Path) {
    let leaf = base.join(LEAF.trim_start_matches('/'));
    // Exists if another keeper was here.
    let _ = fs::create_dir(&leaf);
    // Repeated for processes that are started meanwhile.
    for _ in 0..5 {
        let processes = fs::read_to_string(base.join("cgroup.procs")).unwrap_or_default();
        // 0 stands for a process outside this container.
        let processes: Vec<_> = processes.lines().filter(|pid| *pid != "0").collect();
        if processes.is_empty() {
            return;
        }
        for pid in processes {
            let _ = fs::write(leaf.join("cgroup.procs"), pid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, like that of a cgroup.
    fn cgroup(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    #[test]
    fn limits_are_written_as_the_kernel_expects_them() {
        let base = cgroup(&[]);
        let enforced = Enforced { memory: true, cpu: true, reason: String::new() };
        let cgroups = Cgroups { base: Some(base.path().into()), prefix: "pmesh-1-2-".to_owned(), enforced };
        let limits = ServiceLimits { memory: Some(512 << 20), open_files: Some(9), millicpus: Some(1500) };
        cgroups.create("web-1", 7, &limits).unwrap();
        let written = |file: &str| fs::read_to_string(base.path().join("pmesh-1-2-web-1-7").join(file)).unwrap();
        assert_eq!(written("memory.max"), "536870912");
        assert_eq!(written("memory.oom.group"), "1");
        assert_eq!(written("cpu.max"), "150000 100000");
        // The same name again, or no cgroups at all.
        assert!(cgroups.create("web-1", 7, &limits).is_none());
        assert!(Cgroups { base: None, ..cgroups }.create("web-1", 8, &limits).is_none());
    }

    #[test]
    fn controllers_that_are_enabled_are_used() {
        let files = [("cgroup.controllers", "cpuset cpu memory"), ("cgroup.procs", "1\n"), ("cgroup.type", "domain")];
        let base = cgroup(&[&files[..], &[("cgroup.subtree_control", "cpu memory\n")]].concat());
        assert_eq!(enable_controllers(base.path()), Enforced { memory: true, cpu: true, reason: String::new() });
        assert!(!base.path().join("pmesh-main").exists(), "no process has to move");
    }

    #[test]
    fn the_root_of_a_machine_is_left_as_it_is() {
        let base = cgroup(&[("cgroup.controllers", "cpu memory"), ("cgroup.subtree_control", "cpu")]);
        let enforced = enable_controllers(base.path());
        assert_eq!((enforced.memory, enforced.cpu), (false, true));
        assert!(enforced.reason.ends_with("has no controller for memory"), "{}", enforced.reason);
        assert_eq!(fs::read_to_string(base.path().join("cgroup.subtree_control")).unwrap(), "cpu");
    }

    #[test]
    fn a_cgroup_that_divides_its_resources_has_no_processes() {
        let files = [("cgroup.controllers", "memory"), ("cgroup.subtree_control", ""), ("cgroup.type", "domain")];
        let base = cgroup(&[&files[..], &[("cgroup.procs", "0\n")]].concat());
        enable_controllers(base.path());
        assert!(base.path().join("pmesh-main").is_dir());
        assert_eq!(fs::read_to_string(base.path().join("cgroup.subtree_control")).unwrap(), "+memory");
    }

    #[test]
    fn the_mount_of_cgroup_v2_is_found() {
        let line = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(mounted_cgroup2(line), Some("/sys/fs/cgroup/unified"));
        assert_eq!(mounted_cgroup2(&line.replace("cgroup2 cgroup2", "cgroup cgroup")), None);
        assert_eq!(mounted_cgroup2(""), None);
    }

    #[test]
    fn a_process_killed_for_lack_of_memory_is_noticed() {
        let events = |text: &str| cgroup(&[("memory.events", text)]);
        let is_out = |folder: &tempfile::TempDir| Cgroup { path: folder.path().into() }.was_out_of_memory();
        assert!(is_out(&events("low 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 1\n")));
        assert!(!is_out(&events("low 0\nmax 12\noom 0\noom_kill 0\n")));
        assert!(!is_out(&cgroup(&[])));
    }
}
