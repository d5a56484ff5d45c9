use std::{future::poll_fn, pin::Pin};

use http::{Request, header::EXPECT};
use http_body::Body;

use super::{Buffer, BufferMemory, resumed::Resumed};
use crate::body::{RequestBody, RequestBodyError, Whole};

/// Reads the body of a request into memory. If it does not fit, the new body begins with the part that has been read.
///
/// # Errors
///
/// If the body breaks off, or is too long for a [`BodyLimitLayer`](crate::body_limit::BodyLimitLayer).
pub(super) async fn read(
    mut request: Request<RequestBody>,
    max: usize,
    memory: BufferMemory,
) -> Result<Request<RequestBody>, RequestBodyError> {
    let mut buffer = Buffer::new(max, memory);
    let mut trailers = None;
    let body = request.body_mut();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        match frame?.into_data() {
            Ok(piece) if buffer.add(&piece) => {}
            Ok(piece) => {
                let mut rest = std::mem::take(body);
                rest.unwatch();
                *body = RequestBody::new(Resumed::new([buffer.into_bytes(), piece], rest));
                return Ok(request);
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    *body = RequestBody::whole(Whole::new(buffer.into_bytes(), trailers));
    request.headers_mut().remove(EXPECT);
    Ok(request)
}
