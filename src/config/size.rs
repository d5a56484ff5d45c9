//! Sizes with units, and limits that can be off.

use figment::value::Value;

use super::{Parse, Reason};

/// The units of sizes, in bytes.
const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// A number of bytes, written with or without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Parse for Size {
    const EXPECTED: &'static str = "a size in bytes, or with a unit, such as 64KiB or 10MiB";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if let Some(number) = value.to_u128() {
            return number.try_into().map(Self).map_err(|_| None);
        }
        let text = super::text(value)?.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| None)?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Ok(Self(number));
        }
        let (_, bytes) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(|| {
            // In nginx and HAProxy, a lone letter means a power of 1024.
            let (name, _) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&format!("{unit}iB")))?;
            Some(format!("write {number}{name}"))
        })?;
        number.checked_mul(*bytes).map(Self).ok_or(None)
    }
}

/// A limit that can be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeLimit(pub(crate) Option<u64>);

impl Parse for SizeLimit {
    const EXPECTED: &'static str = "a size such as 512KiB or 10MiB, or off";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("off")) {
            return Ok(Self(None));
        }
        Size::parse(value).map(|Size(bytes)| Self(Some(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_without_a_unit_is_in_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("100", Some(100)),
            ("64KiB", Some(65536)),
            ("64 kib", Some(65536)),
            ("10MB", Some(10_000_000)),
            ("1GiB", Some(1 << 30)),
            ("20000000TiB", None),
            ("KiB", None),
            ("", None),
            ("-1", None),
            ("1.5MiB", None),
            ("1 apple", None),
        ] {
            assert_eq!(Size::parse(&text.into()).ok(), expected.map(Size), "{text}");
        }
        assert_eq!(Size::parse(&Value::from(7_u64)), Ok(Size(7)));
        assert_eq!(SizeLimit::parse(&"10m".into()), Err(Some("write 10MiB".into())));
        assert_eq!(SizeLimit::parse(&"off".into()), Ok(SizeLimit(None)));
        assert_eq!(SizeLimit::parse(&"1KiB".into()), Ok(SizeLimit(Some(1024))));
    }
}
