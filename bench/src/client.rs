//! One client of a contestant: a kept-alive connection that sends a request and takes stock of the answer.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use memchr::memchr_iter;
use tokio::net::TcpStream;

use crate::http1::{Connection, Head};

/// A client with at most one connection, opened when first needed.
pub struct Client {
    address: SocketAddr,
    connection: Option<Connection>,
    refusal: Vec<u8>,
    first_piece: Option<Instant>,
}

/// What came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Bytes of body, chunked framing taken off.
    pub bytes: usize,
    /// Blank lines in the body: the events of a stream.
    pub events: u64,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, refusal: Vec::new(), first_piece: None }
    }

    /// Connects now where there is no connection.
    pub async fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_none() {
            self.connection = Some(Connection::new(TcpStream::connect(self.address).await?)?);
        }
        Ok(())
    }

    /// Sends one request and reads its answer; every event of a stream is counted in `live` as it comes.
    pub async fn call(&mut self, request: &[u8], live: &Cell<u64>) -> io::Result<Answer> {
        self.exchange(request, live, &mut |_| ()).await
    }

    /// The beginning of the body of the last answer that was not of status 200.
    pub fn refusal(&self) -> String {
        String::from_utf8_lossy(&self.refusal).chars().take(300).collect()
    }

    /// When the first bytes of the body of the last answer were there.
    pub fn first_piece(&self) -> Option<Instant> {
        self.first_piece
    }

    /// Sends one request and keeps the body of its answer.
    pub async fn fetch(&mut self, request: &[u8]) -> io::Result<(Answer, Vec<u8>)> {
        let mut body = Vec::new();
        let answer =
            self.exchange(request, &Cell::new(0), &mut |piece| body.extend_from_slice(piece)).await?;
        Ok((answer, body))
    }

    async fn exchange(
        &mut self,
        request: &[u8],
        live: &Cell<u64>,
        sink: &mut impl FnMut(&[u8]),
    ) -> io::Result<Answer> {
        let (mut connection, head) = match self.reuse(request).await {
            Some(both) => both,
            None => self.fresh(request).await?,
        };
        let mut answer = Answer { status: head.status(), ..Answer::default() };
        let mut after_newline = false;
        let (refusal, first_piece) = (&mut self.refusal, &mut self.first_piece);
        refusal.clear();
        *first_piece = None;
        let refused = answer.status != 200;
        let mut taking_stock = |piece: &[u8]| {
            first_piece.get_or_insert_with(Instant::now);
            let events = blank_lines(piece, &mut after_newline);
            answer.bytes = answer.bytes.saturating_add(piece.len());
            answer.events = answer.events.saturating_add(events);
            live.set(live.get().saturating_add(events));
            if refused {
                refusal.extend_from_slice(piece);
            }
            sink(piece);
        };
        connection.body(&head, &mut taking_stock).await?;
        if !head.closes {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    /// Tries the kept connection; `None` where there is none or the peer had closed it meanwhile.
    async fn reuse(&mut self, request: &[u8]) -> Option<(Connection, Head)> {
        let mut connection = self.connection.take()?;
        connection.send(request).await.ok()?;
        let head = connection.head().await.ok()??;
        Some((connection, head))
    }

    async fn fresh(&mut self, request: &[u8]) -> io::Result<(Connection, Head)> {
        let mut connection = Connection::new(TcpStream::connect(self.address).await?)?;
        connection.send(request).await?;
        let head = connection.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((connection, head))
    }
}

fn blank_lines(piece: &[u8], after_newline: &mut bool) -> u64 {
    let mut found: u64 = 0;
    let mut next_line = if *after_newline { Some(0) } else { None };
    for at in memchr_iter(b'\n', piece) {
        if next_line == Some(at) {
            found = found.saturating_add(1);
        }
        next_line = Some(at.saturating_add(1));
    }
    *after_newline = next_line == Some(piece.len());
    found
}

#[cfg(test)]
mod tests {
    use super::blank_lines;

    #[test]
    fn events_are_counted_across_pieces() {
        let mut after_newline = false;
        let pieces: [&[u8]; 5] = [b"data: a\n", b"\ndata: b\n\ndata", b": c", b"\n\n", b""];
        let found: u64 = pieces.iter().map(|piece| blank_lines(piece, &mut after_newline)).sum();
        assert_eq!(found, 3);
    }
}
