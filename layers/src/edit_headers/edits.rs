use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::cgi_name;

/// Changes to headers, made in the order in which they were added. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits(Arc<Vec<(HeaderName, Edit)>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    Set(HeaderValue),
    Add(HeaderValue),
    Default(HeaderValue),
    Remove,
}

impl HeaderEdits {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all values of a header.
    #[must_use]
    pub fn set(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Set(value))
    }

    /// Adds a value after the existing ones.
    #[must_use]
    pub fn add(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Add(value))
    }

    /// Sets a header that is missing.
    #[must_use]
    pub fn set_default(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Default(value))
    }

    /// Removes all values of a header.
    #[must_use]
    pub fn remove(self, name: HeaderName) -> Self {
        self.edit(name, Edit::Remove)
    }

    fn edit(mut self, name: HeaderName, edit: Edit) -> Self {
        Arc::make_mut(&mut self.0).push((name, edit));
        self
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the headers that are changed, in order, with duplicates.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Makes the changes.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, edit) in self.0.iter() {
            match edit {
                Edit::Set(value) => drop(headers.insert(name, value.clone())),
                Edit::Add(value) => drop(headers.append(name, value.clone())),
                Edit::Default(value) => drop(headers.entry(name).or_insert_with(|| value.clone())),
                Edit::Remove => drop(headers.remove(name)),
            }
        }
    }

    /// Removes all headers that a CGI program could take for one that is set or removed.
    pub(crate) fn remove_replaced(&self, headers: &mut HeaderMap) {
        let replaced: Vec<HeaderName> = headers.keys().filter(|name| self.replaces(name)).cloned().collect();
        for name in replaced {
            headers.remove(name);
        }
    }

    /// Whether any header is set or removed.
    pub(super) fn replaces_any(&self) -> bool {
        self.0.iter().any(|(_, edit)| edit.replaces())
    }

    fn replaces(&self, header: &HeaderName) -> bool {
        self.0.iter().any(|(name, edit)| edit.replaces() && cgi_name::is_same(name.as_str(), header.as_str()))
    }
}

impl Edit {
    /// Whether nothing is left of what the client sent.
    fn replaces(&self) -> bool {
        matches!(self, Self::Set(_) | Self::Remove)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }

    fn value(value: &'static str) -> HeaderValue {
        HeaderValue::from_static(value)
    }

    fn edits() -> HeaderEdits {
        HeaderEdits::new()
            .set(name("set"), value("new"))
            .add(name("add"), value("new"))
            .set_default(name("default"), value("new"))
            .remove(name("remove"))
    }

    fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn edits_apply_to_every_value_of_a_header() {
        let mut headers = HeaderMap::new();
        edits().apply(&mut headers);
        for (name, expected) in [("set", &["new"][..]), ("add", &["new"]), ("default", &["new"]), ("remove", &[])] {
            assert_eq!(all(&headers, name), expected, "{name}");
        }
        let mut headers = HeaderMap::new();
        for name in ["set", "add", "default", "remove", "other"] {
            headers.append(name, value("a"));
            headers.append(name, value("b"));
        }
        edits().apply(&mut headers);
        for (name, expected) in [
            ("set", &["new"][..]),
            ("add", &["a", "b", "new"]),
            ("default", &["a", "b"]),
            ("remove", &[]),
            ("other", &["a", "b"]),
        ] {
            assert_eq!(all(&headers, name), expected, "{name}");
        }
    }
}
