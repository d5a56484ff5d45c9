//! Resolves relative paths in a file against its folder.

use std::path::Path;

use figment::value::{Dict, Value};

use super::{
    Kind, SETTINGS, path,
    shape::{self, Shape},
};

/// Resolves all paths in the values of a file in `folder`.
pub(super) fn resolve(values: &mut Dict, folder: &Path, user_home: Option<&str>) {
    let resolved = |text: &str| path::resolve(folder, text, user_home);
    for setting in SETTINGS {
        if let Some(value) = values.get_mut(setting.key) {
            resolve_value(value, setting.kind.shape(), &resolved);
        }
    }
}

fn resolve_value(value: &mut Value, shape: Shape, resolved: &impl Fn(&str) -> String) {
    match (shape, value) {
        (Shape::One(Kind::File | Kind::Directory), Value::String(_, text)) => *text = resolved(text),
        (Shape::One(Kind::FileOrUrl), Value::String(_, text)) if !text.contains("://") => *text = resolved(text),
        (Shape::One(Kind::FileOr(words)), Value::String(_, text)) if !words.contains(&text.as_str()) => {
            *text = resolved(text);
        }
        (Shape::One(Kind::Socket), Value::String(_, text)) => *text = path::map_socket(text, resolved),
        (Shape::OneOrMore(kind), Value::Array(_, values)) => {
            values.iter_mut().for_each(|value| resolve_value(value, Shape::One(kind), resolved));
        }
        (Shape::OneOrMore(kind), value) => resolve_value(value, Shape::One(kind), resolved),
        (Shape::Tables(keys), Value::Array(_, tables)) => {
            tables.iter_mut().for_each(|table| resolve_value(table, Shape::Table(keys), resolved));
        }
        (Shape::Table(keys), Value::Dict(_, table)) => {
            for (name, value) in table {
                if let Some(key) = shape::key(keys, name) {
                    resolve_value(value, key.shape, resolved);
                }
            }
        }
        (Shape::Named(shape), Value::Dict(_, table)) => {
            table.values_mut().for_each(|value| resolve_value(value, *shape, resolved));
        }
        (Shape::Either(shapes), value) => shapes.iter().for_each(|shape| resolve_value(value, *shape, resolved)),
        _ => {}
    }
}
