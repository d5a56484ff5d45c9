//! `pmesh secret`: its effect on the home.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{SECRET, command, failed, fed, succeeded, support::Start};

fn printed(home: &Path, arguments: &[&str]) -> String {
    succeeded(&command(home, arguments).output().unwrap())
}

/// The files in a home with their modes.
fn files(home: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(home)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            format!("{} {mode:o}", entry.file_name().to_str().unwrap())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_secret_is_set_shown_and_identified() {
    let folder = tempfile::tempdir().unwrap();
    let home = &folder.path().join("home");
    assert!(
        failed(&mut command(home, &["secret", "show"])).1.contains("secret does not exist; copy it from another node")
    );
    let set = |flags: &[&str], secret: &str| fed(command(home, &[&["secret", "set"], flags].concat()), secret);
    let bad = set(&[], "0123");
    assert!(!bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("64 hexadecimal digits"), "{bad:?}");
    assert!(!home.exists());

    succeeded(&set(&[], &format!("{SECRET}\n")));
    assert_eq!(files(home), ["secret 600"]);
    assert_eq!(printed(home, &["secret", "show"]), format!("{SECRET}\n"));

    let other = SECRET.replace('0', "f");
    let refused = set(&[], &other);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"), "{refused:?}");
    assert_eq!(printed(home, &["secret", "show"]), format!("{SECRET}\n"));

    let before = printed(home, &["secret", "fingerprint"]);
    assert!(before.starts_with("public authority  ") && before.contains("\nnode authority    "), "{before}");
    let file = folder.path().join("other");
    fs::write(&file, &other).unwrap();
    printed(home, &["secret", "set", "--force", "--file", file.to_str().unwrap()]);
    assert_eq!(
        (printed(home, &["secret", "show"]), files(home)),
        (format!("{other}\n"), vec!["secret 600".to_owned()])
    );
    assert_ne!(printed(home, &["secret", "fingerprint"]), before);
}

#[test]
fn a_rotation_keeps_the_authority_until_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    assert!(
        failed(&mut command(home, &["secret", "rotate"]))
            .1
            .contains("secret does not exist; copy it from another node")
    );
    succeeded(&fed(command(home, &["secret", "set"]), SECRET));
    let authority = printed(home, &["ca"]);
    assert!(failed(&mut command(home, &["ca", "--next"])).1.contains("not being rotated"));
    assert!(failed(&mut command(home, &["secret", "rotate", "--finish"])).1.contains("no rotation is under way"));

    printed(home, &["secret", "rotate"]);
    assert_eq!(files(home), ["secret 600", "secret.old 600"]);
    let new = printed(home, &["secret", "show"]);
    assert_ne!(new.trim(), SECRET);
    let next = printed(home, &["ca", "--next"]);
    assert_eq!(printed(home, &["ca"]), authority);
    assert_ne!(next, authority);
    let fingerprints = printed(home, &["secret", "fingerprint"]);
    assert_eq!(fingerprints.lines().filter(|line| line.contains(", old")).count(), 2, "{fingerprints}");
    let (status, error) = failed(&mut command(home, &["secret", "rotate"]));
    assert_eq!(status, Some(2));
    assert!(error.contains("a rotation is under way") && error.contains("--finish"), "{error}");
    assert_eq!(printed(home, &["secret", "show"]), new);

    printed(home, &["secret", "rotate", "--finish"]);
    assert_eq!((files(home), printed(home, &["ca"])), (vec!["secret 600".to_owned()], next));

    // On another node.
    let other = tempfile::tempdir().unwrap();
    succeeded(&fed(command(other.path(), &["secret", "set"]), SECRET));
    succeeded(&fed(command(other.path(), &["secret", "rotate", "--set", "-"]), &new));
    assert_eq!(printed(other.path(), &["secret", "show"]), new);
}

#[test]
fn a_secret_set_outside_the_home_is_not_changed() {
    let start = Start::new();
    let home = start.home();
    let file = home.join("given");
    fs::write(&file, SECRET).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let before = files(home);
    for (variable, value, expected) in
        [("PMESH_SECRET", SECRET, "secret_file"), ("PMESH_SECRET_FILE", file.to_str().unwrap(), ".old")]
    {
        for arguments in [&["secret", "rotate"][..], &["secret", "rotate", "--finish"], &["secret", "set", "--force"]] {
            let (status, error) = failed(command(home, arguments).env(variable, value));
            assert_eq!(status, Some(2));
            assert!(error.contains(variable) && error.contains(expected), "{error}");
        }
        let shown = command(home, &["secret", "show"]).env(variable, value).output().unwrap();
        assert_eq!(succeeded(&shown), format!("{SECRET}\n"));
    }
    assert_eq!(files(home), before);
}
