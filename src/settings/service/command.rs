//! The command of a service.

use super::ServiceCommand;
use crate::config::{Node, OF_INSTANCE, Problem, Problems};

/// Reads the command. Returns `None` if it is invalid, and reports that.
pub(super) fn read(node: &Node<'_>, problems: &mut Problems) -> Option<ServiceCommand> {
    if let Some(line) = node.value.as_str() {
        problems.note(shell(node, line))?;
        return Some(ServiceCommand::Shell(line.to_owned()));
    }
    let Ok(elements) = node.elements() else {
        problems.push(node.unexpected("a list such as [\"node\", \"server.js\"], or a line for /bin/sh"));
        return None;
    };
    let mut words = Vec::with_capacity(elements.len());
    for element in &elements {
        let read = match element.value.as_str() {
            Some(text) => word(element, text, words.is_empty()).map(|()| text.to_owned()),
            None => element.parse::<String>(),
        };
        words.extend(problems.note(read));
    }
    match &words[..] {
        _ if words.len() < elements.len() => None,
        [] => {
            problems.push(node.problem("the command is empty: name the program, as in [\"node\", \"server.js\"]"));
            None
        }
        [only] if has_spaces(only) => {
            let split: Vec<_> = only.split_whitespace().collect();
            let message = format!("the name of the program has spaces in it: write {split:?}, or {only:?}");
            problems.push(node.problem(if node.references().is_none() {
                message
            } else {
                "the name of the program has spaces in it: write each word as an element of its own".into()
            }));
            None
        }
        _ => Some(ServiceCommand::Program(words)),
    }
}

/// Whether this looks like a program with its arguments, not like the name of a program.
fn has_spaces(word: &str) -> bool {
    let before = word.split_whitespace().next().unwrap_or_default();
    before.len() < word.len() && !before.contains('/')
}

/// The command as it is shown to people: in one line, and without values from the environment.
pub(super) fn shown(node: &Node<'_>) -> String {
    let word = |word: Node<'_>| match word.written().unwrap_or_default() {
        word if word.is_empty() || word.contains(char::is_whitespace) => format!("{word:?}"),
        word => word,
    };
    match node.elements() {
        Ok(words) => words.into_iter().map(word).collect::<Vec<_>>().join(" "),
        Err(_) => node.written().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// Checks a line for the shell.
fn shell(node: &Node<'_>, line: &str) -> Result<(), Problem> {
    if line.trim().is_empty() {
        return Err(node.problem("the command is empty: write the program, as in \"node server.js\""));
    }
    if line.contains('\0') {
        return Err(node.problem("a command cannot contain NUL"));
    }
    match OF_INSTANCE
        .iter()
        .find(|name| line.contains(&format!("{{{name}}}")) && !line.contains(&format!("${{{name}}}")))
    {
        Some(name) => {
            Err(node
                .problem(format!("a shell runs this line, and {{{name}}} is only replaced in a list: write ${name}")))
        }
        None => Ok(()),
    }
}

/// Checks a word of a list.
fn word(node: &Node<'_>, word: &str, is_program: bool) -> Result<(), Problem> {
    const AS_LINE: &str = "the command as one string, which a shell runs";

    if word.contains('\0') {
        return Err(node.problem("a command cannot contain NUL"));
    }
    if let Some(name) = OF_INSTANCE.iter().find(|name| has_variable(word, name)) {
        return Err(node.problem(format!("no shell replaces ${name} in a list: write {{{name}}}")));
    }
    if let Some(name) = OF_INSTANCE.iter().find(|name| word.contains(&format!("{{{}}}", name.to_ascii_lowercase()))) {
        return Err(node.problem(format!("write {{{name}}}, in capital letters")));
    }
    if matches!(word, "|" | "||" | "&" | "&&" | ";" | ">" | ">>" | "<" | "2>&1") {
        return Err(node.problem(format!("no shell runs a list, so {word:?} would be an argument: write {AS_LINE}")));
    }
    if !is_program {
        return Ok(());
    }
    if word.trim().is_empty() {
        return Err(node.problem("the program is empty: name it, as in [\"node\", \"server.js\"]"));
    }
    if word == "~" || word.starts_with("~/") {
        return Err(node.problem(format!("no shell expands ~ in a list: write the whole path, or {AS_LINE}")));
    }
    if let Some((name, _)) = word.split_once('=').filter(|(name, _)| !name.contains('/')) {
        return Err(node.problem(format!("this is a variable, not a program: write env = {{ {name} = … }}")));
    }
    Ok(())
}

/// Whether `text` has `$NAME`, and not just a longer name.
fn has_variable(text: &str, name: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let rest = text[at + 1..].strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
    })
}
