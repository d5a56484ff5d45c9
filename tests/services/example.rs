//! The files in examples/services do what their README says.

use std::{path::PathBuf, process::Command};

use crate::{
    command, eventually, is_installed,
    support::{Client, Program, Start, tls::Tls},
};

fn file(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/services").join(name);
    path.into_os_string().into_string().unwrap()
}

/// Starts the program with a file of the folder, on ports that the kernel picks.
fn start(name: &str) -> Option<Program> {
    let has_all = ["node", "python3"].into_iter().all(is_installed);
    let flags = ["--config", &file(name), "--http", "0", "--https", "0", "--internal", "0", "--bind", "127.0.0.1"];
    has_all.then(|| Start::new().flags(&flags).run())
}

#[test]
fn three_services_run_from_one_file() {
    let Some(program) = start("config.toml") else { return };
    let get = |host: &str| Client::connect(program.http()).get(host, "/");
    for (host, heading) in [("node", "<h1>Node "), ("python", "<h1>Python "), ("static", "<h1>Static files")] {
        let response = get(&format!("{host}.localhost"));
        assert_eq!(response.status, 200, "{host}");
        assert!(response.text().contains(heading), "{}", response.text());
    }
    // Both instances answer.
    for service in ["node", "python"] {
        for instance in ["1", "2"] {
            let row = format!("<tr><th>instance<td>{instance}\n");
            eventually(&format!("{service}/{instance} answers"), || {
                let response = get(&format!("{service}.localhost"));
                let text = response.text().to_owned();
                assert!(text.contains(&format!("<tr><th>service<td>{service}\n<tr>")), "{text}");
                text.contains(&row)
            });
        }
    }
    let output = command(program.home(), &["services"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.lines().count(), 6, "{table}");
    assert_eq!(table.matches(" ready ").count(), 5, "{table}");
}

#[test]
fn three_lines_make_a_page_over_https() {
    let Some(program) = start("three-lines.toml") else { return };
    let mut client = Tls::trusting(&program).connect(program.https(), "web.localhost").unwrap();
    let response = client.get("web.localhost", "/");
    assert!(response.text().contains("<tr><th>service<td>web\n"), "{}", response.text());
    let text = std::fs::read_to_string(file("three-lines.toml")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(lines.count(), 3);
}

#[test]
fn the_files_of_the_readme_exist() {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let links: Vec<_> = readme.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap()).collect();
    let files: Vec<_> = links.iter().filter(|link| !link.contains("://") && !link.is_empty()).collect();
    assert!(files.len() > 5, "{links:?}");
    for name in files {
        assert!(std::fs::exists(file(name)).unwrap(), "{name}");
    }
}
