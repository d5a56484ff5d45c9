//! A JSON Schema of the configuration file, generated from the tables of its keys, so that editors can complete and
//! check the file.
//!
//! The schema is written in draft 7 without `$ref`, because most editors check TOML with taplo, which supports no later
//! draft and ignores keywords next to a `$ref`.

mod pattern;
mod value;

use serde_json::{Map, Value, json};

use self::value::Accepted;
use super::{
    Fallback, Kind, SETTINGS, Setting,
    keys::{CHILD_ROUTE, ROUTE},
    shape::{Key, Role, Shape},
};

/// Returns the schema as indented JSON.
pub fn schema() -> String {
    let properties: Map<_, _> = SETTINGS
        .iter()
        .filter(|setting| setting.in_file)
        .map(|setting| (setting.key.to_owned(), setting_schema(setting)))
        .collect();
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "pmesh",
        "description": "The configuration file of pmesh",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    format!("{schema:#}\n")
}

fn setting_schema(setting: &Setting) -> Value {
    let accepted = match setting.kind {
        Kind::Defaults => table(CHILD_ROUTE, Place::Defaults),
        kind => accepted(kind.shape(), Place::Elsewhere),
    };
    let restart = if setting.needs_restart { ". Needs a restart" } else { "" };
    match setting.default {
        Fallback::Value(text) => {
            accepted.schema(&format!("{}{restart}.", setting.help), Some(default(setting.kind, text)))
        }
        Fallback::Described(text) => accepted.schema(&format!("{}{restart}. Default: {text}.", setting.help), None),
    }
}

/// The default as written in the file.
fn default(kind: Kind, text: &str) -> Value {
    let value = kind.value(text, None);
    let number = value.to_u128().and_then(|number| u64::try_from(number).ok());
    number.map(Value::from).or_else(|| value.to_bool().map(Value::from)).unwrap_or_else(|| text.into())
}

/// Where a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Route,
    Child,
    Defaults,
    /// Inside a route, merged with the inherited table.
    Inherited,
    Elsewhere,
}

impl Place {
    /// Whether the key can be `false`, to remove an inherited value.
    fn may_be_false(self, key: &Key) -> bool {
        match self {
            Self::Child => key.role != Role::Own,
            Self::Route | Self::Defaults => key.role == Role::Setting,
            Self::Inherited => true,
            Self::Elsewhere => false,
        }
    }

    /// The place of a table under `key`.
    fn inside(self, key: &Key) -> Self {
        match (self, key.role) {
            (Self::Route | Self::Child | Self::Defaults, Role::Setting | Role::Match) | (Self::Inherited, _) => {
                Self::Inherited
            }
            _ => Self::Elsewhere,
        }
    }
}

fn accepted(shape: Shape, place: Place) -> Accepted {
    match shape {
        Shape::One(kind) => Accepted::for_kind(kind),
        Shape::OneOrMore(kind) => Accepted::for_kind(kind).or_list(),
        Shape::Table(keys) => table(keys, place),
        Shape::Tables(keys) => {
            let place = if keys == ROUTE {
                Place::Route
            } else if keys == CHILD_ROUTE {
                Place::Child
            } else {
                place
            };
            Accepted::list_of(table(keys, place))
        }
        Shape::Named(shape) => {
            let values = accepted(*shape, place);
            Accepted::tables_of(if place == Place::Inherited { values.or_false() } else { values })
        }
        Shape::Either(shapes) => {
            let all = shapes.iter().map(|shape| accepted(*shape, place));
            all.reduce(Accepted::or).unwrap_or_default()
        }
    }
}

fn table(keys: &'static [Key], place: Place) -> Accepted {
    let is_available = |key: &&Key| place != Place::Defaults || key.role == Role::Setting;
    let properties = keys.iter().filter(is_available).map(|key| {
        let accepted = accepted(key.shape, place.inside(key));
        let accepted = if place.may_be_false(key) { accepted.or_false() } else { accepted };
        (key.name.to_owned(), accepted.schema(&format!("{}.", key.help), None))
    });
    // A child can inherit a required key, and routes can add keys that [defaults] lacks.
    let required: Vec<_> = match place {
        Place::Route | Place::Elsewhere => keys.iter().filter(|key| key.is_required).map(|key| key.name).collect(),
        Place::Child | Place::Defaults | Place::Inherited => Vec::new(),
    };
    let table = Accepted::table(&properties.collect(), &required);
    if place != Place::Route {
        return table;
    }
    // A route can have children instead of an answer.
    let answers = keys.iter().filter(|key| key.role == Role::Answer || matches!(key.shape, Shape::Tables(_)));
    table.with_one_of(answers.map(|key| key.name))
}
