//! One client connection: its raw bytes are checked on the way in, and a client that stops reading is given up.

use crate::head_check::HeadCheck;
use crate::worker::Seat;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What the parser is given in place of a bad head: it answers 400 to it and closes.
const UNREADABLE: &[u8] = b"\0\r\n\r\n";

/// A guarded stream.
pub(crate) struct Guarded<S> {
    stream: S,
    /// Set when the connection has left HTTP: what comes is no request any more.
    switched: Arc<AtomicBool>,
    check: HeadCheck,
    refused: bool,
    write_timeout: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Taken for as long as anything of the connection lives, also when it has left HTTP.
    _seat: Seat,
}

impl<S> Guarded<S> {
    pub(crate) fn new(stream: S, switched: Arc<AtomicBool>, seat: Seat, write_timeout: Duration) -> Self {
        Self {
            stream,
            switched,
            check: HeadCheck::new(),
            refused: false,
            write_timeout,
            stalled: None,
            _seat: seat,
        }
    }

    /// Passes on what a write answered, but a write that is stuck for too long fails.
    fn watch<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stalled = None;
            return result;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !self.switched.load(Ordering::Acquire) && self.check.feed(fresh).is_err() {
            // A buffer too small for the whole sentence takes its first byte, which is unreadable enough.
            let room = buf.capacity().saturating_sub(before).min(UNREADABLE.len());
            self.refused = true;
            buf.set_filled(before);
            buf.put_slice(UNREADABLE.get(..room).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
