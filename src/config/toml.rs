//! Converts a TOML document to values that can be merged, and finds their lines.

use std::iter;

use figment::value::{Dict, Value};
use toml_edit::{Array, ArrayOfTables, Document, Item, TableLike};

/// The values of a table.
pub(super) fn dict(table: &dyn TableLike) -> Dict {
    table.iter().filter_map(|(key, item)| Some((key.to_owned(), item_value(item)?))).collect()
}

/// The tables of `[[key]]`, or of `key = [{…}, …]`.
pub(super) fn tables(item: &Item) -> Vec<&dyn TableLike> {
    match Inside::from_item(item) {
        Inside::Tables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Inside::Array(values) => {
            values.iter().filter_map(|value| value.as_inline_table()).map(|table| table as &dyn TableLike).collect()
        }
        Inside::Table(_) | Inside::Nothing => Vec::new(),
    }
}

/// The line where the value at `path` starts. If there is none, the line of the last key or index that exists.
pub(super) fn line_of(document: &Document<String>, lines: &Lines, path: &[&str]) -> usize {
    let mut inside = Inside::Table(document.as_table());
    let mut offset = 0;
    for step in path {
        let Some((span, next)) = inside.step(step) else { break };
        offset = span.map_or(offset, |span| span.start);
        inside = next;
    }
    lines.at(offset)
}

/// The string at `path`, as written.
pub(super) fn text_at<'a>(document: &'a Document<String>, path: &[String]) -> Option<&'a str> {
    let step = |item: &'a Item, step: &String| item.get(step).or_else(|| item.get(step.parse::<usize>().ok()?));
    path.iter().try_fold(document.as_item(), step)?.as_str()
}

/// Whether the last step of `path` is the index of an element of a list, not a key of a table.
pub(super) fn is_index(document: &Document<String>, path: &[&str]) -> bool {
    let Some((_, parents)) = path.split_last() else { return false };
    let root = Some(Inside::Table(document.as_table()));
    let parent = parents.iter().fold(root, |inside, step| Some(inside?.step(step)?.1));
    matches!(parent, Some(Inside::Tables(_) | Inside::Array(_)))
}

/// The offsets at which the lines of a text start. Counting lines again for each value would take quadratic time.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        Self(iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect())
    }

    /// The number of the line that contains the byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

fn item_value(item: &Item) -> Option<Value> {
    Some(match item {
        Item::None => return None,
        Item::Value(value) => toml_value(value),
        Item::Table(table) => dict(table).into(),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| dict(table).into()).collect::<Vec<Value>>().into(),
    })
}

fn toml_value(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => text.value().as_str().into(),
        toml_edit::Value::Integer(number) => {
            // Unsigned if possible, like the numbers of the other sources.
            let number = *number.value();
            u64::try_from(number).map_or_else(|_| number.into(), Value::from)
        }
        toml_edit::Value::Float(number) => Value::from(*number.value()),
        toml_edit::Value::Boolean(bool) => Value::from(*bool.value()),
        toml_edit::Value::Datetime(date) => date.value().to_string().into(),
        toml_edit::Value::Array(values) => values.iter().map(toml_value).collect::<Vec<_>>().into(),
        toml_edit::Value::InlineTable(table) => dict(table).into(),
    }
}

/// What the next step of a path looks into.
enum Inside<'a> {
    Table(&'a dyn TableLike),
    Tables(&'a ArrayOfTables),
    Array(&'a Array),
    Nothing,
}

type Span = Option<std::ops::Range<usize>>;

impl<'a> Inside<'a> {
    fn from_item(item: &'a Item) -> Self {
        match item {
            Item::Table(table) => Self::Table(table),
            Item::ArrayOfTables(tables) => Self::Tables(tables),
            Item::Value(value) => Self::from_value(value),
            Item::None => Self::Nothing,
        }
    }

    fn from_value(value: &'a toml_edit::Value) -> Self {
        match value {
            toml_edit::Value::Array(array) => Self::Array(array),
            toml_edit::Value::InlineTable(table) => Self::Table(table),
            _ => Self::Nothing,
        }
    }

    /// Follows one step. Returns the span of the key or element, and what is inside.
    fn step(self, step: &str) -> Option<(Span, Self)> {
        match self {
            Self::Table(table) => {
                let (key, item) = table.get_key_value(step)?;
                Some((key.span(), Self::from_item(item)))
            }
            Self::Tables(tables) => {
                let table = tables.get(step.parse().ok()?)?;
                Some((table.span(), Self::Table(table)))
            }
            Self::Array(array) => {
                let value = array.get(step.parse().ok()?)?;
                Some((value.span(), Self::from_value(value)))
            }
            Self::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_each_value() {
        let text = "a = 1\nb = [\n  2,\n  3,\n]\n\n[[c]]\nd = 4\n\n[[c]]\nd = [{ e = 5 },\n  { e = 6 }]\n";
        let document = Document::parse(text.to_owned()).expect("valid");
        let lines = Lines::new(text);
        for (path, line) in [
            (&["a"][..], 1),
            (&["b"], 2),
            (&["b", "1"], 4),
            (&["c", "0"], 7),
            (&["c", "0", "d"], 8),
            (&["c", "1"], 10),
            (&["c", "1", "d", "1", "e"], 12),
            (&["c", "1", "missing"], 10),
            (&["missing"], 1),
        ] {
            assert_eq!(line_of(&document, &lines, path), line, "{path:?}");
        }
    }

    #[test]
    fn a_key_that_is_a_number_is_not_an_index() {
        let document = Document::parse("a = [{ 5 = 1 }]\n[[b]]\n502 = 2".to_owned()).expect("valid");
        for (path, expected) in [
            (&["a"][..], false),
            (&["a", "0"], true),
            (&["a", "0", "5"], false),
            (&["b", "0"], true),
            (&["b", "0", "502"], false),
            (&["b", "0", "missing"], false),
            (&["missing", "0"], false),
        ] {
            assert_eq!(is_index(&document, path), expected, "{path:?}");
        }
    }
}
