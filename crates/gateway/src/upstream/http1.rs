//! One HTTP/1.1 connection to upstream: a call is written, the head of the answer read, the body decoded in bulk.
//!
//! Its own small client, since the way is always the same (one request, one answer) and its cost is most of a call's:
//! no task and no channel between the socket and the relay, and a burst of chunks is decoded by one read. The parsing of heads is
//! httparse's. Framing is strict: what could be read in two ways breaks the connection.

mod chunked;

use super::payload::Pieces;
use super::{Call, SendError};
use bytes::{Buf, Bytes, BytesMut};
use chunked::Chunked;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The longest head of an answer.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
const READ: usize = 16 * 1024;
/// A piece up to this size is copied, so that the buffer it lies in can be used again.
const COPY: usize = 4 * 1024;

/// The bytes of a connection.
pub(super) enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Whether the other end has said anything, such as goodbye. Costs no system call while it is quiet.
    fn is_quiet(&self) -> bool {
        let socket = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        };
        matches!(socket.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// A connection between two calls.
pub(super) struct Connection {
    stream: Stream,
    buffer: BytesMut,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(READ) }
    }

    /// Whether upstream has kept the connection open and said nothing unasked.
    pub(super) fn is_reusable(&self) -> bool {
        self.buffer.is_empty() && self.stream.is_quiet()
    }

    /// Sends a call and reads the head of its answer.
    pub(super) async fn send(
        mut self,
        call: &Call,
        authority: &HeaderValue,
    ) -> Result<Response<Body>, SendError> {
        let broken = |error: io::Error| SendError::Broken(error.to_string());
        let head = head(call, authority);
        let whole = match call.body.whole() {
            Some(body) => self.write(&head, body).await.map(|()| true),
            None => self.write_pieces(head.into(), call.body.pieces()).await,
        };
        let whole = whole.map_err(broken)?;
        loop {
            let head = self.read_head().await.map_err(broken)?;
            // Informational answers come before the real one.
            if !head.status.is_informational() {
                let keep = head.keep && whole;
                let mut response =
                    Response::new(Body { connection: Some(self), framing: head.framing, keep });
                *response.status_mut() = head.status;
                *response.headers_mut() = head.headers;
                return Ok(response);
            }
        }
    }

    async fn write(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let mut rest = Buf::chain(head, body);
        std::future::poll_fn(|cx| {
            while rest.has_remaining() {
                let mut pieces = [IoSlice::new(&[]); 2];
                let count = rest.chunks_vectored(&mut pieces);
                let written = ready!(self.stream.poll_write(cx, pieces.get(..count).unwrap_or_default()))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                rest.advance(written);
            }
            self.stream.poll_flush(cx)
        })
        .await
    }

    /// Writes a body in pieces, and says whether upstream took all of it: it may answer before that, and what is left is
    /// not sent then.
    async fn write_pieces(&mut self, head: Bytes, mut pieces: Pieces) -> io::Result<bool> {
        let mut piece = head;
        loop {
            while piece.has_remaining() {
                let written = std::future::poll_fn(|cx| {
                    // Upstream is listened to while it is spoken to.
                    match self.poll_fill(cx) {
                        Poll::Ready(read) => Poll::Ready(Heard::Something(read)),
                        Poll::Pending => {
                            self.stream.poll_write(cx, &[IoSlice::new(&piece)]).map(Heard::Nothing)
                        }
                    }
                });
                match written.await {
                    Heard::Something(Ok(read)) if read > 0 => {
                        if self.is_answered()? {
                            return Ok(false);
                        }
                    }
                    Heard::Something(Err(error)) => return Err(error),
                    Heard::Something(Ok(_)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Heard::Nothing(Ok(count)) if count > 0 => piece.advance(count),
                    Heard::Nothing(Ok(_)) => return Err(io::ErrorKind::WriteZero.into()),
                    Heard::Nothing(Err(error)) => return self.last_words(error).await,
                }
            }
            match std::future::poll_fn(|cx| pieces.poll_next(cx)).await {
                Some(next) => piece = next?,
                None => break,
            }
        }
        std::future::poll_fn(|cx| self.stream.poll_flush(cx)).await.map(|()| true)
    }

    /// Who takes no more may have said why before.
    async fn last_words(&mut self, error: io::Error) -> io::Result<bool> {
        while !self.is_answered()? {
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether the head of an answer has come; informational ones before it are passed over.
    fn is_answered(&mut self) -> io::Result<bool> {
        while let Some((head, length)) = parse_head(&self.buffer)? {
            if !head.status.is_informational() {
                return Ok(true);
            }
            self.buffer.advance(length);
        }
        if self.buffer.len() > MAX_HEAD {
            Err(invalid("the head of the answer is too long"))
        } else {
            Ok(false)
        }
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            if let Some((head, length)) = parse_head(&self.buffer)? {
                self.buffer.advance(length);
                return Ok(head);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(invalid("the head of the answer is too long"));
            }
            self.buffer.reserve(READ);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(READ);
        let read = std::pin::pin!(self.stream.read_buf(&mut self.buffer));
        read.poll(cx)
    }
}

/// What came first: a word from upstream, or room for more.
enum Heard {
    Something(io::Result<usize>),
    Nothing(io::Result<usize>),
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The head of a call: our own headers and nothing else.
fn head(call: &Call, authority: &HeaderValue) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let mut push = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
    push(&[call.method.as_str().as_bytes(), b" ", call.target.as_bytes()]);
    push(&[b" HTTP/1.1\r\nhost: ", authority.as_bytes()]);
    if let Some(authorization) = &call.to.authorization {
        push(&[b"\r\nauthorization: ", authorization.as_bytes()]);
    }
    push(&[b"\r\naccept: ", call.accept.as_bytes(), b"\r\nuser-agent: ", super::USER_AGENT.as_bytes()]);
    if let Some(content_type) = call.body.content_type() {
        push(&[b"\r\ncontent-type: ", content_type.as_bytes()]);
        push(&[b"\r\ncontent-length: ", call.body.length().to_string().as_bytes()]);
    } else if call.method != http::Method::GET {
        // A request that may have a body says that it has none.
        push(&[b"\r\ncontent-length: 0"]);
    }
    push(&[b"\r\n\r\n"]);
    head
}

/// How the end of a body is known.
enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// In chunks.
    Chunked(Chunked),
    /// Until the connection ends.
    ToTheEnd,
}

impl Framing {
    const fn is_ended(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_ended(),
            Self::ToTheEnd => false,
        }
    }
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    keep: bool,
}

/// Reads a head when it is complete, with its length. Of the headers only those are kept that an answer may pass on.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(invalid("the answer is not HTTP")),
    };
    let status =
        response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid("a status"))?;
    let mut kept = HeaderMap::with_capacity(4);
    let (mut content_length, mut chunked, mut keep) = (None, false, response.version == Some(1));
    for header in response.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let text =
                std::str::from_utf8(header.value).ok().filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
            let value: Option<u64> = text.and_then(|t| t.parse().ok());
            if value.is_none() || content_length.is_some_and(|earlier| Some(earlier) != value) {
                return Err(invalid("the length of the answer is not clear"));
            }
            content_length = value;
        } else if is("transfer-encoding") {
            if chunked || !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(invalid("the answer's transfer encoding is not known"));
            }
            chunked = true;
        } else if is("connection") {
            keep = keep && !header.value.eq_ignore_ascii_case(b"close");
        } else if let Some(name) = super::PASSED.iter().find(|name| is(name.as_str())) {
            let value = HeaderValue::from_bytes(header.value).map_err(|_| invalid("a header"))?;
            kept.insert(HeaderName::clone(name), value);
        }
    }
    let bodiless = status.is_informational() || matches!(status.as_u16(), 204 | 304);
    let framing = match (chunked, content_length) {
        (true, Some(_)) => return Err(invalid("the length of the answer is not clear")),
        _ if bodiless => Framing::Length(0),
        (true, None) => Framing::Chunked(Chunked::default()),
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::ToTheEnd,
    };
    Ok(Some((Head { status, headers: kept, framing, keep }, length)))
}

/// The body of an answer, with its connection.
pub(crate) struct Body {
    connection: Option<Connection>,
    framing: Framing,
    keep: bool,
}

impl Body {
    /// The next piece: all of the body that has arrived.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let Some(connection) = self.connection.as_mut().filter(|_| !self.framing.is_ended()) else {
                return Poll::Ready(None);
            };
            match take(&mut self.framing, &mut connection.buffer) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => return Poll::Ready(Some(Ok(piece))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            if self.framing.is_ended() {
                return Poll::Ready(None);
            }
            match ready!(connection.poll_fill(cx)) {
                Ok(0) if matches!(self.framing, Framing::ToTheEnd) => {
                    self.framing = Framing::Length(0);
                    self.keep = false;
                }
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }

    /// Whether the whole body was handed out.
    pub(super) const fn is_ended(&self) -> bool {
        self.framing.is_ended()
    }

    /// The bytes still to come, when that is known.
    pub(super) const fn remaining(&self) -> Option<u64> {
        match &self.framing {
            Framing::Length(left) => Some(*left),
            Framing::Chunked(_) | Framing::ToTheEnd => None,
        }
    }

    /// The connection, when the body has ended and upstream keeps it open.
    pub(super) fn reclaim(&mut self) -> Option<Connection> {
        if self.is_ended() && self.keep { self.connection.take() } else { None }
    }
}

/// Takes what there is of the body out of the buffer.
fn take(framing: &mut Framing, buffer: &mut BytesMut) -> io::Result<Bytes> {
    match framing {
        Framing::Length(left) => {
            let count = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
            *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            Ok(cut(buffer, count))
        }
        Framing::Chunked(chunked) => {
            chunked.decode(buffer).map_err(|_| invalid("the answer's chunks are malformed"))
        }
        Framing::ToTheEnd => {
            let count = buffer.len();
            Ok(cut(buffer, count))
        }
    }
}

fn cut(buffer: &mut BytesMut, count: usize) -> Bytes {
    if count > COPY {
        return buffer.split_to(count).freeze();
    }
    let piece = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
    buffer.advance(count);
    piece
}

/// Reads one answer out of these pieces as [`Connection`] does out of a socket; `None` where it breaks the connection.
#[cfg(any(test, feature = "fuzzing"))]
pub fn read_answer(pieces: &[&[u8]]) -> Option<crate::fuzzing::ReadAnswer> {
    let (mut buffer, mut head, mut body) = (BytesMut::new(), None::<Head>, Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if head.is_none()
            && let Some((read, length)) = parse_head(&buffer).ok()?
        {
            buffer.advance(length);
            head = Some(read);
        }
        if let Some(head) = head.as_mut() {
            body.extend_from_slice(&take(&mut head.framing, &mut buffer).ok()?);
        }
    }
    let ended = head.as_ref().is_some_and(|head| head.framing.is_ended());
    let status = head.map(|head| head.status.as_u16());
    Some(crate::fuzzing::ReadAnswer { status, body, ended, rest: buffer.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> io::Result<Option<(Head, usize)>> {
        parse_head(text.as_bytes())
    }

    #[test]
    fn heads_are_read_with_their_framing_and_few_headers() {
        let (head, length) =
            parsed("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nSet-Cookie: x\r\nContent-Length: 5\r\n\r\nhello")
                .unwrap()
                .unwrap();
        assert_eq!((head.status.as_u16(), head.headers.len(), length, head.keep), (200, 1, 72, true));
        assert!(matches!(head.framing, Framing::Length(5)));
        let (head, _) = parsed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            .unwrap()
            .unwrap();
        assert!(matches!(head.framing, Framing::Chunked(_)) && !head.keep);
        let (head, _) = parsed("HTTP/1.0 200 OK\r\n\r\n").unwrap().unwrap();
        assert!(matches!(head.framing, Framing::ToTheEnd) && !head.keep);
        assert!(parsed("HTTP/1.1 200 OK\r\nContent-Le").unwrap().is_none());
    }

    #[test]
    fn what_could_be_read_in_two_ways_breaks() {
        for bad in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
    }
}
