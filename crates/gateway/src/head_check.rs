//! Looks at the raw bytes of request heads for what an HTTP parser would forgive: two ways to say how long a body is,
//! and lines that end in a bare LF.
//!
//! A lenient reading is how two servers come to disagree about where a request ends. The check runs in front of the
//! parser; a connection that fails it gets 400 and is closed.

/// The head violates the framing rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadHead;

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Inside the head of a request.
    Head,
    /// Inside a body of which so many bytes are still to come.
    Body(u64),
    /// Not looked at any more: HTTP/2, or a chunked body after which the connection is closed.
    Opaque,
}

/// Follows the requests of one connection.
pub(crate) struct HeadCheck {
    state: State,
    /// The line so far, when it did not come in one piece.
    partial: Vec<u8>,
    first_line: bool,
    content_length: Option<u64>,
    chunked: bool,
}

/// The longest head that the parser takes; it answers 431 to a longer one.
pub(crate) const MAX_HEAD: usize = 128 * 1024;
/// The longest line that is kept here: never reached, since the parser gives up before.
const MAX_LINE: usize = 2 * MAX_HEAD;

impl HeadCheck {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            partial: Vec::new(),
            first_line: true,
            content_length: None,
            chunked: false,
        }
    }

    /// Looks at the next bytes of the connection.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), BadHead> {
        while !bytes.is_empty() {
            match self.state {
                State::Opaque => return Ok(()),
                State::Body(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = bytes.get(take..).unwrap_or_default();
                    let left = left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
                    self.state = if left == 0 { State::Head } else { State::Body(left) };
                }
                State::Head => bytes = self.head(bytes)?,
            }
        }
        Ok(())
    }

    /// Takes one line (or what there is of it) and answers the bytes after it.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], BadHead> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.partial.extend_from_slice(bytes);
            return if self.partial.len() > MAX_LINE { Err(BadHead) } else { Ok(&[]) };
        };
        let (piece, rest) = bytes.split_at_checked(end).ok_or(BadHead)?;
        if self.partial.is_empty() {
            self.line(piece)?;
        } else {
            let mut line = std::mem::take(&mut self.partial);
            line.extend_from_slice(piece);
            self.line(&line)?;
        }
        Ok(rest.get(1..).unwrap_or_default())
    }

    /// Looks at one line, without its LF.
    fn line(&mut self, line: &[u8]) -> Result<(), BadHead> {
        let line = line.strip_suffix(b"\r").ok_or(BadHead)?;
        if memchr::memchr2(b'\r', 0, line).is_some() {
            return Err(BadHead);
        }
        if line.is_empty() {
            return self.end_of_head();
        }
        if self.first_line {
            self.first_line = false;
            if line == b"PRI * HTTP/2.0" {
                self.state = State::Opaque;
            }
            return Ok(());
        }
        self.header(line)
    }

    fn header(&mut self, line: &[u8]) -> Result<(), BadHead> {
        // Only names of these two lengths matter; the rest is the parser's work.
        let colon = memchr::memchr(b':', line).ok_or(BadHead)?;
        let (name, value) = line.split_at_checked(colon).ok_or(BadHead)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|d| d.parse().ok());
            if self.content_length.is_some() || length.is_none() {
                return Err(BadHead);
            }
            self.content_length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.chunked
                || !value.get(1..).unwrap_or_default().trim_ascii().eq_ignore_ascii_case(b"chunked")
            {
                return Err(BadHead);
            }
            self.chunked = true;
        }
        Ok(())
    }

    fn end_of_head(&mut self) -> Result<(), BadHead> {
        if self.first_line || (self.chunked && self.content_length.is_some()) {
            return Err(BadHead);
        }
        self.state = match (self.chunked, self.content_length) {
            (true, _) => State::Opaque,
            (false, Some(length)) if length > 0 => State::Body(length),
            (false, _) => State::Head,
        };
        (self.first_line, self.content_length, self.chunked) = (true, None, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict must be the same wherever the bytes are cut.
    fn verdict(text: &str) -> Result<(), BadHead> {
        let whole = HeadCheck::new().feed(text.as_bytes());
        for cut in 0..text.len() {
            let mut check = HeadCheck::new();
            let (a, b) = text.as_bytes().split_at(cut);
            assert_eq!(check.feed(a).and_then(|()| check.feed(b)), whole, "cut at {cut} of {text:?}");
        }
        whole
    }

    #[test]
    fn plain_requests_pass_also_one_after_the_other() {
        for good in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\nb\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn what_two_readers_could_read_differently_fails() {
        for bad in [
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nX\r\n\r\n",
            "\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET / HTTP/1.1\nHost: a\r\n\r\n",
        ] {
            assert_eq!(verdict(bad), Err(BadHead), "{bad:?}");
        }
    }
}
