use std::{collections::BTreeSet, fmt};

use http::{HeaderValue, Method};

/// A set of request methods. GET includes HEAD.
///
/// ```
/// use http::Method;
/// use pmesh_layers::route::Methods;
///
/// let methods: Methods = [Method::POST, Method::GET].into_iter().collect();
/// assert!(methods.contains(&Method::HEAD) && !methods.contains(&Method::PUT));
/// assert_eq!(methods.to_string(), "GET, HEAD, POST");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Methods {
    /// A bit for each of [`COMMON`].
    common: u16,
    others: BTreeSet<Box<str>>,
}

const COMMON: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
    Method::CONNECT,
    Method::TRACE,
];

impl Methods {
    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.common == 0 && self.others.is_empty()
    }

    /// Whether the set contains this method.
    pub fn contains(&self, method: &Method) -> bool {
        match bit(method) {
            Some(bit) => self.common & bit != 0,
            None => self.others.contains(method.as_str()),
        }
    }

    pub(super) fn is_superset(&self, other: &Self) -> bool {
        self.common & other.common == other.common && self.others.is_superset(&other.others)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.common |= other.common;
        self.others.extend(other.others.iter().cloned());
    }

    /// Returns the value of an `Allow` header (RFC 9110, 10.2.1).
    pub(crate) fn to_header(&self) -> HeaderValue {
        // Never fails: methods are tokens.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static(""))
    }
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        let mut all = Self::default();
        for method in methods {
            match bit(&method) {
                Some(bit) => all.common |= bit,
                None => drop(all.others.insert(method.as_str().into())),
            }
            if method == Method::GET {
                all.common |= bit(&Method::HEAD).unwrap_or_default();
            }
        }
        all
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let common = COMMON.iter().filter(|method| self.contains(method)).map(Method::as_str);
        for (index, method) in common.chain(self.others.iter().map(|method| &**method)).enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            f.write_str(method)?;
        }
        Ok(())
    }
}

fn bit(method: &Method) -> Option<u16> {
    COMMON.iter().position(|other| other == method).map(|index| 1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods(text: &str) -> Methods {
        text.split_whitespace().map(|method| method.parse::<Method>().unwrap()).collect()
    }

    #[test]
    fn methods_have_no_duplicates_and_get_includes_head() {
        for (text, shown) in [
            ("", ""),
            ("HEAD", "HEAD"),
            ("GET", "GET, HEAD"),
            ("PROPFIND post MKCOL GET PROPFIND", "GET, HEAD, MKCOL, PROPFIND, post"),
        ] {
            assert_eq!(methods(text).to_string(), shown);
            assert_eq!(methods(text).to_header(), shown);
        }
        assert_eq!(methods("GET HEAD"), methods("GET"));
        assert!(methods("").is_empty() && !methods("PROPFIND").is_empty());
        assert!(methods("GET PROPFIND").contains(&"PROPFIND".parse().unwrap()));
        assert!(!methods("GET PROPFIND").contains(&"propfind".parse().unwrap()));
    }

    #[test]
    fn supersets_are_recognized() {
        for (wide, narrow) in [("GET POST", "HEAD"), ("PROPFIND GET", "PROPFIND"), ("PUT", "")] {
            assert!(methods(wide).is_superset(&methods(narrow)), "{wide}: {narrow}");
            assert!(!methods(narrow).is_superset(&methods(wide)), "{wide}: {narrow}");
        }
    }
}
