//! A macro for IO wrappers.
//!
//! Reading is one method, which each wrapper implements by hand. Writing is five methods, most of which only call the
//! inner IO. The macro implements those, for tokio's `AsyncWrite` and hyper's `Write`.

/// Implements the writing half of a wrapper around its field `io`. `through` calls the method of `io`; any other name is a
/// method of the wrapper. `write` gets one or more slices.
macro_rules! write_half {
    (
        impl[$($generics:tt)*] $write:path, for $wrapper:ty,
        { write: $on_write:ident, vectored: $on_vectored:ident, flush: $on_flush:ident, shutdown: $on_shutdown:ident }
    ) => {
        impl<$($generics)*> $write for $wrapper {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                write_half!(@one $on_write, self, cx, buf)
            }

            fn poll_write_vectored(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                write_half!(@many $on_write, self, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                write_half!(@vectored $on_vectored, self)
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                write_half!(@end $on_flush, poll_flush, self, cx)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                write_half!(@end $on_shutdown, poll_shutdown, self, cx)
            }
        }
    };
    (@one through, $self:ident, $cx:ident, $buf:ident) => { std::pin::Pin::new(&mut $self.io).poll_write($cx, $buf) };
    (@one $hook:ident, $self:ident, $cx:ident, $buf:ident) => { $self.$hook($cx, &[std::io::IoSlice::new($buf)]) };
    (@many through, $self:ident, $cx:ident, $bufs:ident) => {
        std::pin::Pin::new(&mut $self.io).poll_write_vectored($cx, $bufs)
    };
    (@many $hook:ident, $self:ident, $cx:ident, $bufs:ident) => { $self.$hook($cx, $bufs) };
    (@vectored through, $self:ident) => { $self.io.is_write_vectored() };
    (@vectored $hook:ident, $self:ident) => { $self.$hook() };
    (@end through, $poll:ident, $self:ident, $cx:ident) => { std::pin::Pin::new(&mut $self.io).$poll($cx) };
    (@end $hook:ident, $poll:ident, $self:ident, $cx:ident) => { $self.$hook($cx) };
}

/// Writes slices. Usually there is only one, for which the kernel has a shorter path.
macro_rules! write_slices {
    ($io:expr, $cx:expr, $bufs:expr) => {
        match $bufs {
            [buf] => $io.poll_write($cx, buf),
            bufs => $io.poll_write_vectored($cx, bufs),
        }
    };
}
