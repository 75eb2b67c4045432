//! The body of a call: bytes, or a form whose file is read from where it was set aside while it is sent.

use super::JSON;
use crate::spool::Spool;
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinHandle, spawn_blocking};

/// What a call carries. It can be sent any number of times.
#[derive(Clone, Default)]
pub(crate) struct Payload {
    content_type: Option<HeaderValue>,
    head: Bytes,
    file: Option<Spool>,
    tail: Bytes,
}

impl Payload {
    /// A document in JSON.
    pub(crate) const fn json(body: Bytes) -> Self {
        Self { content_type: Some(JSON), head: body, file: None, tail: Bytes::new() }
    }

    /// A form: what stands before its file, the file, and what stands behind it.
    pub(crate) const fn form(
        content_type: HeaderValue,
        head: Bytes,
        file: Option<Spool>,
        tail: Bytes,
    ) -> Self {
        Self { content_type: Some(content_type), head, file, tail }
    }

    /// Its type; a call without a body has none.
    pub(crate) const fn content_type(&self) -> Option<&HeaderValue> {
        self.content_type.as_ref()
    }

    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        let file = self.file.as_ref().map_or(0, Spool::length);
        [length(&self.head), file, length(&self.tail)].into_iter().fold(0, u64::saturating_add)
    }

    /// All of it, where it is one piece.
    pub(super) fn whole(&self) -> Option<&Bytes> {
        (self.file.is_none() && self.tail.is_empty()).then_some(&self.head)
    }

    /// Whether a file has to be sent along, which takes its time.
    pub(super) const fn is_long(&self) -> bool {
        self.file.is_some()
    }

    /// Its pieces, from the start.
    pub(super) fn pieces(&self) -> Pieces {
        Pieces { rest: self.clone(), at: 0, buffer: BytesMut::new(), reading: None }
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A payload while it is sent: one piece of its file is in memory at a time.
pub(crate) struct Pieces {
    rest: Payload,
    /// How much of the file was handed out.
    at: u64,
    /// Where its pieces lie, one after the other.
    buffer: BytesMut,
    reading: Option<JoinHandle<(io::Result<Bytes>, BytesMut)>>,
}

impl Pieces {
    /// The next piece, never empty.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if !self.rest.head.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest.head))));
        }
        while let Some(file) = &self.rest.file {
            if self.at >= file.length() {
                (self.rest.file, self.at) = (None, 0);
                break;
            }
            let piece = match (file.at_hand(self.at), &mut self.reading) {
                (Some(piece), _) => Ok(piece),
                (None, Some(reading)) => {
                    let read = ready!(Pin::new(reading).poll(cx));
                    self.reading = None;
                    read.map_err(io::Error::other).and_then(|(piece, buffer)| {
                        self.buffer = buffer;
                        piece
                    })
                }
                (None, none) => {
                    let (file, at) = (file.clone(), self.at);
                    let mut buffer = std::mem::take(&mut self.buffer);
                    *none = Some(spawn_blocking(move || (file.piece(at, &mut buffer), buffer)));
                    continue;
                }
            };
            let taken = piece.as_ref().map_or(0, length);
            self.at = self.at.saturating_add(taken);
            return Poll::Ready(Some(piece));
        }
        let tail = std::mem::take(&mut self.rest.tail);
        Poll::Ready((!tail.is_empty()).then_some(Ok(tail)))
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.length() == self.at
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.length().saturating_sub(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::{Spools, Writer};
    use http_body_util::BodyExt;

    #[test]
    fn a_form_is_its_head_its_file_and_its_tail_and_says_how_long_it_is() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spools = Spools::new(folder.path().to_owned(), 10 << 20);
        for length in [0, 5, 1 << 20] {
            let spool = runtime.block_on(async {
                let mut writer = Writer::new(&spools);
                writer.write(&vec![b'x'; length]).await.unwrap();
                writer.finish().await.unwrap()
            });
            let (head, tail) = (Bytes::from_static(b"head"), Bytes::from_static(b"tail"));
            let payload = Payload::form(HeaderValue::from_static("a/b"), head, Some(spool), tail);
            assert_eq!(payload.length(), length as u64 + 8);
            for _ in 0..2 {
                let mut pieces = payload.pieces();
                let mut sent = Vec::new();
                while let Some(frame) = runtime.block_on(pieces.frame()) {
                    sent.extend_from_slice(&frame.unwrap().into_data().unwrap());
                    let left = payload.length() - sent.len() as u64;
                    assert_eq!(pieces.size_hint().exact(), Some(left));
                    assert_eq!(pieces.is_end_stream(), left == 0);
                }
                assert_eq!(sent, [b"head".as_slice(), &vec![b'x'; length], b"tail"].concat());
            }
        }
        let json = Payload::json(Bytes::from_static(b"{}"));
        assert_eq!(json.whole().map(Bytes::len), Some(2));
    }
}
