//! Lines of programs as they may be shown in a terminal, which control characters could make do anything.

use std::{borrow::Cow, fmt::Write};

/// What to do with the codes that set colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// They stay.
    Keep,
    /// They are left out.
    Drop,
}

/// `line` with control characters written out, as in `\x07`. Tabs stay.
pub fn printable(line: &str, colours: Colours) -> Cow<'_, str> {
    let is_shown = |character: char| character == '\t' || !character.is_control();
    if line.chars().all(is_shown) {
        return line.into();
    }
    let (mut shown, mut rest) = (String::with_capacity(line.len()), line);
    while let Some(character) = rest.chars().next() {
        let (part, later) = rest.split_at(colour_code(rest).unwrap_or(character.len_utf8()));
        rest = later;
        if part.len() > character.len_utf8() {
            if colours == Colours::Keep {
                shown.push_str(part);
            }
        } else if is_shown(character) {
            shown.push(character);
        } else {
            let _ = write!(shown, "\\x{:02x}", u32::from(character));
        }
    }
    shown.into()
}

/// The length of the code for a colour at the beginning of `text`.
fn colour_code(text: &str) -> Option<usize> {
    let code = text.strip_prefix("\x1b[")?;
    let end = code.find(|character: char| !matches!(character, '0'..='9' | ';' | ':'))?;
    code[end..].starts_with('m').then_some("\x1b[".len() + end + "m".len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        for (line, kept, dropped) in [
            ("plain\tünï", "plain\tünï", "plain\tünï"),
            ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m", "red"),
            ("\x1b[2Jgone", "\\x1b[2Jgone", "\\x1b[2Jgone"),
            ("\x1b]0;title\x07", "\\x1b]0;title\\x07", "\\x1b]0;title\\x07"),
            ("a\rb\x1b", "a\\x0db\\x1b", "a\\x0db\\x1b"),
            ("\u{9b}2J\x1b[3", "\\x9b2J\\x1b[3", "\\x9b2J\\x1b[3"),
        ] {
            assert_eq!([Colours::Keep, Colours::Drop].map(|colours| printable(line, colours)), [kept, dropped]);
        }
    }
}
