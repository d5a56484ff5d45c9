//! Regular expressions for strings (ECMA 262). They accept every valid value, and some invalid ones, where an exact
//! expression would be too long.

/// A reference to the environment. Its value is not known here.
pub(super) const REFERENCE: &str = r"\$\{";

/// Methods are case-sensitive, and no known one contains lower-case letters.
pub(super) const METHOD: &str = "^[^a-z\\s]+$";
/// A log filter with levels by library.
pub(super) const FILTER: &str = r"[=\[,]";
pub(super) const SUBNET: &str = r"^127\.\d+\.\d+\.\d+/\d+$";
pub(super) const ADDRESS: &str = r"^[0-9a-fA-F:.]+$";
pub(super) const NETWORK: &str = r"^[0-9a-fA-F:.]+(/\d+)?$";
pub(super) const SOCKET: &str = r"^(unix:.+|127\..+:\d+|\[.+\]:\d+)$";

/// A number with or without a fraction.
pub(super) const NUMBER: &str = r"^\d+(\.\d+)?$";
/// Numbers with units, as humantime reads them.
pub(super) const DURATION: &str = r"^\s*(\d+(\.\d+)?\s*(n(anos|sec|s)|us(ec)?|µs|m(illis|sec|s)|s(ec(ond)?s?)?|m(in(ute)?s?)?|h((ou)?rs?)?|d(ays?)?|w(ee)?ks?|w|M|months?|y(ea)?rs?|y)\s*)+$";
/// A duration of zero.
pub(super) const ZERO: &str = r"^[^1-9$]*$";
/// A number of bytes, with or without a unit.
pub(super) const SIZE: &str = r"^\s*\d+\s*([KkMmGgTt][Ii][Bb]|[KkMmGg]?[Bb])?\s*$";
