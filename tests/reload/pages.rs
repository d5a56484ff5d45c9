//! A reload reads error pages again, and maintenance continues over it.

use std::fs;

use crate::{
    TOP, eventually, reload, served,
    support::{Backend, Start, backend::Refusing},
    try_reload,
};

#[test]
fn a_changed_error_page_is_sent_after_the_reload() {
    let refusing = Refusing::new();
    let routes = format!(
        "[[routes]]\nhost = \"a.test\"\nupstream = \"{}\"\nerror_pages = {{ 502 = \"down.html\" }}\n",
        refusing.address()
    );
    let start = Start::new().config(&format!("{TOP}{routes}"));
    let page = start.home().join("down.html");
    fs::write(&page, "one").unwrap();
    let program = start.run();
    assert_eq!(served(&program, "a.test"), "one");
    fs::write(&page, "two").unwrap();
    assert_eq!(served(&program, "a.test"), "one");
    let report = reload(&program, &routes);
    assert_eq!(report["routes"]["changed"], serde_json::json!(["a.test/"]), "{report}");
    assert_eq!(served(&program, "a.test"), "two");
    // If the page is missing, the reload fails and changes nothing.
    fs::remove_file(&page).unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("routes[0].error_pages.502: cannot use "), "{error}");
    assert_eq!(served(&program, "a.test"), "two");
}

#[test]
fn maintenance_continues_over_a_reload() {
    let backend = Backend::answering("hello");
    let routes = |more: &str| {
        format!(
            "[[routes]]\nhost = \"a.test\"\nupstream = \"{}\"\nmaintenance = \"down.html\"\n{more}\
             [[routes]]\nhost = \"b.test\"\nupstream = \"{0}\"\nmaintenance = \"down.html\"\n",
            backend.address
        )
    };
    let start = Start::new().config(&format!("{TOP}{}", routes("")));
    let page = start.home().join("down.html");
    fs::write(&page, "down").unwrap();
    let program = start.run();
    let both = || ["a.test", "b.test"].map(|host| served(&program, host));
    assert_eq!(both(), ["down", "down"]);
    // One route changes, the other stays the same.
    reload(&program, &routes("response_timeout = \"5s\"\n"));
    assert_eq!(both(), ["down", "down"]);
    fs::write(&page, "still down").unwrap();
    eventually("the changed page", || both() == ["still down", "still down"]);
    fs::remove_file(&page).unwrap();
    eventually("no maintenance", || both() == ["hello", "hello"]);
    fs::write(&page, "down again").unwrap();
    reload(&program, &routes(""));
    eventually("maintenance again", || both() == ["down again", "down again"]);
}
