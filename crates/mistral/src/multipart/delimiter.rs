//! Finds the delimiter of a form in data that comes in pieces cut anywhere.

use bytes::{Buf, Bytes};
use memchr::memmem::Finder;

/// What the next bytes are.
pub(super) enum Piece {
    /// Data in front of a delimiter; never empty.
    Data(Bytes),
    /// The delimiter; the input stands behind it.
    Delimiter {
        /// It has no line end of its own: that of the headers before it was taken for it.
        borrowed: bool,
    },
    /// The input is used up.
    More,
}

/// Cuts data at `\r\n--boundary`.
///
/// A carriage return stands at the start of the delimiter only. So of what may be a delimiter at the end of
/// the input just its length is kept, and when it turns out to be data, no second delimiter can begin inside
/// it.
pub(super) struct Delimiter {
    text: Bytes,
    finder: Finder<'static>,
    /// How much of the delimiter the input has ended with.
    matched: usize,
    /// How much of `matched` was not in the data: the line end before a part's first byte.
    borrowed: usize,
}

impl Delimiter {
    pub(super) fn new(boundary: &str) -> Self {
        let text = Bytes::from(format!("\r\n--{boundary}"));
        let finder = Finder::new(&text).into_owned();
        Self { text, finder, matched: 0, borrowed: 0 }
    }

    /// Stands at the start of the form or of a part's data: a delimiter here needs no line end of its own to
    /// be seen.
    pub(super) const fn at_line_start(&mut self) {
        self.matched = 2;
        self.borrowed = 2;
    }

    /// Takes one piece off `input`.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Piece {
        if input.is_empty() {
            Piece::More
        } else if self.matched > 0 {
            self.go_on(input)
        } else {
            self.search(input)
        }
    }

    /// The last input ended in what may be a delimiter; this one says whether it was.
    fn go_on(&mut self, input: &mut Bytes) -> Piece {
        let missing = self.text.get(self.matched..).unwrap_or_default();
        let length = missing.len().min(input.len());
        if missing.get(..length) != input.get(..length) {
            return self.give_back(input);
        }
        input.advance(length);
        self.matched = self.matched.saturating_add(length);
        if self.matched < self.text.len() {
            return Piece::More;
        }
        let borrowed = self.borrowed > 0;
        (self.matched, self.borrowed) = (0, 0);
        Piece::Delimiter { borrowed }
    }

    /// It was data; of a borrowed line end nothing is.
    fn give_back(&mut self, input: &mut Bytes) -> Piece {
        let data = self.text.slice(self.borrowed.min(self.matched)..self.matched);
        (self.matched, self.borrowed) = (0, 0);
        if data.is_empty() { self.search(input) } else { Piece::Data(data) }
    }

    fn search(&mut self, input: &mut Bytes) -> Piece {
        let end = self.finder.find(input).unwrap_or_else(|| self.cut_delimiter(input));
        if end > 0 {
            return Piece::Data(input.split_to(end));
        }
        self.go_on(input)
    }

    /// Where a delimiter begins that the end of the input cuts; the length of the input when there is none.
    fn cut_delimiter(&self, input: &[u8]) -> usize {
        let from = input.len().saturating_sub(self.text.len());
        let tail = input.get(from..).unwrap_or_default();
        let start = memchr::memrchr(b'\r', tail).map(|at| from.saturating_add(at));
        let begins = |at: &usize| self.text.starts_with(input.get(*at..).unwrap_or_default());
        start.filter(begins).unwrap_or(input.len())
    }
}
