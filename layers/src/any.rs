//! Takes a value as it is if it already has the wanted type.

use std::any::Any;

/// Returns `body` as a `T` if it is one, otherwise unchanged. The compiler resolves the check.
pub(crate) fn as_is<B: 'static, T: 'static>(body: B) -> Result<T, B> {
    let mut body = Some(body);
    if let Some(same) = (&mut body as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take) {
        return Ok(same);
    }
    match body {
        Some(body) => Err(body),
        None => unreachable!("only a `T` is taken out"),
    }
}
