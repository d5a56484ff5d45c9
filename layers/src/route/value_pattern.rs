use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A pattern for the value of a header or a query parameter.
///
/// A leading or trailing `*` stands for any text, and a lone `*` for any value. Patterns are case-sensitive.
///
/// ```
/// use pmesh_layers::route::ValuePattern;
///
/// for (pattern, value, matches) in [
///     ("beta", "beta", true),
///     ("beta", "Beta", false),
///     ("text/*", "text/html", true),
///     ("*Firefox*", "Mozilla/5.0 (X11) Gecko Firefox/140.0", true),
///     ("*", "", true),
/// ] {
///     assert_eq!(ValuePattern::from(pattern).matches(value), matches);
/// }
/// ```
#[derive(Clone)]
pub struct ValuePattern {
    text: Box<str>,
    /// Whether the pattern begins and ends with `*`.
    open: (bool, bool),
    is_sensitive: bool,
}

impl ValuePattern {
    /// Returns the pattern `*`, which matches any value.
    pub fn any() -> Self {
        Self { text: "".into(), open: (true, true), is_sensitive: false }
    }

    /// Displays the pattern as `***`, for secret values. Equality ignores this.
    ///
    /// ```
    /// use pmesh_layers::route::ValuePattern;
    ///
    /// let key = ValuePattern::from("hunter2").sensitive();
    /// assert!(key.matches("hunter2"));
    /// assert_eq!(key.to_string(), "***");
    /// ```
    #[must_use]
    pub fn sensitive(self) -> Self {
        Self { is_sensitive: true, ..self }
    }

    /// Everything except how it is displayed.
    fn meaning(&self) -> (&str, (bool, bool)) {
        (&self.text, self.open)
    }

    /// Whether `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.matches_bytes(value.bytes())
    }

    pub(super) fn matches_bytes(&self, mut value: impl Iterator<Item = u8> + Clone) -> bool {
        let text = self.text.as_bytes();
        let begins = |value: &mut dyn Iterator<Item = u8>| text.iter().all(|byte| value.next() == Some(*byte));
        match self.open {
            (false, false) => value.eq(text.iter().copied()),
            (false, true) => begins(&mut value),
            (true, false) => {
                let length = value.clone().count();
                length >= text.len() && value.skip(length - text.len()).eq(text.iter().copied())
            }
            (true, true) => loop {
                if begins(&mut value.clone()) {
                    return true;
                }
                if value.next().is_none() {
                    return false;
                }
            },
        }
    }

    /// Whether each value that matches `other` also matches this pattern.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match self.open {
            (false, false) => self == other,
            (false, true) => !other.open.0 && other.text.starts_with(&*self.text),
            (true, false) => !other.open.1 && other.text.ends_with(&*self.text),
            (true, true) => other.text.contains(&*self.text),
        }
    }
}

impl From<&str> for ValuePattern {
    fn from(pattern: &str) -> Self {
        let (text, before) = pattern.strip_prefix('*').map_or((pattern, false), |text| (text, true));
        let (text, behind) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        if text.is_empty() && (before || behind) {
            Self::any()
        } else {
            Self { text: text.into(), open: (before, behind), is_sensitive: false }
        }
    }
}

impl From<String> for ValuePattern {
    fn from(pattern: String) -> Self {
        pattern.as_str().into()
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        self.meaning() == other.meaning()
    }
}

impl Eq for ValuePattern {}

impl PartialOrd for ValuePattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ValuePattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.meaning().cmp(&other.meaning())
    }
}

impl Hash for ValuePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.meaning().hash(state);
    }
}

impl fmt::Debug for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValuePattern").field(&format_args!("{self}")).finish()
    }
}

impl fmt::Display for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = |open| if open { "*" } else { "" };
        match self {
            Self { is_sensitive: true, .. } => f.write_str("***"),
            any if *any == Self::any() => f.write_str("*"),
            Self { text, open, .. } => write!(f, "{}{text}{}", star(open.0), star(open.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_at_the_start_or_end() {
        for (pattern, matching, others) in [
            ("", &[""][..], &["a"][..]),
            ("ab", &["ab"], &["", "a", "abc", "cab", "AB"]),
            ("ab*", &["ab", "abc"], &["", "a", "cab"]),
            ("*ab", &["ab", "cab", "abab"], &["", "b", "abc"]),
            ("*ab*", &["ab", "cab", "abc", "aab", "aabb"], &["", "a", "ba"]),
            ("a*b", &["a*b"], &["ab", "acb"]),
            ("*", &["", "a"], &[]),
            ("**", &["", "a"], &[]),
            ("***", &["*", "a*b"], &["", "a"]),
        ] {
            for value in matching {
                assert!(ValuePattern::from(pattern).matches(value), "{pattern}: {value}");
            }
            for value in others {
                assert!(!ValuePattern::from(pattern).matches(value), "{pattern}: {value}");
            }
        }
        for pattern in ["", "a", "*a", "a*", "*a*", "*", "***"] {
            assert_eq!(ValuePattern::from(pattern).to_string(), pattern);
        }
        assert_eq!(ValuePattern::from("**"), ValuePattern::any());
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = ValuePattern::from("hunter2*");
        let secret = shown.clone().sensitive();
        assert_eq!(format!("{secret} {secret:?}"), "*** ValuePattern(***)");
        assert_eq!(secret, shown);
        assert!(secret.covers(&shown) && shown.covers(&secret));
    }

    #[test]
    fn a_pattern_covers_narrower_ones() {
        let patterns =
            ["", "a", "b", "ab", "a*", "ab*", "*b", "*ab", "*a*", "*ab*", "*", "***"].map(ValuePattern::from);
        let values = ["", "a", "b", "*", "ab", "ba", "abc", "cab", "cabc", "abab", "a*", "*b", "*a*"];
        for (wide, narrow) in patterns.iter().flat_map(|wide| patterns.iter().map(move |narrow| (wide, narrow))) {
            let beyond = values.iter().find(|value| narrow.matches(value) && !wide.matches(value));
            assert_eq!(wide.covers(narrow), beyond.is_none(), "{wide}, {narrow}: {beyond:?}");
        }
    }
}
