//! Percent-encoding of what becomes part of a URL. All that is encoded already stays as it is.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC};

/// What no part of a URL can contain as it is (RFC 3986, 2), beside bytes beyond ASCII. Browsers read `\` as a slash.
pub(super) const NOT_IN_URL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// What would end a path.
pub(super) const NOT_IN_PATH: &AsciiSet = &NOT_IN_URL.add(b'?').add(b'#');

/// What would end a query.
pub(super) const NOT_IN_QUERY: &AsciiSet = &NOT_IN_URL.add(b'#');

/// What would end the value of a parameter in a query, or mean something else in it.
pub(super) const NOT_IN_VALUE: &AsciiSet = &NOT_IN_QUERY.add(b'&').add(b'+').add(b';');

/// All that a URL in a query must not be taken apart at, percent-encoding included.
pub(super) const NOT_IN_NESTED_URL: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
