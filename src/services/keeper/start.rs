//! Starts a program, and says why if that fails.

use std::{
    ffi::{CString, OsStr},
    io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nix::unistd::getgrouplist;
use rustix::process::{Gid, Pid, Resource, Rlimit, Uid, getgid, getpid, getrlimit, getuid};

use super::{
    before_exec::{Identity, Preparation, Step, failed_step, prepare_with},
    cgroups::{Cgroup, Cgroups},
    launch::Launch,
    leftovers::{MARK, mark},
    socket::Pipes,
};

/// Maximum length of an argument or variable in bytes, with its NUL: `MAX_ARG_STRLEN` on Linux.
const MAX_STRING: usize = 128 << 10;

/// Starts programs.
#[derive(Debug)]
pub(super) struct Starter {
    pub(super) cgroups: Cgroups,
    /// The soft limit of open files for programs without a limit of their own.
    pub(super) open_files: u64,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) pid: Pid,
    pub(super) cgroup: Option<Cgroup>,
}

impl Starter {
    /// Starts a program, and returns once it runs.
    ///
    /// # Errors
    ///
    /// A message for the user.
    pub(super) fn start(&self, id: u64, launch: &Launch, pipes: Pipes) -> Result<Started, String> {
        let [program, ..] = &*launch.program else { return Err("there is no program to run".to_owned()) };
        check_text(launch)?;
        if let Some(cgroup) = self.cgroups.create(&launch.label, id, &launch.limits) {
            let copies = pipes[0].try_clone().and_then(|stdout| Ok([stdout, pipes[1].try_clone()?]));
            match copies.and_then(|copies| self.spawn(id, launch, copies, Some(&cgroup))) {
                Ok(pid) => return Ok(Started { pid, cgroup: Some(cgroup) }),
                Err(error) => {
                    cgroup.remove();
                    // Better without a cgroup than not at all.
                    if !failed_step(&error).is_some_and(|(step, _)| step == Step::Cgroup) {
                        return Err(explain(&error, launch, program));
                    }
                }
            }
        }
        let pid = self.spawn(id, launch, pipes, None).map_err(|error| explain(&error, launch, program))?;
        Ok(Started { pid, cgroup: None })
    }

    fn spawn(&self, id: u64, launch: &Launch, [stdout, stderr]: Pipes, cgroup: Option<&Cgroup>) -> io::Result<Pid> {
        let (program, arguments) = launch.program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let cwd = launch.cwd.as_ref().map(|cwd| CString::new(cwd.as_os_str().as_bytes())).transpose()?;
        let keeper = getpid();
        let number = u32::try_from(keeper.as_raw_pid()).unwrap_or_default();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(launch.env.iter().map(|(name, value)| (name, value)))
            .env(MARK, mark(number, id))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let preparation = Preparation {
            cgroup: cgroup.and_then(Cgroup::entrance),
            limits: self.limits(launch, cgroup.is_some()),
            user: identity(launch),
            cwd,
            keeper,
        };
        prepare_with(&mut command, preparation);
        let child = command.spawn()?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| io::Error::other("the system returned no process id"))
    }

    fn limits(&self, launch: &Launch, has_cgroup: bool) -> Vec<(Resource, Rlimit)> {
        let both = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
        let open_files = launch.limits.open_files.map_or_else(
            || {
                let hard = getrlimit(Resource::Nofile).maximum;
                Rlimit { current: Some(self.open_files.min(hard.unwrap_or(u64::MAX))), maximum: hard }
            },
            both,
        );
        // Not RLIMIT_AS: Node and Java reserve far more addresses than they use.
        let in_cgroup = has_cgroup && self.cgroups.enforced().memory;
        let memory = launch.limits.memory.filter(|_| !in_cgroup).map(|memory| (Resource::Data, both(memory)));
        [(Resource::Nofile, open_files)].into_iter().chain(memory).collect()
    }
}

/// The ids to change to, unless they are those of the keeper.
fn identity(launch: &Launch) -> Option<Identity> {
    let (uid, gid, name) = launch.user.as_ref()?;
    if (*uid, *gid) == (getuid().as_raw(), getgid().as_raw()) {
        return None;
    }
    let found = CString::new(name.as_str()).ok().and_then(|name| getgrouplist(&name, (*gid).into()).ok());
    let groups = found.map_or_else(
        || vec![Gid::from_raw(*gid)],
        |groups| groups.into_iter().map(|group| Gid::from_raw(group.as_raw())).collect(),
    );
    Some(Identity { uid: Uid::from_raw(*uid), gid: Gid::from_raw(*gid), groups })
}

/// Reports strings that the kernel would reject without saying which one it means.
fn check_text(launch: &Launch) -> Result<(), String> {
    for argument in &launch.program {
        if argument.contains('\0') {
            return Err(format!("the argument {argument:?} contains a NUL byte"));
        }
        if argument.len() >= MAX_STRING {
            return Err(format!("an argument has {} bytes; Linux allows {}", argument.len(), MAX_STRING - 1));
        }
    }
    for (name, value) in &launch.env {
        if name.is_empty() || name.contains(['\0', '=']) || value.contains('\0') {
            return Err(format!("the variable {name:?} has no name, a `=` in its name, or a NUL byte"));
        }
        let length = name.len() + 1 + value.len();
        if length >= MAX_STRING {
            return Err(format!("the variable {name} has {length} bytes; Linux allows {}", MAX_STRING - 1));
        }
    }
    Ok(())
}

/// Says why a program was not started, and what to do about it.
fn explain(error: &io::Error, launch: &Launch, program: &str) -> String {
    let Some((step, cause)) = failed_step(error) else { return format!("cannot run {program}: {error}") };
    let cwd = launch.cwd.as_deref().unwrap_or(Path::new("."));
    let user = launch.user.as_ref().map(|(_, _, name)| format!(" for user {name}")).unwrap_or_default();
    match (step, cause.kind()) {
        (Step::Exec, _) => explain_exec(&cause, launch, program, cwd, &user),
        (Step::Cwd, io::ErrorKind::NotFound) => format!("cwd {} does not exist", cwd.display()),
        (Step::Cwd, io::ErrorKind::NotADirectory) => format!("cwd {} is not a folder", cwd.display()),
        (Step::Cwd, _) => format!("cwd {}: {cause}{user}", cwd.display()),
        (Step::User, io::ErrorKind::PermissionDenied) => {
            let name = launch.user.as_ref().map_or("", |(_, _, name)| name);
            format!("user {name}: only root can change the user; run pmesh as root, or remove `user`")
        }
        (Step::User, _) => format!("cannot change the user: {cause}"),
        (Step::Limit, io::ErrorKind::PermissionDenied) if launch.limits.open_files.is_some() => {
            let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
            format!("limits.open_files: pmesh itself may have at most {hard}; raise its hard limit, or lower this one")
        }
        (Step::Limit, _) => format!("cannot set the limits: {cause}"),
        (Step::Cgroup, _) => format!("cannot enter the cgroup: {cause}"),
        (Step::Session, _) => format!("cannot create a session: {cause}"),
        (Step::Parent, _) => "the keeper has ended".to_owned(),
    }
}

fn explain_exec(cause: &io::Error, launch: &Launch, program: &str, cwd: &Path, user: &str) -> String {
    let path = launch.env.iter().rev().find(|(name, _)| name == "PATH").map_or("", |(_, path)| path);
    let is_searched = !program.contains('/');
    let found = if is_searched { find(program, path, cwd) } else { Some(cwd.join(program)).filter(|at| at.exists()) };
    match (cause.kind(), found) {
        // No matter if there was no permission: a PATH often has folders that cannot be entered.
        (io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied, None) if is_searched => {
            format!("{program}: not found in PATH ({path})")
        }
        (io::ErrorKind::NotFound, None) if program.starts_with('/') => format!("{program} does not exist"),
        (io::ErrorKind::NotFound, None) => format!("{program} does not exist in {}", cwd.display()),
        (io::ErrorKind::NotFound, Some(at)) => {
            format!("{}: the interpreter in its first line, or its loader, does not exist", at.display())
        }
        (io::ErrorKind::PermissionDenied, Some(at)) if at.is_dir() => format!("{} is a folder", at.display()),
        (io::ErrorKind::PermissionDenied, Some(at)) if !is_executable(&at) => {
            format!("{0} is not executable; try `chmod +x {0}`", at.display())
        }
        (io::ErrorKind::ArgumentListTooLong, _) => {
            format!("{program}: the arguments and variables are too long together; Linux says: {cause}")
        }
        (_, at) => format!("cannot run {}: {cause}{user}", at.unwrap_or_else(|| program.into()).display()),
    }
}

/// The first file with this name in the folders of `path`.
fn find(program: &str, path: &str, cwd: &Path) -> Option<PathBuf> {
    let folders = path.split(':').map(|folder| cwd.join(OsStr::new(folder)));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}
