//! No process outlives the program that has started it, the keeper, or pmesh.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use pmesh::services::keeper::KeeperEvent;
use tokio::time::timeout;

use crate::{PATIENCE, Side, eventually, is_alive, is_root, read, read_line, shell};

/// Starts a child, a grandchild in its own session, and one whose parent has exited, and prints their ids.
const FAMILY: &str = "
sleep 1000 & echo $!
setsid sh -c 'sleep 1000 & echo $!; wait' &
setsid sh -c 'sleep 1000 & echo $!'
wait";

#[tokio::test]
async fn killing_a_program_kills_all_that_it_has_started() {
    for mut side in Side::start_both().await {
        let (pid, output) = side.run(1, &shell(FAMILY)).await;
        let (_, other) = side.run(2, &shell("echo $$; setsid sleep 1000 & wait")).await;
        let other = read_line(&other.stdout).await;
        let family = family(&output.stdout).await;
        assert!(family.iter().all(is_alive));
        side.keeper.kill(1);
        assert_eq!(side.exit(1).await.signal, Some(9));
        assert!(!is_alive(pid) && !family.iter().any(is_alive));
        // Others keep running.
        assert!(is_alive(other));
    }
}

#[tokio::test]
async fn a_program_that_exits_leaves_nothing_behind() {
    for mut side in Side::start_both().await {
        let (_, output) = side.run(1, &shell(&format!("trap 'exit 4' USR1\n{FAMILY}"))).await;
        let family = family(&output.stdout).await;
        side.keeper.signal(1, 10);
        assert_eq!(side.exit(1).await.code, Some(4));
        assert!(!family.iter().any(is_alive));
        assert_eq!(read(&output.stdout).await, "");
    }
}

#[tokio::test]
async fn orphans_do_not_stay_as_zombies() {
    for mut side in Side::start_both().await {
        let (_, output) = side.run(1, &shell("(sleep 0.01 & echo $!); (sleep 0.02 & echo $!); exec sleep 1000")).await;
        for _ in 0..2 {
            let orphan = read_line(&output.stdout).await;
            eventually("reaped", || !std::path::Path::new(&format!("/proc/{orphan}")).exists());
        }
    }
}

#[tokio::test]
async fn dropping_the_keeper_stops_all_programs() {
    for mut side in Side::start_both().await {
        let (polite, _output) = side.run(1, &shell("trap 'exit 5' TERM; sleep 1000 & wait")).await;
        let mut launch = shell("trap '' TERM; echo ready; sleep 1000; sleep 1000");
        launch.stop_timeout = Duration::from_millis(300);
        let (stubborn, output) = side.run(2, &launch).await;
        assert_eq!(read_line(&output.stdout).await, "ready");
        let Side { keeper, mut events, .. } = side;
        let pid = keeper.pid();
        drop(keeper);
        let mut ends = Vec::new();
        while let Some(event) = timeout(PATIENCE, events.recv()).await.expect("the keeper does not exit") {
            match event {
                KeeperEvent::Exited { id, status } => ends.push((id, status.code, status.signal)),
                other => panic!("{other:?}"),
            }
        }
        ends.sort_unstable();
        assert!(
            ends == [(1, Some(5), None), (2, None, Some(9))] || ends == [(1, None, Some(15)), (2, None, Some(9))],
            "{ends:?}"
        );
        assert!(![polite, stubborn, pid].iter().any(is_alive));
    }
}

#[tokio::test]
async fn a_killed_keeper_leaves_nothing_behind_and_is_reported() {
    for mut side in Side::start_both().await {
        let (first, output) = side.run(1, &shell(FAMILY)).await;
        let family = family(&output.stdout).await;
        let (second, _output) = side.run(2, &shell("trap '' TERM HUP; sleep 1000; sleep 1000")).await;
        kill(Pid::from_raw(i32::try_from(side.keeper.pid()).unwrap()), Signal::SIGKILL).unwrap();
        match timeout(PATIENCE, side.events.recv()).await.unwrap() {
            Some(KeeperEvent::Lost(reason)) => assert!(reason.contains("signal: 9"), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert!(![first, second].iter().any(is_alive) && !family.iter().any(is_alive));
        // Reaped, too.
        for pid in family.into_iter().chain([first.to_string(), second.to_string()]) {
            assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
        }
        assert!(timeout(PATIENCE, side.events.recv()).await.unwrap().is_none());
        assert_eq!(side.keeper.launch(3, &shell("true")).unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
    }
    // Another one can take its place.
    let mut side = Side::start().await;
    assert_eq!(side.output(&shell("echo again")).await, "again\n");
}

#[test]
fn a_killed_pmesh_leaves_nothing_behind() {
    let (mut pmesh, pids) = start_pmesh();
    assert!(pids.iter().all(is_alive), "{pids:?}");
    pmesh.kill().unwrap();
    pmesh.wait().unwrap();
    eventually("all have ended", || !pids.iter().any(is_alive));
}

#[test]
fn programs_die_with_the_keeper_even_if_pmesh_does_nothing() {
    let (mut pmesh, pids) = start_pmesh();
    let [keeper, first, second, others @ ..] = &*pids else { panic!("{pids:?}") };
    let signal = |pid: &str, signal| kill(Pid::from_raw(pid.parse().unwrap()), signal).unwrap();
    signal(&pmesh.id().to_string(), Signal::SIGSTOP);
    signal(keeper, Signal::SIGKILL);
    eventually("the kernel has killed them", || !is_alive(first) && !is_alive(second));
    signal(&pmesh.id().to_string(), Signal::SIGCONT);
    eventually("pmesh has killed the others", || !others.iter().any(is_alive));
    pmesh.kill().unwrap();
    pmesh.wait().unwrap();
}

#[test]
fn signals_for_a_terminal_do_not_reach_the_keeper_and_its_programs() {
    let (mut pmesh, pids) = start_pmesh();
    let keeper = Pid::from_raw(pids[0].parse().unwrap());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE, Signal::SIGUSR1] {
        kill(keeper, signal).unwrap();
    }
    // In a group of its own, as if a shell had started it.
    let group = nix::unistd::getpgid(Some(keeper)).unwrap();
    assert_eq!(group, keeper);
    assert!(pids.iter().all(is_alive));
    pmesh.kill().unwrap();
    pmesh.wait().unwrap();
    eventually("all have ended", || !pids.iter().any(is_alive));
}

/// This test program again, as pmesh's side. Prints the ids of the keeper and of all processes that it has started.
fn start_pmesh() -> (Child, Vec<String>) {
    let mut pmesh = Command::new(env::current_exe().unwrap())
        .args(["--exact", "ending::pmesh_side", "--nocapture"])
        .env("KEEPER_TEST_SIDE", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(pmesh.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.into_iter().find_map(|line| Some(line.split_once("processes: ")?.1.to_owned())).unwrap();
    (pmesh, line.split(' ').map(str::to_owned).collect())
}

/// Not a test, but what [`start_pmesh`] runs.
#[tokio::test]
async fn pmesh_side() {
    if env::var_os("KEEPER_TEST_SIDE").is_none() {
        return;
    }
    let mut side = Side::start().await;
    let mut launch = shell(&FAMILY.replace("\nwait", "\ntrap '' TERM\nwait; sleep 1000"));
    launch.stop_timeout = Duration::from_millis(200);
    let (first, output) = side.run(1, &launch).await;
    let mut launch = shell("exec sleep 1000");
    if is_root() {
        launch.user = Some((65534, 65534, "nobody".to_owned()));
    }
    let (second, _output) = side.run(2, &launch).await;
    let family = family(&output.stdout).await;
    let pids = [side.keeper.pid(), first, second].map(|pid| pid.to_string());
    println!("processes: {} {}", pids.join(" "), family.join(" "));
    std::future::pending::<()>().await;
}

async fn family(stdout: &tokio::net::unix::pipe::Receiver) -> [String; 3] {
    let family = [read_line(stdout).await, read_line(stdout).await, read_line(stdout).await];
    assert!(family.iter().all(|pid| pid.parse::<u32>().is_ok()), "{family:?}");
    family
}
