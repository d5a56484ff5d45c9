//! `include`: files with more routes, redirects, services and certificates.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::PathBuf,
};

use pmesh::settings::explain;

use crate::Start;

fn route(host: &str) -> String {
    format!("[[routes]]\nhost = \"{host}\"\nupstream = \"127.0.0.1:1\"\n")
}

fn including(files: &[(&str, String)], main: &str) -> Start {
    files.iter().fold(Start::new().file(main), |start, (path, text)| start.write(path, text))
}

/// The hosts of the routes, in their order.
fn hosts(start: &Start) -> Vec<String> {
    start.loaded().settings.routes.iter().map(|route| route.patterns[0].to_string()).collect()
}

#[test]
fn routes_and_certificates_of_all_files_are_used() {
    let files = [
        ("routes.d/10.toml", route("c")),
        ("routes.d/2.toml", route("d") + &route("e")),
        ("more/x.toml", format!("{}[[certificates]]\ncert = \"x.pem\"\nkey = \"~/x.key\"\n", route("b"))),
        ("last.toml", "# nothing yet\n".into()),
    ];
    let main = format!(
        "include = [\"more/*.toml\", \"routes.d/*.toml\", \"none.d/*.toml\", \"last.toml\"]\n{}[[certificates]]\ncert = \
         \"a.pem\"\nkey = \"a.key\"\n",
        route("a")
    );
    let start = including(&files, &main);
    assert_eq!(hosts(&start), ["a", "b", "c", "d", "e"]);
    let loaded = start.loaded();
    let certificates: Vec<_> =
        loaded.settings.certificates.iter().map(|pair| start.without_folder(&pair.to_string())).collect();
    assert_eq!(certificates, ["[DIR]/a.pem with [DIR]/a.key", "[DIR]/more/x.pem with [DIR]/x.key"]);
    let origin = start.without_folder(&loaded.settings.certificates[1].origin);
    assert_eq!(origin, "[DIR]/more/x.toml:5: certificates[0].cert");

    assert_eq!(start.without_folder(&loaded.file_line()), "config    [DIR]/config.toml and 4 included files");
    assert_eq!(
        start.without_folder(&loaded.file_lines()),
        "config    [DIR]/config.toml\ninclude   [DIR]/more/x.toml\ninclude   [DIR]/routes.d/10.toml\ninclude   \
         [DIR]/routes.d/2.toml\ninclude   [DIR]/last.toml"
    );
    let explained = start.without_folder(&explain(&loaded, None).expect("all"));
    let sources: Vec<_> = explained
        .lines()
        .filter(|line| line.contains("-> 127.0.0.1:1") || line.contains(" with "))
        .filter_map(|line| Some(line.split_once("[DIR]/")?.1.rsplit("[DIR]/").next()?.trim()))
        .collect();
    assert_eq!(
        sources,
        [
            "config.toml:2",
            "more/x.toml:1",
            "routes.d/10.toml:1",
            "routes.d/2.toml:1",
            "routes.d/2.toml:4",
            "config.toml:5",
            "more/x.toml:4",
        ],
        "{explained}"
    );
}

#[test]
fn include_can_be_one_name_or_pattern() {
    for include in ["a.toml", "?.toml", "[a-b].toml", "./a.toml", "sub/../*.toml", "~/a.toml", "~/a.*", "[DIR]/a.toml"]
    {
        let start = Start::new();
        let main = format!("include = {:?}", start.with_folder(include));
        let start = start.file(&main).write("a.toml", &route("a")).write("sub/b.toml", "");
        assert_eq!(hosts(&start), ["a"], "{include}");
        assert_eq!(
            start.explained("include"),
            (start.without_folder(&start.with_folder(include)), "[DIR]/config.toml:1".into())
        );
    }
}

#[test]
fn patterns_skip_hidden_files_backups_special_files_and_the_main_file() {
    let files = [
        ("a.toml", route("a")),
        (".a.toml.swp", "{".into()),
        (".b.toml", "{".into()),
        ("a.toml~", "{".into()),
        ("sub.toml/c.toml", "{".into()),
    ];
    let start = including(&files, "include = \"*\"");
    let _socket = UnixListener::bind(start.folder.join("socket.toml")).expect("a socket");
    assert_eq!(hosts(&start), ["a"]);
    // The main file is recognized under any name.
    let start = including(&files, "include = \"../*/*.toml\"");
    let name = start.folder.file_name().expect("a name").to_string_lossy().into_owned();
    let start = start.write("config.toml", &format!("include = \"../{name}/*.toml\""));
    assert_eq!(hosts(&start), ["a"]);
}

#[test]
fn a_file_that_several_entries_match_is_read_once() {
    let files = [("b.toml", route("b")), ("a.toml", route("a"))];
    assert_eq!(hosts(&including(&files, "include = [\"b.toml\", \"?.toml\", \"./b.toml\"]")), ["b", "a"]);
}

#[test]
fn symlinks_are_followed() {
    let start = including(&[("available/a.toml", route("a"))], "include = \"enabled/*.toml\"");
    fs::create_dir(start.folder.join("enabled")).expect("a folder");
    symlink("../available/a.toml", start.folder.join("enabled/a.toml")).expect("a link");
    assert_eq!(hosts(&start), ["a"]);
    // This is how Kubernetes mounts a ConfigMap.
    let mounted = including(&[("r/..1/a.toml", route("a")), ("r/..1/b.toml", route("b"))], "include = \"r/*\"");
    for (link, target) in [("..data", "..1"), ("a.toml", "..data/a.toml"), ("b.toml", "..data/b.toml")] {
        symlink(target, mounted.folder.join("r").join(link)).expect("a link");
    }
    assert_eq!(hosts(&mounted), ["a", "b"]);

    symlink("gone.toml", start.folder.join("enabled/b.toml")).expect("a link");
    assert_eq!(
        start.error(),
        "[DIR]/config.toml:1: include: cannot read [DIR]/enabled/b.toml: No such file or directory (os error 2)"
    );
}

#[test]
fn errors_name_the_included_file_its_line_and_its_key() {
    let bad = "# one\n[[routes]]\nhost = \"x\"\nupstream = [\"a:1\", \"a:b\"]\nprefx = \"/\"\n[[routes]]\nhost = \"y\"\nprefix = \
               3\nupstream = \"a:1\"\n";
    let start =
        including(&[("r/a.toml", route("a")), ("r/b.toml", bad.into())], &format!("include = \"r/*\"\n{}", route("m")));
    let error = start.error();
    for expected in [
        "[DIR]/r/b.toml:4: routes[0].upstream[1]: expected an upstream",
        "[DIR]/r/b.toml:5: routes[0].prefx: unknown key; did you mean `prefix`?",
        "[DIR]/r/b.toml:8: routes[1].prefix: expected ",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    assert_eq!(error.lines().count(), 4, "{error}");
}

#[test]
fn errors_about_duplicates_name_both_places() {
    let start = including(&[("b.toml", route("b") + &route("a"))], &format!("include = \"b.toml\"\n{}", route("a")));
    assert_eq!(
        start.error(),
        "[DIR]/b.toml:4: routes[1]: a/ has two routes: `a/ -> 127.0.0.1:1` here and `a/ -> 127.0.0.1:1` from \
         [DIR]/config.toml:2: routes[0]"
    );
    let start = including(&[("r/b.toml", route("b")), ("r/c.toml", route("b"))], "include = \"r/*\"");
    assert!(start.error().ends_with("from [DIR]/r/b.toml:1: routes[0]"), "{}", start.error());
}

#[test]
fn redirects_of_all_files_are_merged_by_key() {
    let redirects = |from: &str| {
        format!("[redirects]\n\"{from}\" = \"https://x.test\"\n\n[redirects.\"2.{from}\"]\nto = \"https://x.test\"\n")
    };
    let files = [("r/b.toml", redirects("b.test")), ("r/c.toml", redirects("c.test"))];
    let start = including(&files, &format!("include = \"r/*\"\n{}{}", redirects("a.test"), route("a")));
    assert_eq!(start.loaded().settings.routes.len(), 7);
    let explained = start.without_folder(&explain(&start.loaded(), Some("redirects")).expect("a setting"));
    for place in ["config.toml:3", "config.toml:5", "r/b.toml:2", "r/b.toml:4", "r/c.toml:2", "r/c.toml:4"] {
        assert!(explained.contains(&format!(" [DIR]/{place}\n")), "{place}: {explained}");
    }

    let start = start.write("r/c.toml", "[redirects]\n\"c.test\" = 3\n\"b.test\" = \"https://y.test\"\n");
    let error = start.error();
    for expected in [
        "[DIR]/r/c.toml:2: redirects.\"c.test\": ",
        "[DIR]/r/c.toml:3: redirects.\"b.test\": defined twice: here and in [DIR]/r/b.toml:2; keep one of them",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A list is an error in either file.
    for (a, b, expected) in [
        ("[redirects]\n\"a\" = \"https://x\"\n", "redirects = []\n", "[DIR]/b.toml:1: redirects: expected a table"),
        ("redirects = []\n", "[redirects]\n\"a\" = \"https://x\"\n", "[DIR]/a.toml:1: redirects: expected a table"),
    ] {
        let start = including(&[("a.toml", a.into()), ("b.toml", b.into())], "include = \"?.toml\"");
        assert!(start.error().starts_with(expected), "{}", start.error());
    }
}

#[test]
fn references_and_paths_work_in_included_files() {
    let text = "[[routes]]\nhost = \"${HOST}\"\nupstream = \"https://${BACKEND:-a}:1\"\ntls = { ca = \"ca.pem\" }\n";
    let start = including(&[("r/a.toml", text.into())], "include = \"${ROUTES}/*.toml\"").variable("ROUTES", "r");
    assert_eq!(
        start.error(),
        "[DIR]/r/a.toml:2: routes[0].host: the variable HOST is not set, or empty: set it, or write ${HOST:-default}"
    );
    let start = start.variable("HOST", "a.test");
    let (value, source) = start.explained("routes");
    assert_eq!(value, "a.test/ -> https://a:1");
    assert_eq!(source, "[DIR]/r/a.toml:1, from ${HOST}, the default of ${BACKEND}");
    let ca = start.loaded().settings.routes[0].tls.ca().cloned().expect("a file");
    assert_eq!(
        (ca.path, start.without_folder(&ca.origin.to_string())),
        (start.folder.join("r/ca.pem"), "[DIR]/r/a.toml:4: routes[0].tls.ca".to_owned())
    );
    assert_eq!(start.explained("include").1, "[DIR]/config.toml:1, from ${ROUTES}");

    let start = start.variable("HOST", "hunter2/");
    let error = start.error();
    assert!(error.starts_with("[DIR]/r/a.toml:2: routes[0].host, from ${HOST}: expected a host"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn mistakes_in_include_are_reported() {
    for (include, expected) in [
        ("\"r.d/a.toml\"", "include: cannot read [DIR]/r.d/a.toml: No such file or directory (os error 2)"),
        ("[\n\"a.toml\",\n\"b.toml\"]", "include[1]: cannot read [DIR]/b.toml: No such file or directory (os error 2)"),
        ("\"\"", "include: expected a file or a pattern such as \"routes.d/*.toml\", found \"\""),
        ("3", "include: expected a file or a pattern such as \"routes.d/*.toml\", in quotes"),
        ("[[\"a\"]]", "include[0]: expected a file or a pattern such as \"routes.d/*.toml\", in quotes"),
        ("\"r\"", "include: [DIR]/r is a folder: write \"[DIR]/r/*.toml\" for the files in it"),
        ("\"[a\"", "include: this pattern is not valid: invalid range pattern"),
        ("\"a**\"", "include: this pattern is not valid: recursive wildcards must form a single path component"),
        ("\"config.toml\"", "include: a file cannot include itself"),
        ("\"./r/../config.toml\"", "include: a file cannot include itself"),
        ("\"/dev/null\"", "include: /dev/null is not a regular file"),
        ("\"latin1\"", "include: cannot read [DIR]/latin1: it is not UTF-8; save it as UTF-8"),
    ] {
        let start =
            including(&[("a.toml", String::new()), ("r/x.toml", String::new())], &format!("include = {include}"));
        fs::write(start.folder.join("latin1"), b"# \xe4\n").expect("a file");
        let line = 1 + include[..include.find("b.toml").unwrap_or(0)].matches('\n').count();
        assert_eq!(start.error(), format!("[DIR]/config.toml:{line}: {expected}"), "{include}");
    }
}

#[test]
fn mistakes_in_an_included_file_are_reported() {
    for (text, expected) in [
        ("[[routes]\n", "a.toml:1: this is not valid TOML: "),
        (
            "http = 80\n",
            "a.toml:1: http: `http` belongs in the main file: an included file can only have `routes`, `redirects`, ",
        ),
        (
            "\ninclude = \"b.toml\"\n",
            "a.toml:2: include: an included file cannot include others: name them in the main file",
        ),
        ("[defaults]\nmax_body = 1\n", "a.toml:1: defaults: `defaults` belongs in the main file: "),
        ("[[certificates]]\nhttp = 80\n", "a.toml:2: certificates[0].http: `http` belongs in the main file: "),
        ("htpp = 80\n", "a.toml:1: htpp: unknown key"),
        ("host = \"a\"\n", "a.toml:1: host: unknown key; the keys of a route go below a [[routes]] line"),
        ("[[route]]\n", "a.toml:1: route: unknown key; did you mean [[routes]]?"),
        ("[[routes]]\nhost = \"a\"\nhost = \"b\"\n", "a.toml:3: duplicate key `host`"),
        (
            "routes = \"a=b:1\"\n",
            "a.toml:1: routes: expected a list, found \"a=b:1\": write [[routes]], with its keys below",
        ),
        (
            "[routes]\nhost = \"a\"\n",
            "a.toml:1: routes: expected a list, found a table: write [[routes]], with its keys below",
        ),
    ] {
        for main in [String::new(), route("m")] {
            let start = including(&[("a.toml", text.into())], &format!("include = \"a.toml\"\n{main}"));
            let error = start.error();
            assert!(error.starts_with(&format!("[DIR]/{expected}")), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{text}: {error}");
        }
    }
    // The same in the main file.
    let start = including(&[("a.toml", route("a"))], "include = \"a.toml\"\nroutes = 3");
    assert_eq!(
        start.error(),
        "[DIR]/config.toml:2: routes: expected a list, found 3: write [[routes]], with its keys below"
    );
}

#[test]
fn all_files_that_cannot_be_read_are_reported_at_once() {
    let files = [("r/a.toml", "x".to_owned()), ("r/b.toml", route("b")), ("r/c.toml", "y".to_owned())];
    let error = including(&files, "htpp = 1\ninclude = [\"r/*\", \"z.toml\"]").error();
    for expected in [
        "[DIR]/config.toml:1: htpp: unknown key",
        "[DIR]/r/a.toml:1: this is not valid TOML",
        "[DIR]/r/c.toml:1: this is not valid TOML",
        "[DIR]/config.toml:2: include[1]: cannot read [DIR]/z.toml",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_flag_replaces_the_routes_of_all_files() {
    let files = [("a.toml", route("a"))];
    let start = including(&files, &format!("include = \"a.toml\"\n{}", route("m"))).flags(&["--route", "x=y:1"]);
    assert_eq!(hosts(&start), ["x"]);
    let doubts: Vec<_> = start.loaded().doubts.iter().map(ToString::to_string).collect();
    assert_eq!(doubts, ["--route: replaces all 2 routes in the file"]);
}

#[test]
fn commands_that_ask_a_node_do_not_read_included_files() {
    let start = including(&[("a.toml", "broken".into())], "home = \"h\"\ninclude = \"*.toml\"\n");
    assert_eq!(start.source().load_for_command().expect("settings").home, start.folder.join("h"));
}

#[test]
fn a_thousand_files_are_read() {
    let start = Start::new().file("include = \"r/*.toml\"");
    for file in 0..1000 {
        let text: String = (0..20).map(|host| route(&format!("h{host}.f{file}.test"))).collect();
        fs::create_dir_all(start.folder.join("r")).expect("a folder");
        fs::write(start.folder.join(format!("r/{file:04}.toml")), text).expect("a file");
    }
    let loaded = start.loaded();
    assert_eq!((loaded.included.len(), loaded.settings.routes.len()), (1000, 20_000));
    let explained = explain(&loaded, None).expect("all");
    assert!(explained.contains(&format!("{}:58", PathBuf::from("r/0999.toml").display())), "the last line");
}
