//! The environment variables of a service.

use std::collections::BTreeMap;

use super::{
    env_file,
    variable::{is_name, set_by_pmesh},
};
use crate::config::{Node, Problem, Problems};

/// Reads `env_file` and `env`, which wins. Returns `None` if one is invalid, and reports that.
pub(super) fn read(service: &Node<'_>, problems: &mut Problems) -> Option<BTreeMap<String, String>> {
    let (mut all, mut is_valid) = (BTreeMap::new(), true);
    for file in service.field("env_file").iter().flat_map(Node::one_or_more) {
        let variables = env_file::read(&file, problems);
        is_valid &= variables.is_some();
        // Files are shared with other tools, so variables that pmesh sets itself are ignored there, and are no mistake.
        all.extend(variables.into_iter().flatten().filter(|(name, _)| set_by_pmesh(name).is_none()));
    }
    let Some(env) = service.field("env") else { return is_valid.then_some(all) };
    let Some(table) = env.value.as_dict() else {
        problems.push(env.unexpected("a table such as { NODE_ENV = \"production\" }"));
        return None;
    };
    for (name, value) in table.keys().filter_map(|name| Some((name, env.field(name)?))) {
        let read = check_name(name, &value).and_then(|()| variable(&value));
        match problems.note(read) {
            Some(value) => drop(all.insert(name.clone(), value)),
            None => is_valid = false,
        }
    }
    is_valid.then_some(all)
}

fn variable(node: &Node<'_>) -> Result<String, Problem> {
    let value: String = node.parse()?;
    if value.contains('\0') { Err(node.problem("a variable cannot contain NUL")) } else { Ok(value) }
}

fn check_name(name: &str, value: &Node<'_>) -> Result<(), Problem> {
    if let Some((before, _)) = name.split_once('=') {
        return Err(value.problem(format!("the name of a variable cannot contain =: write {before} = \"…\"")));
    }
    if !is_name(name) {
        return Err(value.problem(format!("{name:?} is not the name of a variable")));
    }
    set_by_pmesh(name).map_or(Ok(()), |advice| Err(value.problem(advice)))
}
