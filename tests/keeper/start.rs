//! Programs start with the arguments, variables, folder and user that were requested, and inherit nothing else.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{PROGRAM, Side, is_alive, is_root, program, read, read_line, script, shell};

#[tokio::test]
async fn output_and_exit_status_arrive() {
    let mut side = Side::start().await;
    let (_, output) = side.run(7, &shell("echo out; echo err >&2; exit 3")).await;
    assert_eq!(read(&output.stdout).await, "out\n");
    assert_eq!(read(&output.stderr).await, "err\n");
    let status = side.exit(7).await;
    assert_eq!((status.code, status.signal, status.is_success()), (Some(3), None, false));
    assert!(side.output(&shell("exit 0")).await.is_empty());
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let mut side = Side::start().await;
    let (pid, output) = side.run(1, &shell("sleep 1000 & echo $!; wait")).await;
    let child = read_line(&output.stdout).await;
    assert!(is_alive(pid) && is_alive(&child));
    side.keeper.signal(1, 10);
    let status = side.exit(1).await;
    assert_eq!((status.code, status.signal), (None, Some(10)));
    assert_eq!(status.to_string(), "was killed by SIGUSR1");
    assert!(!is_alive(child));
    // Neither exists any longer.
    side.keeper.signal(1, 10);
    side.keeper.kill(1);
    side.keeper.kill(2);
    assert_eq!(side.output(&shell("echo well")).await, "well\n");
}

#[tokio::test]
async fn arguments_arrive_unchanged() {
    let mut side = Side::start().await;
    let odd = ["", " ", "a b", "it's", "\"$PATH\"", "new\nline", "\u{1}\u{7f}", "ü€😀", "\\", "--"];
    let words = [&["/usr/bin/printf", "[%s]"], &odd[..]].concat();
    let expected: String = odd.iter().map(|word| format!("[{word}]")).collect();
    assert_eq!(side.output(&program(&words)).await, expected);
}

#[tokio::test]
async fn a_program_gets_only_the_given_variables() {
    let mut side = Side::start().await;
    let mut launch = program(&["env", "-0"]);
    launch.env.push(("ODD".to_owned(), "a=b\n\"ü\"".to_owned()));
    launch.env.push(("EMPTY".to_owned(), String::new()));
    let mark = format!("{}.1", side.keeper.pid());
    let printed = side.output(&launch).await;
    let printed: BTreeMap<_, _> = printed.split_terminator('\0').filter_map(|entry| entry.split_once('=')).collect();
    let given = launch.env.iter().map(|(name, value)| (&**name, &**value));
    assert_eq!(printed, given.chain([("SERVICE_KEEPER", &*mark)]).collect());
}

#[tokio::test]
async fn large_environments_arrive() {
    let mut side = Side::start().await;
    let mut launch = shell("env | wc -c");
    for number in 0..30 {
        launch.env.push((format!("LARGE_{number}"), "x".repeat(10_000)));
    }
    let size: usize = side.output(&launch).await.trim().parse().unwrap();
    assert!((300_000..310_000).contains(&size), "{size}");
}

#[tokio::test]
async fn programs_start_in_their_folder() {
    let mut side = Side::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut launch = program(&["./here", "x"]);
    launch.cwd = Some(folder.path().to_owned());
    script(&folder.path().join("here"), "#!/bin/sh\npwd; echo $1\n");
    assert_eq!(side.output(&launch).await, format!("{}\nx\n", folder.path().display()));
    assert_eq!(side.output(&shell("pwd")).await.trim(), std::env::current_dir().unwrap().to_str().unwrap());
}

#[tokio::test]
async fn programs_are_found_in_their_own_path() {
    let mut side = Side::start().await;
    let folder = tempfile::tempdir().unwrap();
    script(&folder.path().join("found"), "#!/bin/sh\necho here\n");
    let mut launch = program(&["found"]);
    launch.env = vec![("PATH".to_owned(), format!("/nonexistent:{}", folder.path().display()))];
    assert_eq!(side.output(&launch).await, "here\n");
}

#[tokio::test]
async fn programs_inherit_three_descriptors_and_no_signal_settings() {
    let mut side = Side::start().await;
    let (pid, output) = side.run(1, &shell("read line < /dev/stdin; echo end; exec sleep 1000")).await;
    assert_eq!(read_line(&output.stdout).await, "end", "standard input is not empty");
    let name = || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    crate::eventually("the shell became sleep", || name() == "sleep\n");
    // While the program is loaded, it has one of its libraries open.
    crate::eventually("it has no other descriptor", || {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let mut descriptors: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        descriptors.sort();
        descriptors == ["0", "1", "2"]
    });
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), Path::new("/dev/null"));
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |field: &str| status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        let signals = u64::from_str_radix(value(field).unwrap(), 16).unwrap();
        // glibc keeps 32 and 33 for itself.
        assert_eq!(signals & !(0b11 << 31), 0, "{field}: {signals:x}");
    }
    // pmesh turns huge pages off only for itself. Kernels without them have no line.
    assert!(value("THP_enabled").is_none_or(|value| value == "1"));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let [parent, group, session] = [fields[1], fields[2], fields[3]];
    assert_eq!(parent, side.keeper.pid().to_string());
    assert_eq!([group, session], [pid.to_string(), pid.to_string()]);
}

#[tokio::test]
async fn the_keeper_holds_only_what_it_needs() {
    let mut side = Side::start().await;
    let (_, _output) = side.run(1, &shell("exec sleep 1000")).await;
    let keeper = side.keeper.pid();
    let targets: Vec<_> = fs::read_dir(format!("/proc/{keeper}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect();
    // The pipes of programs are only theirs. Standard error may be one.
    let pipes = fs::read_link(format!("/proc/{keeper}/fd/2")).unwrap();
    let others = targets.iter().filter(|target| target.starts_with("pipe:") && ***target != *pipes.to_string_lossy());
    assert_eq!(others.count(), 0, "{targets:?}");
    // The socket and its copy, and the pair by which tokio passes on signals.
    let sockets = targets.iter().filter(|target| target.starts_with("socket:")).count();
    assert!(sockets <= 5, "{targets:?}");
    assert_eq!(fs::read_dir(format!("/proc/{keeper}/task")).unwrap().count(), 1, "threads");
    assert_eq!(fs::read(format!("/proc/{keeper}/environ")).unwrap(), b"");
    assert_eq!(fs::read_to_string(format!("/proc/{keeper}/comm")).unwrap(), "pmesh-keeper\n");
}

#[tokio::test]
async fn programs_run_as_their_user() {
    if !is_root() {
        return;
    }
    let mut side = Side::start().await;
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let mut launch =
        shell("id -u; id -g; id -G; grep -c . /proc/self/environ > /dev/null && echo readable; exec sleep 1000");
    launch.user = Some((nobody.uid.as_raw(), nobody.gid.as_raw(), "nobody".to_owned()));
    launch.cwd = Some("/".into());
    let (pid, output) = side.run(1, &launch).await;
    let groups = nix::unistd::getgrouplist(c"nobody", nobody.gid).unwrap();
    let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
    for expected in [nobody.uid.to_string(), nobody.gid.to_string(), groups.join(" "), "readable".to_owned()] {
        assert_eq!(read_line(&output.stdout).await, expected);
    }
    side.keeper.kill(1);
    assert_eq!(side.exit(1).await.signal, Some(9));
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn the_argument_is_not_a_command_for_people() {
    let output = std::process::Command::new(PROGRAM).arg("service-keeper").output().unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("pmesh starts it by itself"), "{stderr}");
    let help = std::process::Command::new(PROGRAM).arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("keeper"));
}
