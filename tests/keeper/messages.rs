//! Errors say why a program cannot be started, and what to do.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{PROGRAM, Side, is_root, program, script, shell};

#[tokio::test]
async fn failed_starts_are_explained() {
    let mut side = Side::start().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("plain"), "text").unwrap();
    script(Path::new(&at("orphan")), "#!/nonexistent/interpreter\n");
    let path = std::env::var("PATH").unwrap();

    assert_eq!(side.fail(&program(&["no-such-program"])).await, format!("no-such-program: not found in PATH ({path})"));
    assert_eq!(side.fail(&program(&["/no/such"])).await, "/no/such does not exist");
    let mut launch = program(&["./server"]);
    launch.cwd = Some(folder.path().into());
    assert_eq!(side.fail(&launch).await, format!("./server does not exist in {}", folder.path().display()));
    launch.program = vec!["./plain".to_owned()];
    let plain = format!("{}/./plain", folder.path().display());
    assert_eq!(side.fail(&launch).await, format!("{plain} is not executable; try `chmod +x {plain}`"));
    let interpreter = side.fail(&program(&[&at("orphan")])).await;
    assert!(interpreter.starts_with(&format!("{}: the interpreter", at("orphan"))), "{interpreter}");
    assert_eq!(side.fail(&program(&[&at("")])).await, format!("{} is a folder", at("")));
    assert_eq!(side.fail(&program(&[])).await, "there is no program to run");

    let mut launch = shell("true");
    launch.cwd = Some(at("missing").into());
    assert_eq!(side.fail(&launch).await, format!("cwd {} does not exist", at("missing")));
    launch.cwd = Some(at("plain").into());
    assert_eq!(side.fail(&launch).await, format!("cwd {} is not a folder", at("plain")));

    assert_eq!(side.fail(&program(&["echo", "a\0b"])).await, "the argument \"a\\0b\" contains a NUL byte");
    let mut launch = shell("true");
    launch.env.push(("A=B".to_owned(), String::new()));
    assert_eq!(side.fail(&launch).await, "the variable \"A=B\" has no name, a `=` in its name, or a NUL byte");
    launch.env = vec![("BIG".to_owned(), "x".repeat(200_000))];
    assert_eq!(side.fail(&launch).await, "the variable BIG has 200004 bytes; Linux allows 131071");
    launch.env = (0..70).map(|number| (format!("BIG_{number}"), "x".repeat(100_000))).collect();
    let too_long = side.fail(&launch).await;
    assert!(too_long.starts_with("/bin/sh: the arguments and variables are too long together"), "{too_long}");
    // Other programs are not affected.
    assert_eq!(side.output(&shell("echo well")).await, "well\n");
}

#[tokio::test]
async fn arguments_that_are_too_long_are_an_error() {
    let side = Side::start().await;
    let mut launch = shell("true");
    launch.env = (0..200).map(|number| (format!("BIG_{number}"), "x".repeat(100_000))).collect();
    let error = side.keeper.launch(1, &launch).unwrap_err();
    assert_eq!(error.to_string(), "the arguments and variables of the service are too long");
}

#[tokio::test]
async fn a_folder_that_the_user_cannot_enter_is_an_error() {
    if !is_root() {
        return;
    }
    let mut side = Side::start().await;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut launch = shell("true");
    launch.user = Some((65534, 65534, "nobody".to_owned()));
    launch.cwd = Some(folder.path().into());
    let error = side.fail(&launch).await;
    assert!(error.contains("Permission denied") && error.ends_with("for user nobody"), "{error}");
}

#[tokio::test]
async fn errors_say_that_root_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = folder.path().join("pmesh");
    // As root without privileges, because another user may have no access to the program.
    let without_privileges = "setpriv --inh-caps=-all --bounding-set=-all";
    script(
        &keeper,
        &format!(
            "#!/bin/sh\nulimit -n 100\n[ $(id -u) != 0 ] || exec {without_privileges} {PROGRAM} \"$@\"\n\
             exec {PROGRAM} \"$@\"\n"
        ),
    );
    let mut side = Side::start_program(&keeper).await;
    let mut launch = shell("ulimit -n");
    launch.user = Some((1, 1, "daemon".to_owned()));
    assert_eq!(
        side.fail(&launch).await,
        "user daemon: only root can change the user; run pmesh as root, or remove `user`"
    );
    launch.user = Some((nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw(), "this one".to_owned()));
    launch.limits.open_files = Some(101);
    let expected = "limits.open_files: pmesh itself may have at most 100; raise its hard limit, or lower this one";
    assert_eq!(side.fail(&launch).await, expected);
    launch.limits.open_files = Some(100);
    assert_eq!(side.output(&launch).await, "100\n");
}
