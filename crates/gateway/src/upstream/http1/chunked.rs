//! Decodes a chunked body: everything that has arrived at once, however it was cut.

use bytes::{Buf, Bytes, BytesMut};

/// The chunks are malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the size of a chunk.
    #[default]
    Size,
    /// Inside a chunk of which so many bytes are still to come.
    Data(usize),
    /// Before the line end that closes a chunk.
    DataEnd,
    /// After the last chunk: lines of trailers, then an empty one.
    Trailers,
    /// Whole.
    Ended,
}

/// The decoder of one body.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
}

/// The longest line of a size or of a trailer.
const MAX_LINE: usize = 8 * 1024;

impl Chunked {
    pub(super) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes whole pieces out of `buffer` and answers their data; what is incomplete stays there.
    pub(super) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Bytes, Malformed> {
        let mut data = BytesMut::new();
        loop {
            match self.state {
                State::Size => {
                    let Some(line) = take_line(buffer)? else { break };
                    let size = size(&line)?;
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                }
                State::Data(left) => {
                    let count = left.min(buffer.len());
                    if count == 0 {
                        break;
                    }
                    data.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    buffer.advance(count);
                    let left = left.saturating_sub(count);
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                }
                State::DataEnd => {
                    if buffer.len() < 2 {
                        break;
                    }
                    if !buffer.starts_with(b"\r\n") {
                        return Err(Malformed);
                    }
                    buffer.advance(2);
                    self.state = State::Size;
                }
                State::Trailers => {
                    let Some(line) = take_line(buffer)? else { break };
                    // Trailers are dropped.
                    if line.is_empty() {
                        self.state = State::Ended;
                    }
                }
                State::Ended => break,
            }
        }
        Ok(data.freeze())
    }
}

/// A whole line without its end, or `None` when it has not arrived.
fn take_line(buffer: &mut BytesMut) -> Result<Option<BytesMut>, Malformed> {
    let end = memchr::memchr(b'\n', buffer);
    // The same whether its end has arrived or not.
    if end.unwrap_or(buffer.len()) > MAX_LINE {
        return Err(Malformed);
    }
    let Some(end) = end else { return Ok(None) };
    let line = buffer.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Malformed)?;
    let line = BytesMut::from(line);
    buffer.advance(end.saturating_add(1));
    Ok(Some(line))
}

fn size(line: &[u8]) -> Result<usize, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let plain = !digits.is_empty() && digits.len() <= 15 && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    if plain { usize::from_str_radix(text, 16).map_err(|_| Malformed) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `text` cut into two at `cut`.
    fn decode(text: &str, cut: usize) -> Result<(Vec<u8>, bool, Vec<u8>), Malformed> {
        let (mut chunked, mut buffer, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
        let (a, b) = text.as_bytes().split_at(cut);
        for part in [a, b] {
            buffer.extend_from_slice(part);
            data.extend_from_slice(&chunked.decode(&mut buffer)?);
        }
        Ok((data, chunked.is_ended(), buffer.to_vec()))
    }

    #[test]
    fn a_body_is_the_same_wherever_it_is_cut() {
        let text = "5\r\nhello\r\nB;x=1\r\n, chunked w\r\n4\r\norld\r\n0\r\nTrailer: x\r\n\r\nnext";
        for cut in 0..=text.len() {
            let (data, ended, rest) = decode(text, cut).unwrap();
            assert_eq!(
                (data.as_slice(), ended, rest.as_slice()),
                (b"hello, chunked world".as_slice(), true, b"next".as_slice()),
                "cut at {cut}"
            );
        }
        assert!(!decode("5\r\nhello\r\n", 0).unwrap().1, "not ended without the last chunk");
    }

    #[test]
    fn a_long_line_is_malformed_wherever_it_is_cut() {
        let text = format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(MAX_LINE));
        for cut in [0, 10, MAX_LINE + 2, MAX_LINE + 4, text.len()] {
            assert_eq!(decode(&text, cut).err(), Some(Malformed), "cut at {cut}");
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bad in [
            "x\r\n",
            "-1\r\n",
            "\r\n",
            "5\nhello\r\n",
            "5\r\nhelloX\r\n",
            "ffffffffffffffff\r\n",
            "0x5\r\nhello\r\n",
            "+5\r\nhello\r\n",
        ] {
            assert_eq!(decode(bad, 0).err(), Some(Malformed), "{bad:?}");
        }
    }
}
