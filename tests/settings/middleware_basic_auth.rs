//! `basic_auth`: users and hashes, inheritance, and mistakes, none of which shows a password or a hash.

use pmesh::settings::{BasicAuth, Route};

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

/// For the password "password".
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
/// For the password "secret".
const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

fn users(route: &Route) -> Vec<&str> {
    let auth = route.middleware.basic_auth.as_ref();
    auth.into_iter().flat_map(|auth| auth.users.keys()).map(String::as_str).collect()
}

fn inheriting() -> Start {
    let file = format!(
        r#"
        [defaults]
        basic_auth = {{ realm = "all", users = {{ alice = "{ARGON2ID}" }} }}
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        [routes.basic_auth.users]
        bob = "{BCRYPT}"
        carol = "${{CAROL}}"
        [[routes.routes]]
        prefix = "/own"
        basic_auth = {{ realm = "own", users = {{ alice = false, bob = false }} }}
        [[routes.routes]]
        prefix = "/open"
        basic_auth = false
        [[routes.routes]]
        prefix = "/same"
        "#,
    );
    Start::new().file(&file).variable("CAROL", BCRYPT)
}

#[test]
fn users_merge_by_name() {
    let routes = inheriting().loaded().settings.routes;
    let all: Vec<_> = routes.iter().map(users).collect();
    assert_eq!(all, [&["alice", "bob", "carol"][..], &["carol"], &[], &["alice", "bob", "carol"]]);
    let realms = routes.iter().map(|route| route.middleware.basic_auth.as_ref().map(|auth| auth.realm.as_str()));
    assert_eq!(Vec::from_iter(realms), [Some("all"), Some("own"), None, Some("all")]);
    // Clients cannot send the headers of the others there.
    let foreign: Vec<_> = routes[2].middleware.foreign_identity.names().collect();
    assert_eq!(foreign, ["remote-user", "x-forwarded-user"]);
    assert_eq!(routes[0].middleware, routes[3].middleware);
    let BasicAuth { users, .. } = routes[0].middleware.basic_auth.as_ref().unwrap();
    assert!(users["alice"].verify(b"password") && users["bob"].verify(b"secret") && !users["bob"].verify(b"password"));
}

#[test]
fn no_output_shows_a_hash() {
    let loaded = inheriting().loaded();
    let explained = pmesh::settings::explain(&loaded, None).unwrap();
    let checked = [false, true].map(|json| pmesh::commands::check(&loaded, Vec::new(), json).unwrap());
    let debug = format!("{:?}", loaded.settings);
    for text in [&explained, &checked[0], &checked[1], &debug] {
        for secret in ["argon2id$", "$2y$", "2r9OfJnf", "nf65EOgL"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(explained.contains(r#"basic_auth = { realm = "all", users = { alice = "***" } }"#), "{explained}");
    assert!(checked[0].contains(r#"basic_auth.users.alice = "***""#), "{}", checked[0]);
}

#[test]
fn mistakes_say_what_to_write() {
    const AT: &str = "4: routes[0].basic_auth";
    const HASH: &str = "expected an argon2id or bcrypt hash, found a value that is not shown";
    const RUN: &str = "run `pmesh hash-password`, and write what it prints";
    for (value, expected) in [
        (
            "true".to_owned(),
            format!(
                "{AT}: expected a table such as {{ users = {{ alice = \"$argon2id$…\" }} }}, found a value that is not shown"
            ),
        ),
        (
            "\"alice:hunter2\"".to_owned(),
            format!(
                "{AT}: expected a table such as {{ users = {{ alice = \"$argon2id$…\" }} }}, found a value that is not shown"
            ),
        ),
        (
            "{ realm = \"a\" }".to_owned(),
            format!(
                "{AT}: no users: write users = {{ alice = \"$argon2id$…\" }}, with a hash from `pmesh hash-password`"
            ),
        ),
        (
            "{ users = {} }".to_owned(),
            format!("{AT}.users: no user: name at least one; to let nobody in, write respond = 403"),
        ),
        (
            "{ users = [\"alice:hunter2\"] }".to_owned(),
            format!(
                "{AT}.users: expected a table of users with hashes, such as {{ alice = \"$argon2id$…\" }}, found a list"
            ),
        ),
        (
            "{ users = { alice = \"hunter2\" } }".to_owned(),
            format!("{AT}.users.alice: {HASH}: this looks like the password itself: {RUN}"),
        ),
        ("{ users = { alice = 12345 } }".to_owned(), format!("{AT}.users.alice: {HASH}")),
        (
            "{ users = { alice = \"$apr1$Ue3sA2Xh$yhVqTVJZzVvVqcVTGDjBS1\" } }".to_owned(),
            format!("{AT}.users.alice: {HASH}: this is a hash with MD5, which is not supported: {RUN}"),
        ),
        (
            "{ users = { alice = \"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\" } }".to_owned(),
            format!("{AT}.users.alice: {HASH}: this is a hash with SHA-1, which is not supported: {RUN}"),
        ),
        (
            format!("{{ users = {{ alice = \"alice:{BCRYPT}\" }} }}"),
            format!("{AT}.users.alice: {HASH}: this contains the name of the user: write only what follows the colon"),
        ),
        (
            format!("{{ users = {{ alice = \"{}\" }} }}", BCRYPT.replace("$04$", "$20$")),
            format!(
                "{AT}.users.alice: {HASH}: this hash takes more time or memory to verify than is allowed (a cost of at \
                 most 15): {RUN}"
            ),
        ),
        (
            format!("{{ users = {{ alice = \"{}\" }} }}", &ARGON2ID[..50]),
            format!(
                "{AT}.users.alice: {HASH}: this is not a complete argon2id hash: copy all of it, or run `pmesh \
                 hash-password`"
            ),
        ),
        (
            format!("{{ users = {{ \"a:b\" = \"{BCRYPT}\" }} }}"),
            format!(
                "{AT}.users.\"a:b\": expected the name of a user, found \"a:b\": a client cannot send a name with a colon"
            ),
        ),
        (
            format!("{{ users = {{ \"\" = \"{BCRYPT}\" }} }}"),
            format!("{AT}.users.: expected the name of a user, found \"\""),
        ),
        (
            format!("{{ realm = \"ä\", users = {{ a = \"{BCRYPT}\" }} }}"),
            format!("{AT}.realm: expected the name of what is protected, in ASCII, found \"ä\""),
        ),
        ("{ alice = \"hunter2\" }".to_owned(), format!("{AT}.alice: unknown key")),
    ] {
        let error = Start::new().file(&format!("{ROUTE}basic_auth = {value}\n")).error();
        assert_eq!(error, format!("[DIR]/config.toml:{expected}"), "{value}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn invalid_lines_with_passwords_are_not_repeated() {
    for file in ["[routes.basic_auth.users]\nalice = hunter2\n", "[[routes]]\nbasic_auth = alice:hunter2\n"] {
        let error = Start::new().file(file).error();
        assert!(error.contains("this is not valid TOML") && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn names_of_other_programs_get_advice() {
    for key in ["auth_basic", "auth_basic_user_file", "basicAuth", "htpasswd"] {
        let error = Start::new().file(&format!("{ROUTE}{key} = \"a\"\n")).error();
        assert!(error.contains("write basic_auth = { users = { alice = \"$argon2id$…\" } }"), "{error}");
    }
}
