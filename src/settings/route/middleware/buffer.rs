//! `buffer`.

use figment::value::Value;

use crate::{
    config::{Parse, Problems, Reason, Size},
    settings::route::Scope,
};

/// The longest body that can be buffered.
const MAX: u64 = 16 << 20;

/// Reads the size. Returns `None` if it is invalid, and reports that.
pub(super) fn read(scope: &Scope<'_>, problems: &mut Problems) -> Option<Option<usize>> {
    let Some(node) = scope.field("buffer") else { return Some(None) };
    node.read(problems).map(|Buffer(size)| Some(size))
}

/// How long a body in memory can be.
struct Buffer(usize);

impl Parse for Buffer {
    const EXPECTED: &'static str = "a size from 1 to 16MiB, such as 64KiB";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match Size::parse(value)? {
            Size(0) => Err(Some("to switch it off, write false".into())),
            Size(size @ 1..=MAX) => usize::try_from(size).map(Self).map_err(|_| None),
            Size(_) => Err(Some("longer bodies are not buffered; they stream".into())),
        }
    }
}
