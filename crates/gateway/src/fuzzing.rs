//! The readers of bytes off the network, without a network: what the fuzz targets drive. Not part of the product.

use crate::head_check::HeadCheck;
pub use crate::upstream::read_answer;

/// Whether the raw bytes of a client's connection, in these pieces, pass what stands in front of the parser.
pub fn heads_pass(pieces: &[&[u8]]) -> bool {
    let mut check = HeadCheck::new();
    pieces.iter().all(|piece| check.feed(piece).is_ok())
}

/// An answer of upstream, as read off its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAnswer {
    /// Its status, when its head was whole.
    pub status: Option<u16>,
    /// Its body, decoded.
    pub body: Vec<u8>,
    /// Whether the body was whole.
    pub ended: bool,
    /// Bytes behind it.
    pub rest: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_answers_are_read_in_pieces() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab";
        assert!(heads_pass(&[head]) && heads_pass(&[&head[..7], &head[7..]]));
        assert!(!heads_pass(&[&head[..17], b"\n"]));
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nx";
        let whole = ReadAnswer { status: Some(200), body: b"ab".to_vec(), ended: true, rest: b"x".to_vec() };
        for cut in 0..answer.len() {
            let (a, b) = answer.split_at(cut);
            assert_eq!(read_answer(&[a, b]), Some(whole.clone()), "cut at {cut}");
        }
        assert_eq!(read_answer(&[b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"]), None);
    }
}
