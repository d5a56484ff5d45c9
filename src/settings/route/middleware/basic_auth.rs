//! `basic_auth`.

use std::{collections::BTreeMap, sync::Arc};

use figment::value::Value;

use crate::{
    config::{BASIC_AUTH_KEYS, Parse, Problems, Reason, because, text},
    password::PasswordHash,
    settings::route::Scope,
};

/// The users that get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The name of what is protected, which browsers may show.
    pub realm: String,
    /// The hash of each user's password.
    pub users: Arc<BTreeMap<String, PasswordHash>>,
}

/// Reads it. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<BasicAuth>> {
    let expected = "a table such as { users = { alice = \"$argon2id$…\" } }";
    let Some(table) = scope.read_table("basic_auth", expected, problems)? else { return Some(None) };
    let realm = match table.field("realm") {
        Some(node) => node.read(problems).map(|Realm(realm)| realm),
        None => Some("restricted".to_owned()),
    };
    let expected = "a table of users with hashes, such as { alice = \"$argon2id$…\" }";
    let Some(users) = table.read_table("users", expected, problems)? else {
        let message = "no users: write users = { alice = \"$argon2id$…\" }, with a hash from `pmesh hash-password`";
        table.own().lacks(message, BASIC_AUTH_KEYS, problems);
        return None;
    };
    let all = users.fields();
    if all.is_empty() {
        problems.push(users.own().problem("no user: name at least one; to let nobody in, write respond = 403"));
        return None;
    }
    let user = |(name, node): &(String, crate::config::Node<'_>), problems: &mut Problems| {
        let name = node.read_key::<UserName>(name, problems).map(|UserName(name)| name);
        let hash = node.read::<PasswordHash>(problems);
        Some((name?, hash?))
    };
    let users: BTreeMap<_, _> = all.iter().filter_map(|entry| user(entry, problems)).collect();
    let is_valid = users.len() == all.len();
    Some(Some(BasicAuth { realm: realm?, users: Arc::new(users) })).filter(|_| is_valid)
}

struct Realm(String);

impl Parse for Realm {
    const EXPECTED: &'static str = "the name of what is protected, in ASCII";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        let is_valid = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(None) }
    }
}

struct UserName(String);

impl Parse for UserName {
    const EXPECTED: &'static str = "the name of a user";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if text.contains(':') {
            return Err(Some("a client cannot send a name with a colon".into()));
        }
        let is_valid = !text.is_empty() && text.trim() == text && !text.contains(|c: char| c.is_control());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(None) }
    }
}

impl Parse for PasswordHash {
    const EXPECTED: &'static str = "an argon2id or bcrypt hash";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(because)
    }
}
