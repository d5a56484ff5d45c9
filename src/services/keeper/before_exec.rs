//! What a new process does before it becomes the program.
//!
//! std runs only code there that the caller promises to be safe between fork and exec. The alternative without `unsafe` is
//! to run pmesh a third time, which sets itself up and then becomes the program: 100 times the work for each start, and
//! until then a process that would outlive the keeper.

use std::{ffi::CString, io, os::fd::OwnedFd, os::unix::process::CommandExt, process::Command};

use rustix::{
    io::Errno,
    process::{
        Gid, Pid, Resource, Rlimit, Signal, Uid, chdir, getppid, set_parent_process_death_signal, setrlimit, setsid,
    },
    thread::{disable_transparent_huge_pages, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

/// What to do, in this order. All of it is prepared before the fork.
#[derive(Debug)]
pub(super) struct Preparation {
    /// `cgroup.procs` of the cgroup to enter.
    pub(super) cgroup: Option<OwnedFd>,
    /// Set before the user changes, because the new one may not raise them.
    pub(super) limits: Vec<(Resource, Rlimit)>,
    pub(super) user: Option<Identity>,
    /// Entered after the user has changed: a folder that the user cannot enter is an error.
    pub(super) cwd: Option<CString>,
    /// The process that must still be the parent.
    pub(super) keeper: Pid,
}

/// Ids of a user.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    Exec = 0,
    Cgroup,
    Session,
    Limit,
    User,
    Cwd,
    Parent,
}

/// Makes `command` prepare the new process. If a step fails, the program is not run, and [`failed_step`] says which.
#[expect(unsafe_code, reason = "std offers no safe way to run code in the new process")]
pub(super) fn prepare_with(command: &mut Command, preparation: Preparation) {
    // SAFETY: the closure only makes system calls, directly through rustix, on values that exist already. It does not
    // allocate or lock, and its errors hold a number.
    unsafe {
        command.pre_exec(move || preparation.run());
    }
}

/// The step that failed, and why. std carries one number out of the new process; the step is in its upper half.
pub(super) fn failed_step(error: &io::Error) -> Option<(Step, io::Error)> {
    let number = error.raw_os_error()?;
    let steps = [Step::Exec, Step::Cgroup, Step::Session, Step::Limit, Step::User, Step::Cwd, Step::Parent];
    let step = steps.into_iter().find(|step| i32::from(*step as u8) == number >> 16)?;
    Some((step, io::Error::from_raw_os_error(number & 0xffff)))
}

impl Preparation {
    fn run(&self) -> io::Result<()> {
        if let Some(cgroup) = &self.cgroup {
            tried(Step::Cgroup, rustix::io::write(cgroup, b"0"))?;
        }
        // Keeps signals for a terminal or for another service away, and makes it possible to find what it starts.
        tried(Step::Session, setsid())?;
        for (resource, limit) in &self.limits {
            tried(Step::Limit, setrlimit(*resource, *limit))?;
        }
        // On again, because pmesh has turned them off for itself. Fails on kernels without them.
        let _ = disable_transparent_huge_pages(false);
        if let Some(Identity { uid, gid, groups }) = &self.user {
            // These system calls change only this thread. There is no other.
            tried(Step::User, set_thread_groups(groups))?;
            tried(Step::User, set_thread_res_gid(*gid, *gid, *gid))?;
            tried(Step::User, set_thread_res_uid(*uid, *uid, *uid))?;
        }
        if let Some(cwd) = &self.cwd {
            tried(Step::Cwd, chdir(cwd.as_c_str()))?;
        }
        // Last, because the kernel clears it when the user changes.
        tried(Step::Parent, set_parent_process_death_signal(Some(Signal::KILL)))?;
        // The keeper may have died before that.
        let is_child = getppid() == Some(self.keeper);
        tried(Step::Parent, if is_child { Ok(()) } else { Err(Errno::SRCH) })
    }
}

fn tried<T>(step: Step, result: rustix::io::Result<T>) -> io::Result<()> {
    let number = |errno: Errno| i32::from(step as u8) << 16 | errno.raw_os_error();
    result.map(drop).map_err(|errno| io::Error::from_raw_os_error(number(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_error_says_which_step_failed() {
        for step in [Step::Exec, Step::Cgroup, Step::Limit, Step::Parent] {
            let error = tried(step, rustix::io::Result::<()>::Err(Errno::PERM)).unwrap_err();
            let (failed, cause) = failed_step(&error).unwrap();
            assert_eq!((failed, cause.kind()), (step, io::ErrorKind::PermissionDenied));
        }
        assert!(failed_step(&io::Error::other("no number")).is_none());
        assert!(failed_step(&io::Error::from_raw_os_error(99 << 16 | 2)).is_none());
    }
}
