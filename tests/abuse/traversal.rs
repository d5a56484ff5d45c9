//! Paths that try to leave the folder of `files`, or to reach hidden files in it.

use std::{fs, os::unix::fs::symlink, path::Path};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::support::{Client, Program, Start};

/// The content of files that no request may get.
const CANARY: &str = "the canary";
const HOST: &str = "a.test";

/// Requests that must not be answered with a file. The folder of the files is `site/www`; the canary is beside it, in hidden
/// files, and behind symbolic links. A `SECRET` is the absolute path of the canary.
const INPUTS: &[&str] = &[
    "/../canary",
    "/../../canary",
    "/../../../../../../../../etc/passwd",
    "/docs/../../canary",
    "/docs/../../../canary",
    "/./../canary",
    "/docs/./../../canary",
    "//../canary",
    "//../../canary",
    "/docs//../../canary",
    "/..//canary",
    "/.//../canary",
    "/%2e%2e/canary",
    "/%2E%2E/canary",
    "/.%2e/canary",
    "/%2e./canary",
    "/%2e%2e%2fcanary",
    "/..%2fcanary",
    "/..%2Fcanary",
    "/docs%2f..%2f..%2fcanary",
    "/docs/..%2f../canary",
    "/%252e%252e/canary",
    "/%252e%252e%252fcanary",
    "/..%252fcanary",
    "/%25252e%25252e%25252fcanary",
    "/..\\canary",
    "/..%5ccanary",
    "/..%5Ccanary",
    "/docs\\..\\..\\canary",
    "/docs%5c..%5c..%5ccanary",
    "/%2e%2e%5ccanary",
    "/..;/canary",
    "/..;x=y/canary",
    "/docs/..;/..;/canary",
    "/..%3b/canary",
    "/..%00/canary",
    "/../canary%00.html",
    "/%00../canary",
    "/index.html%00",
    "/%c0%ae%c0%ae/canary",
    "/%c0%ae%c0%ae%c0%afcanary",
    "/%u002e%u002e/canary",
    "/%uff0e%uff0e/canary",
    "/\u{ff0e}\u{ff0e}/canary",
    "/....//canary",
    "/.../canary",
    "/..?/canary",
    "/..#/canary",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "SECRET",
    "/SECRET",
    "/%2FSECRET",
    "http://a.test/../canary",
    "http://a.test/%2e%2e/canary",
    "http://a.test/..%2fcanary",
    "file:///etc/passwd",
    // Symbolic links.
    "/out",
    "/out_absolute",
    "/out_folder/canary",
    "/out_folder/",
    "/out_twice",
    "/root/etc/passwd",
    "/docs/out",
    // A precompressed variant that is a link.
    "/index.html?variant",
    // Hidden files.
    "/.env",
    "/%2eenv",
    "/.git/config",
    "/.git/",
    "/%2Egit/config",
    "/docs/.htpasswd",
    "/docs/%2ehtpasswd",
    "/.well-known/.env",
    "/docs/.well-known/secret",
    "/.well-known/../.env",
    "/.well-known%2f..%2f.env",
    "//.env",
    "/./.env",
    // A pipe, which would wait for a writer.
    "/fifo",
    "/fifo/",
    "/device",
];

fn program(route: &str) -> (Program, String) {
    let start = Start::new();
    let site = start.home().join("site");
    let www = site.join("www");
    let canary = site.join("canary");
    for folder in ["docs/.well-known", ".git", ".well-known"] {
        fs::create_dir_all(www.join(folder)).unwrap();
    }
    for path in [&canary, &start.home().join("canary")] {
        fs::write(path, CANARY).unwrap();
    }
    fs::write(site.join("index.html"), CANARY).unwrap();
    for hidden in
        [".env", ".git/config", ".git/index.html", "docs/.htpasswd", ".well-known/.env", "docs/.well-known/secret"]
    {
        fs::write(www.join(hidden), CANARY).unwrap();
    }
    for visible in ["index.html", "docs/index.html", ".well-known/security.txt"] {
        fs::write(www.join(visible), "visible").unwrap();
    }
    for (link, target) in [
        ("out", Path::new("../canary")),
        ("out_absolute", &canary),
        ("out_folder", Path::new("..")),
        ("out_twice", Path::new("out")),
        ("root", Path::new("/")),
        ("docs/out", Path::new("../../canary")),
        ("index.html.gz", Path::new("../canary")),
        ("inside", Path::new("docs/index.html")),
        ("device", Path::new("/dev/zero")),
    ] {
        symlink(target, www.join(link)).unwrap();
    }
    mknodat(CWD, www.join("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let config = format!("[[routes]]\nhost = \"{HOST}\"\nfiles = {{ root = \"site/www\" {route}\n");
    (start.config(&config).run(), canary.display().to_string())
}

/// The status, and the whole response.
fn answered(program: &Program, target: &str) -> (u16, String) {
    let mut client = Client::connect(program.http());
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"));
    let text = String::from_utf8_lossy(&client.end().0).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    (status, text)
}

#[test]
fn no_path_leads_out_of_the_folder_or_to_hidden_files() {
    assert!(INPUTS.len() >= 50);
    for (route, visible) in [("}", 200), ("}\nallow_ambiguous_paths = true", 200), (", spa = true }", 200)] {
        let (program, secret) = program(route);
        for input in INPUTS {
            let target = input.replace("SECRET", &secret);
            let (status, text) = answered(&program, &target);
            assert!(!text.contains(CANARY) && !text.contains("root:"), "{route} {target}: {text}");
            // An empty status is silence, for a host that is not served.
            let is_index = text.ends_with("visible");
            assert!(matches!(status, 0 | 400 | 404) || is_index, "{route} {target}: {text}");
            // A redirect would be to a folder outside, or to another host.
            assert!(!text.to_lowercase().contains("\nlocation:"), "{route} {target}: {text}");
        }
        // Files inside the folder are served.
        for path in ["/", "/index.html", "/docs/", "/inside", "/.well-known/security.txt"] {
            let (status, text) = answered(&program, path);
            assert_eq!((status, text.ends_with("visible")), (visible, true), "{path}: {text}");
        }
    }
}

#[test]
fn redirects_to_folders_stay_on_the_host() {
    let (program, _) = program("}");
    for (target, location) in [
        ("/docs", "./docs/"),
        ("//docs", "./docs/"),
        ("/docs?/../x", "./docs/?/../x"),
        ("//docs?//evil.test", "./docs/?//evil.test"),
        ("///docs", "./docs/"),
    ] {
        let (status, text) = answered(&program, target);
        assert_eq!(status, 308, "{target}: {text}");
        assert!(text.contains(&format!("\r\nlocation: {location}\r\n")), "{target}: {text}");
    }
    for target in
        ["//evil.test", "//evil.test/", "//evil.test/%2e%2e", "/\\evil.test", "//docs\\@evil.test", "/%5cevil.test"]
    {
        let (status, text) = answered(&program, target);
        assert!(matches!(status, 400 | 404) && !text.to_lowercase().contains("location"), "{target}: {text}");
    }
}
