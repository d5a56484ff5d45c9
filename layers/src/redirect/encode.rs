//! Percent-encoding of values that become part of a URL. Existing percent-encoding is kept.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC};

/// What no part of a URL can contain (RFC 3986, 2), apart from bytes beyond ASCII. Browsers read `\` as a slash.
pub(super) const NOT_IN_URL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// What would end a path.
pub(super) const NOT_IN_PATH: &AsciiSet = &NOT_IN_URL.add(b'?').add(b'#');

/// What would end a query.
pub(super) const NOT_IN_QUERY: &AsciiSet = &NOT_IN_URL.add(b'#');

/// What would end the value of a parameter in a query, or mean something else in it.
pub(super) const NOT_IN_VALUE: &AsciiSet = &NOT_IN_QUERY.add(b'&').add(b'+').add(b';');

/// What could split a URL inside a query, percent signs included.
pub(super) const NOT_IN_NESTED_URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
