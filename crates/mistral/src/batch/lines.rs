//! Bytes in pieces, cut into lines: of a line no more is kept than may be read.

/// Cuts bytes that come in pieces into lines that end with `\n`; the last one may lack it.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    longest: usize,
    /// The present line is longer than that.
    over: bool,
}

impl Lines {
    /// Of at most so many bytes, without their ends.
    pub const fn new(longest: usize) -> Self {
        Self { partial: Vec::new(), longest, over: false }
    }

    /// Takes the next bytes. `each` gets every line that ends in them; `None` is one that is too long.
    ///
    /// # Errors
    /// What `each` answers; the rest of the bytes is not looked at then.
    pub fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Option<&[u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut from = 0_usize;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let piece = bytes.get(from..end).unwrap_or_default();
            from = end.saturating_add(1);
            if self.partial.is_empty() && !self.over && piece.len() <= self.longest {
                each(Some(piece))?;
            } else {
                self.keep(piece);
                self.end(&mut each)?;
            }
        }
        self.keep(bytes.get(from..).unwrap_or_default());
        Ok(())
    }

    /// The end of the bytes: a last line without its end is a line.
    ///
    /// # Errors
    /// What `each` answers.
    pub fn finish<E>(&mut self, mut each: impl FnMut(Option<&[u8]>) -> Result<(), E>) -> Result<(), E> {
        if self.partial.is_empty() && !self.over { Ok(()) } else { self.end(&mut each) }
    }

    fn end<E>(&mut self, each: &mut impl FnMut(Option<&[u8]>) -> Result<(), E>) -> Result<(), E> {
        let over = std::mem::take(&mut self.over);
        let answer = each((!over).then_some(self.partial.as_slice()));
        self.partial.clear();
        answer
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.partial.len().saturating_add(piece.len()) > self.longest {
            self.over = true;
            self.partial.clear();
        }
        if !self.over {
            self.partial.extend_from_slice(piece);
        }
    }
}
