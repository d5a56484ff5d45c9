//! The values that a key accepts.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pattern::{self, REFERENCE};
use crate::config::Kind;

/// The values that a key accepts. Each keyword of a schema applies to one type only, so one schema can describe several
/// types. Validators then report what is wrong, instead of just saying that none of several schemas matches.
#[derive(Debug, Clone, Default)]
pub(super) struct Accepted {
    /// The types, each with its keywords.
    types: BTreeMap<&'static str, Map<String, Value>>,
    /// Values that editors can offer.
    words: Vec<Value>,
    /// Regular expressions for all other strings.
    patterns: Vec<String>,
    /// Whether any string is valid.
    is_text: bool,
    /// Whether `false` is the only valid boolean.
    only_false: bool,
}

impl Accepted {
    pub(super) fn for_kind(kind: Kind) -> Self {
        let mut accepted = Self::default();
        match kind {
            Kind::Port => {
                accepted.number(json!({ "minimum": 0, "maximum": u16::MAX }));
                accepted.words(["off"]);
            }
            Kind::Count => accepted.number(json!({ "minimum": 0 })),
            Kind::Within(least, most) => accepted.number(json!({ "minimum": least, "maximum": most })),
            Kind::Numbers(numbers) => accepted.words(numbers.iter().copied()),
            Kind::Size => {
                accepted.number(json!({ "minimum": 0 }));
                accepted.pattern(pattern::SIZE);
            }
            Kind::SizeLimit => {
                accepted = Self::for_kind(Kind::Size);
                accepted.words(["off"]);
            }
            Kind::Switch => accepted.allow("boolean", Map::new()),
            Kind::Duration => {
                accepted.pattern(pattern::DURATION);
                let zero = json!({ "type": "string", "pattern": pattern::ZERO });
                accepted.allow("string", object(json!({ "not": zero })));
            }
            Kind::MaxAge => accepted.pattern(pattern::DURATION),
            Kind::TimeLimit => {
                accepted.pattern(pattern::DURATION);
                accepted.words(["off"]);
            }
            Kind::Choice(words) => accepted.words(words.iter().copied()),
            Kind::Method => {
                accepted.words(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"]);
                accepted.pattern(pattern::METHOD);
            }
            Kind::Filter => {
                accepted.words(["off", "error", "warn", "info", "debug", "trace"]);
                accepted.pattern(pattern::FILTER);
            }
            Kind::Subnet => accepted.pattern(pattern::SUBNET),
            Kind::Addresses => accepted.pattern(pattern::ADDRESS),
            Kind::Networks => accepted.pattern(pattern::NETWORK),
            Kind::Socket => {
                accepted.words(["unix", "off"]);
                accepted.pattern(pattern::SOCKET);
            }
            Kind::File | Kind::FileOrUrl | Kind::Directory | Kind::Include => {
                accepted.is_text = true;
                accepted.allow("string", object(json!({ "minLength": 1 })));
            }
            Kind::FileOr(words) => {
                accepted = Self::for_kind(Kind::File);
                accepted.words(words.iter().copied());
            }
            Kind::Processors => {
                accepted.allow("number", object(json!({ "exclusiveMinimum": 0 })));
                accepted.pattern(pattern::NUMBER);
            }
            Kind::Text(_) | Kind::Secret => accepted.is_text = true,
            // The schema of a table is built from its keys.
            Kind::Routes
            | Kind::Listeners
            | Kind::Services
            | Kind::Defaults
            | Kind::Redirects
            | Kind::Peers
            | Kind::Certificates => {}
        }
        accepted
    }

    /// A table with these keys.
    pub(super) fn table(properties: &Map<String, Value>, required: &[&str]) -> Self {
        let mut table = object(json!({ "properties": properties, "additionalProperties": false }));
        if !required.is_empty() {
            table.insert("required".to_owned(), required.into());
        }
        Self::default().with("object", table)
    }

    /// This table, with the requirement that it has one of these keys.
    pub(super) fn with_one_of<'a>(mut self, keys: impl Iterator<Item = &'a str>) -> Self {
        let one_of: Vec<_> = keys.map(|key| json!({ "required": [key] })).collect();
        self.allow("object", object(json!({ "anyOf": one_of })));
        self
    }

    /// A table with any keys and these values.
    pub(super) fn tables_of(values: Self) -> Self {
        Self::default().with("object", object(json!({ "additionalProperties": values.keywords() })))
    }

    /// A list of these values.
    pub(super) fn list_of(elements: Self) -> Self {
        Self::default().with("array", object(json!({ "items": elements.keywords() })))
    }

    /// One of these values, or a list of them.
    pub(super) fn or_list(self) -> Self {
        let list = Self::list_of(self.clone());
        self.or(list)
    }

    /// These values, or `false`.
    pub(super) fn or_false(mut self) -> Self {
        if !self.types.contains_key("boolean") {
            self.allow("boolean", Map::new());
            self.only_false = true;
        }
        self
    }

    /// The values that either of the two accepts.
    pub(super) fn or(mut self, other: Self) -> Self {
        for (name, keywords) in other.types {
            self.allow(name, keywords);
        }
        self.words.extend(other.words);
        self.patterns.extend(other.patterns);
        self.is_text |= other.is_text;
        self.only_false |= other.only_false;
        self
    }

    /// The schema of a key.
    pub(super) fn schema(self, description: &str, default: Option<Value>) -> Value {
        let mut schema = self.keywords();
        schema["description"] = description.into();
        if let Some(default) = default {
            schema["default"] = default;
        }
        schema
    }

    fn keywords(mut self) -> Value {
        let is_number = self.types.contains_key("integer") || self.words.iter().any(Value::is_number);
        let is_switch = self.types.contains_key("boolean") && !self.only_false;
        let others: Vec<_> = self.types.keys().copied().filter(|name| *name != "string").collect();
        if self.is_text {
            self.types.entry("string").or_default();
        } else if is_number || is_switch || !self.words.is_empty() || !self.patterns.is_empty() {
            // Numbers and switches can come from the environment, too. In the file, the reference is a string.
            self.patterns.push(REFERENCE.to_owned());
            let pattern = json!({ "pattern": self.patterns.join("|") });
            let strings = if self.words.is_empty() {
                pattern
            } else {
                let mut one_of = vec![json!({ "enum": self.words }), pattern];
                one_of[1]["type"] = "string".into();
                if !others.is_empty() {
                    one_of.push(json!({ "type": names(&others) }));
                }
                json!({ "anyOf": one_of })
            };
            self.allow("string", object(strings));
        }
        if is_number {
            self.types.entry("integer").or_default();
        }
        let all: Vec<_> = self.types.keys().copied().collect();
        let mut schema = json!({ "type": names(&all) });
        for (keyword, value) in self.types.into_values().flatten() {
            schema[keyword] = value;
        }
        if self.only_false {
            schema["if"] = json!({ "type": "boolean" });
            schema["then"] = json!({ "const": false });
        }
        schema
    }

    fn number(&mut self, keywords: Value) {
        self.allow("integer", object(keywords));
    }

    fn words(&mut self, words: impl IntoIterator<Item = impl Into<Value>>) {
        self.words.extend(words.into_iter().map(Into::into));
    }

    fn pattern(&mut self, pattern: &str) {
        self.patterns.push(pattern.to_owned());
    }

    fn with(mut self, name: &'static str, keywords: Map<String, Value>) -> Self {
        self.allow(name, keywords);
        self
    }

    fn allow(&mut self, name: &'static str, keywords: Map<String, Value>) {
        self.types.entry(name).or_default().extend(keywords);
    }
}

/// A single type is not written as a list, because taplo then no longer offers `[[routes]]`.
fn names(types: &[&str]) -> Value {
    match types {
        [one] => (*one).into(),
        several => several.into(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
