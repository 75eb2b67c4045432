//! Reads HTTP/1.1 messages off a kept-alive socket: just enough of the protocol for both ends of the benchmark.

use std::io;

use bytes::{Buf, BytesMut};
use memchr::{memchr, memmem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest head accepted, bytes.
const HEAD_LIMIT: usize = 64 * 1024;

/// One socket and the bytes received on it that nobody has taken yet.
pub struct Connection {
    stream: TcpStream,
    received: BytesMut,
}

/// What a message's head says about the message.
pub struct Head {
    /// The first line: of a request or of an answer.
    pub first_line: String,
    framing: Framing,
    /// The other side closes after this message.
    pub closes: bool,
}

enum Framing {
    Length(usize),
    Chunked,
}

impl Head {
    /// The status of an answer; 0 where the line is no status line.
    pub fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

fn broken(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Connection {
    /// Takes over a connected socket.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: BytesMut::with_capacity(64 * 1024) })
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits for more bytes; an end of the connection is an error of kind `UnexpectedEof`.
    async fn receive(&mut self) -> io::Result<()> {
        self.received.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads one head; `None` where the peer closed between two messages.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = memmem::find(&self.received, b"\r\n\r\n") {
                let head = self.received.split_to(end.saturating_add(4));
                return parse_head(&head).map(Some);
            }
            if self.received.len() > HEAD_LIMIT {
                return Err(broken("head too long"));
            }
            match self.receive().await {
                Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof && self.received.is_empty() => {
                    return Ok(None);
                }
                other => other?,
            }
        }
    }

    /// Reads the body that belongs to `head` and hands its pieces to `sink`.
    pub async fn body(&mut self, head: &Head, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        match head.framing {
            Framing::Length(length) => self.exactly(length, sink).await,
            Framing::Chunked => loop {
                let size = self.chunk_size().await?;
                self.exactly(size, sink).await?;
                self.exactly(2, &mut |_| ()).await?;
                if size == 0 {
                    return Ok(());
                }
            },
        }
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        loop {
            if let Some(end) = memchr(b'\n', &self.received) {
                let line = self.received.split_to(end.saturating_add(1));
                let digits: Vec<u8> = line.iter().copied().take_while(u8::is_ascii_hexdigit).collect();
                let text = std::str::from_utf8(&digits).map_err(|_| broken("chunk size"))?;
                return usize::from_str_radix(text, 16).map_err(|_| broken("chunk size"));
            }
            self.receive().await?;
        }
    }

    async fn exactly(&mut self, mut wanted: usize, sink: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while wanted > 0 {
            if self.received.is_empty() {
                self.receive().await?;
            }
            let taken = wanted.min(self.received.len());
            sink(self.received.get(..taken).unwrap_or_default());
            self.received.advance(taken);
            wanted = wanted.saturating_sub(taken);
        }
        Ok(())
    }
}

fn parse_head(head: &[u8]) -> io::Result<Head> {
    let text = std::str::from_utf8(head).map_err(|_| broken("head is not text"))?;
    let mut lines = text.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let (mut framing, mut closes) = (Framing::Length(0), false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse().map_err(|_| broken("content-length"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(Head { first_line, framing, closes })
}
