//! Percent-encodes values that become part of a URL. Existing percent-encoding is kept.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC};

/// ASCII characters that no part of a URL can contain (RFC 3986, 2). Browsers read `\` as a slash.
pub(super) const NOT_IN_URL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// No characters, for parts of a path that become part of another path.
pub(super) const KEPT: &AsciiSet = &AsciiSet::EMPTY;

/// In a path, also the characters that would end it.
pub(super) const NOT_IN_PATH: &AsciiSet = &NOT_IN_URL.add(b'?').add(b'#');

/// In a query, also the character that would end it.
pub(super) const NOT_IN_QUERY: &AsciiSet = &NOT_IN_URL.add(b'#');

/// In the value of a query parameter, also characters that would end it or mean something else.
pub(super) const NOT_IN_VALUE: &AsciiSet = &NOT_IN_QUERY.add(b'&').add(b'+').add(b';');

/// In a URL inside a query, everything that could split it, including percent signs.
pub(super) const NOT_IN_NESTED_URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
