//! `buffer`.

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

#[test]
fn the_size_is_inherited() {
    let file = format!(
        "[defaults]\nbuffer = \"64KiB\"\n{ROUTE}[[routes.routes]]\nprefix = \"/a\"\nbuffer = \"16 MiB\"\n\
         [[routes.routes]]\nprefix = \"/b\"\nbuffer = 1\n[[routes.routes]]\nprefix = \"/c\"\nbuffer = false\n"
    );
    let routes = Start::new().file(&file).loaded().settings.routes;
    let found: Vec<_> = routes.iter().map(|route| route.middleware.buffer).collect();
    assert_eq!(found, [Some(64 << 10), Some(16 << 20), Some(1), None]);
    assert_eq!(routes[0].middleware.keys, ["buffer"]);
    assert!(routes[3].middleware.is_empty());
}

#[test]
fn names_from_other_programs_are_known() {
    let expected = "unknown key: write buffer = \"64KiB\" for request bodies; responses are never buffered";
    for key in ["proxy_request_buffering", "request_buffers", "buffering"] {
        let file = format!("{ROUTE}{key} = 1\n");
        assert_eq!(Start::new().file(&file).error(), format!("[DIR]/config.toml:4: routes[0].{key}: {expected}"));
    }
}

#[test]
fn mistakes_say_what_to_write() {
    let expected = "expected a size from 1 to 16MiB, such as 64KiB, found";
    for (value, problem) in [
        ("true", "true"),
        ("0", "0: to switch it off, write false"),
        ("\"64k\"", "\"64k\": write 64KiB"),
        ("\"17MiB\"", "\"17MiB\": longer bodies are not buffered; they stream"),
        ("\"off\"", "\"off\""),
        ("{ size = 1 }", "a table"),
    ] {
        let file = format!("{ROUTE}buffer = {value}\n");
        let expected = format!("[DIR]/config.toml:4: routes[0].buffer: {expected} {problem}");
        assert_eq!(Start::new().file(&file).error(), expected, "{value}");
    }
}
