//! The process of the keeper.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net,
    },
    process::ExitCode,
    time::{Duration, Instant},
};

use rustix::{
    process::{Resource, getpid, getrlimit, set_child_subreaper},
    thread::{clear_ambient_capability_set, set_name},
};
use tokio::{
    net::UnixStream,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    time::{sleep, sleep_until},
};

use super::{
    cgroups::Cgroups,
    family::Family,
    inherited::close_others,
    message::{Reply, Request, decode, encode},
    socket::Received,
    start::Starter,
};

/// How long killed processes may take to die before the keeper exits.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// Runs the keeper, if its standard input is the socket that pmesh has made. Returns when pmesh has ended, or no longer
/// needs it, and all programs have ended.
///
/// It has one thread, because programs get a signal when the thread that started them ends.
pub fn run() -> ExitCode {
    close_others();
    let runtime = Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "pmesh: the keeper of the services: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    // Handled and not ignored, because programs would inherit ignored signals.
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ] {
        drop(signal(kind)?);
    }
    let mut exits = signal(SignalKind::child())?;
    let socket = pmesh()?;
    let _ = set_name(c"pmesh-keeper");
    // pmesh may have some without being root, such as the one for ports below 1024. Programs would inherit them.
    let _ = clear_ambient_capability_set();
    set_child_subreaper(Some(getpid()))?;
    let open_files = env::args_os().nth(2).as_ref().and_then(number);
    let open_files = open_files.or(getrlimit(Resource::Nofile).current).unwrap_or(u64::MAX);
    let cgroups = Cgroups::set_up();
    let mut replies = Replies::default();
    replies.push(&Reply::Hello(cgroups.enforced().clone()));
    let mut family = Family::new(Starter { cgroups, open_files });
    let mut received = Received::default();
    let mut is_closing = false;
    loop {
        family.reap();
        let next_sweep = family.sweep();
        family.take_replies().iter().for_each(|reply| replies.push(reply));
        replies.send(&socket);
        if is_closing && family.is_empty() {
            break;
        }
        tokio::select! {
            request = received.message(&socket), if !is_closing => match request {
                Ok(Some(request)) => match decode(&request)? {
                    Request::Launch { id, launch } => family.launch(id, &launch, received.take_pipes()),
                    Request::Signal { id, signal } => family.signal(id, signal),
                    Request::Kill { id } => family.kill(id),
                },
                Ok(None) | Err(_) => {
                    is_closing = true;
                    family.stop_all();
                }
            },
            _ = exits.recv() => {}
            _ = socket.writable(), if !replies.is_empty() => {}
            () = sleep_until(next_sweep.unwrap_or_else(Instant::now).into()), if next_sweep.is_some() => {}
        }
    }
    let start = Instant::now();
    while family.kill_rest() && start.elapsed() < PATIENCE {
        sleep(POLL).await;
    }
    Ok(())
}

/// The socket to pmesh.
fn pmesh() -> io::Result<UnixStream> {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    let socket = net::UnixStream::from(socket);
    if socket.local_addr().is_err() {
        return Err(io::Error::other("pmesh starts it by itself when there are services"));
    }
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn number(argument: &OsString) -> Option<u64> {
    argument.to_str()?.parse().ok()
}

/// Messages for pmesh that have not been sent yet.
#[derive(Debug, Default)]
struct Replies {
    bytes: Vec<u8>,
}

impl Replies {
    fn push(&mut self, reply: &Reply) {
        // Numbers and short texts can always be encoded.
        self.bytes.extend(encode(reply).unwrap_or_default());
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn send(&mut self, socket: &UnixStream) {
        while !self.bytes.is_empty() {
            match socket.try_write(&self.bytes) {
                Ok(sent) => drop(self.bytes.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // pmesh has ended. Reading from the socket shows that, too.
                Err(_) => self.bytes.clear(),
            }
        }
        self.bytes.shrink_to(4096);
    }
}
