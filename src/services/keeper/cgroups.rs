//! A cgroup for each program, where the system has delegated some to pmesh: it limits all processes of the program
//! together, and finds and kills them all.
//!
//! Only cgroup v2 can be delegated. Nothing here fails: without cgroups, other means take their place.

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
    /// The own cgroup; `None` if it was not delegated.
    base: Option<PathBuf>,
    /// What their names begin with.
    prefix: String,
    enforced: Enforced,
}

impl Cgroups {
    /// Finds out what is possible, and prepares the own cgroup.
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

    /// Which limits hold.
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
            // One process less would leave a service that does not work and does not end.
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
    /// Where a process writes `0` to enter.
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

/// What the names of a keeper's cgroups begin with. Containers can share the folder, and then each has its own numbers
/// for processes.
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

/// Removes a cgroup and those that its program has made in it.
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

/// The own cgroup, if pmesh may manage it, or why not.
///
/// systemd marks what it has delegated. The root of a container or of a system without systemd is the other case. Where
/// neither is so, something else manages the cgroup, even if root could write to it.
fn delegated() -> Result<PathBuf, String> {
    let missing = || "there is no cgroup v2".to_owned();
    let own = fs::read_to_string("/proc/self/cgroup").map_err(|_| missing())?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or_else(missing)?;
    // Where a keeper that has ended and its pmesh were: in a leaf of the delegated cgroup.
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

/// The cgroup of pmesh and the keeper, because one that divides its resources cannot have processes of its own.
const LEAF: &str = "/pmesh";

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
    // The root of the whole machine is not delegated, even if nothing else manages it.
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
    // Again for processes that were started meanwhile.
    for _ in 0..5 {
        let processes = fs::read_to_string(base.join("cgroup.procs")).unwrap_or_default();
        // 0 is a process outside of this container.
        let processes: Vec<_> = processes.lines().filter(|pid| *pid != "0").collect();
        if processes.is_empty() {
            return;
        }
        for pid in processes {
            let _ = fs::write(leaf.join("cgroup.procs"), pid);
        }
    }
}
