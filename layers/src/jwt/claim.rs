use http::HeaderValue;
use serde_json::{Map, Value};

use super::JwtRejected;

/// The claims of a token.
pub(super) type Claims = Map<String, Value>;

/// The name of a claim. `realm_access.roles` is the claim with this name, if there is one, otherwise `roles` in the object
/// `realm_access`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim(String);

const UNSENDABLE: JwtRejected = JwtRejected::Invalid("a claim cannot be sent in a header");

impl Claim {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The value of the claim, unless it is null.
    fn find<'a>(&self, claims: &'a Claims) -> Option<&'a Value> {
        let nested = || {
            let mut names = self.0.split('.');
            let first = claims.get(names.next()?)?;
            names.try_fold(first, |value, name| value.get(name))
        };
        claims.get(&self.0).or_else(nested).filter(|value| !value.is_null())
    }

    /// The value as a header; `None` if there is none, or if it is empty.
    ///
    /// A value is an error if a backend could read it differently: with control characters, with a space at either end,
    /// which HTTP drops, or with a comma in an element of a list.
    pub(super) fn to_header(&self, claims: &Claims) -> Result<Option<HeaderValue>, JwtRejected> {
        let Some(value) = self.find(claims) else { return Ok(None) };
        let text = match value {
            Value::Array(elements) => {
                let texts = elements.iter().map(text).collect::<Option<Vec<_>>>().ok_or(UNSENDABLE)?;
                if texts.iter().any(|text| text.contains(',') || !is_plain(text)) {
                    return Err(UNSENDABLE);
                }
                texts.join(",")
            }
            value => text(value).ok_or(UNSENDABLE)?,
        };
        if !is_plain(&text) {
            return Err(UNSENDABLE);
        }
        let header = HeaderValue::try_from(text.into_bytes()).map_err(|_| UNSENDABLE)?;
        Ok(Some(header).filter(|header| !header.is_empty()))
    }

    /// Whether the value, or an element of it, is one of `accepted`. `scope` and `scp` are lists, separated by spaces (RFC 8693,
    /// 4.2).
    pub(super) fn is_one_of(&self, accepted: &[String], claims: &Claims) -> bool {
        let accepts = |text: &str| accepted.iter().any(|accepted| accepted == text);
        match self.find(claims) {
            Some(Value::Array(elements)) => elements.iter().filter_map(text).any(|element| accepts(&element)),
            Some(Value::String(scopes)) if matches!(self.0.as_str(), "scope" | "scp") => scopes.split(' ').any(accepts),
            Some(value) => text(value).is_some_and(|text| accepts(&text)),
            None => false,
        }
    }
}

/// The value as text, unless it is a list, an object or null.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_plain(text: &str) -> bool {
    !text.contains(char::is_control) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims() -> Claims {
        let claims = json!({
            "sub": "alice", "level": 7, "share": 0.5, "admin": true, "nothing": null, "empty": "", "object": {},
            "groups": ["dev", 2, false], "none": [], "nested": [["a"]], "comma": ["a,b"], "text,": "a,b",
            "realm": {"roles": ["user", "admin"], "deep": {"er": "x"}}, "realm.name": "exact", "scope": "read write",
            "name": "Zoë",
        });
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn values_become_headers() {
        let header = |name: &str| Claim::new(name).to_header(&claims());
        for (name, expected) in [
            ("sub", Some("alice")),
            ("level", Some("7")),
            ("share", Some("0.5")),
            ("admin", Some("true")),
            ("groups", Some("dev,2,false")),
            ("realm.roles", Some("user,admin")),
            ("realm.deep.er", Some("x")),
            ("realm.name", Some("exact")),
            ("text,", Some("a,b")),
            ("nothing", None),
            ("empty", None),
            ("none", None),
            ("missing", None),
            ("sub.name", None),
            ("realm.missing.er", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(header(name), Ok(expected.map(HeaderValue::from_static)), "{name}");
        }
        assert_eq!(header("name").unwrap().unwrap().as_bytes(), "Zoë".as_bytes());
        for name in ["object", "nested", "comma", "realm"] {
            assert_eq!(header(name), Err(UNSENDABLE), "{name}");
        }
    }

    #[test]
    fn a_claim_that_http_would_change_does_not_become_a_header() {
        for text in ["a\r\nb: c", "a\0", "a\tb", "a\u{7f}", "a\u{85}b", " a", "a ", "\u{a0}a"] {
            for value in [json!(text), json!([text]), json!(["x", text])] {
                let claims = json!({ "sub": value });
                assert_eq!(Claim::new("sub").to_header(claims.as_object().unwrap()), Err(UNSENDABLE), "{text:?}");
            }
        }
    }

    #[test]
    fn values_are_compared_as_text() {
        let is = |name: &str, accepted: &[&str]| {
            let accepted: Vec<_> = accepted.iter().map(|text| (*text).to_owned()).collect();
            Claim::new(name).is_one_of(&accepted, &claims())
        };
        for (name, accepted) in [
            ("sub", "alice"),
            ("level", "7"),
            ("admin", "true"),
            ("groups", "dev"),
            ("groups", "2"),
            ("realm.roles", "admin"),
            ("scope", "write"),
        ] {
            assert!(is(name, &[accepted]) && is(name, &["other", accepted]), "{name}");
        }
        for (name, accepted) in [
            ("sub", "Alice"),
            ("sub", ""),
            ("groups", "dev,2,false"),
            ("scope", "read write"),
            ("name", "Zo"),
            ("nothing", "null"),
            ("object", "{}"),
            ("missing", ""),
        ] {
            assert!(!is(name, &[accepted]), "{name}");
        }
        assert!(!is("sub", &[]));
    }
}
