//! The user that a service runs as.

use nix::unistd::{Uid, User};

use super::ServiceUser;
use crate::config::{Node, Problems};

/// Reads the user. Returns `None` if it is invalid, and reports that. For the user of pmesh, it is `Some(None)`, unless
/// that is root.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<Option<ServiceUser>> {
    let own = Uid::effective();
    let problem = match found(node) {
        Ok(user) if user.uid == own && !own.is_root() => return Some(None),
        Ok(user) if own.is_root() => {
            return Some(Some(ServiceUser {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
                home: user.dir,
            }));
        }
        Ok(user) => {
            let own = User::from_uid(own).ok().flatten().map_or_else(|| format!("user {own}"), |own| own.name);
            node.problem(format!(
                "only root can run a service as {}, and pmesh runs as {own}: start pmesh as root, or remove this",
                user.name
            ))
        }
        Err(message) => match message {
            Some(message) => node.problem(message),
            None => node.unexpected("the name of a user, such as \"www-data\""),
        },
    };
    problems.push(problem);
    None
}

fn found(node: &Node<'_>) -> Result<User, Option<String>> {
    if let Some(number) = node.value.to_u128() {
        let user = u32::try_from(number).ok().and_then(|id| User::from_uid(Uid::from_raw(id)).ok().flatten());
        return Err(user.map(|user| format!("write the name of the user, {:?}", user.name)));
    }
    let name = node.value.as_str().filter(|name| !name.is_empty()).ok_or(None)?;
    if let Some((user, _)) = name.split_once(':').filter(|(user, _)| !user.is_empty()) {
        return Err(Some(format!("a service runs with the primary group of its user: write {user:?}")));
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(Some(format!("there is no user {name:?} on this machine"))),
        Err(error) => Err(Some(format!("cannot look up the user {name:?}: {}", error.desc()))),
    }
}
