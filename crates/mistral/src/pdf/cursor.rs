//! Steps over the bytes of a PDF: white space, numbers, names and whole values.

/// Values are no deeper than this inside each other.
const MAX_DEPTH: usize = 64;

/// A place in a file.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

/// White space by the standard (ISO 32000-1, 7.2.2).
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

const fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// Bytes that every reader takes as part of a name or a keyword.
const fn is_regular(byte: u8) -> bool {
    byte.is_ascii_graphic() && !is_delimiter(byte)
}

impl<'a> Cursor<'a> {
    /// At `place`; `None` behind the end.
    pub(super) fn at(file: &'a [u8], place: usize) -> Option<Self> {
        file.get(place..).map(|rest| Self { rest })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left of the file.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !belongs(*byte)).unwrap_or(self.rest.len());
        self.take(end).unwrap_or_default()
    }

    /// Steps over white space; says whether there was any.
    pub(super) fn space(&mut self) -> bool {
        !self.take_while(is_space).is_empty()
    }

    /// Steps over `word`, which must come next.
    pub(super) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// A number of digits only.
    pub(super) fn digits(&mut self) -> Option<u64> {
        std::str::from_utf8(self.take_while(|byte| byte.is_ascii_digit())).ok()?.parse().ok()
    }

    /// Two numbers and a word, as in `7 0 obj` and `7 0 R`; the first number.
    pub(super) fn numbered(&mut self, word: &[u8]) -> Option<u64> {
        let number = self.digits()?;
        self.space().then_some(())?;
        self.digits()?;
        self.space().then_some(())?;
        self.word(word)?;
        Some(number)
    }

    /// A name behind its slash, escapes (`#4b`) read.
    pub(super) fn name(&mut self) -> Vec<u8> {
        let mut written = self.take_while(is_regular);
        let mut name = Vec::with_capacity(written.len());
        while let Some((byte, behind)) = written.split_first() {
            let code = behind.first_chunk::<2>().filter(|_| *byte == b'#');
            let escaped = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
            name.push(escaped.unwrap_or(*byte));
            written = if escaped.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
        }
        name
    }

    /// Steps over one whole value; no comments, and no other object inside.
    pub(super) fn value(&mut self) -> Option<()> {
        let mut closers: Vec<&[u8]> = Vec::new();
        loop {
            self.space();
            if let Some(closer) = closers.last()
                && self.word(closer).is_some()
            {
                closers.pop();
            } else if self.word(b"<<").is_some() {
                closers.push(b">>");
            } else if self.word(b"[").is_some() {
                closers.push(b"]");
            } else {
                self.atom()?;
            }
            if closers.is_empty() {
                return Some(());
            }
            if closers.len() > MAX_DEPTH {
                return None;
            }
        }
    }

    /// Steps over a value that has no others inside.
    fn atom(&mut self) -> Option<()> {
        match self.peek()? {
            b'(' => self.literal(),
            b'<' => {
                self.take(1)?;
                self.take_while(|byte| byte.is_ascii_hexdigit() || is_space(byte));
                self.word(b">")
            }
            b'/' => {
                self.take(1)?;
                self.name();
                Some(())
            }
            _ => {
                let word = self.take_while(is_regular);
                let known = matches!(word, b"true" | b"false" | b"null" | b"R");
                let number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
                (!word.is_empty() && (known || word.iter().all(number))).then_some(())
            }
        }
    }

    /// Steps over a string in parentheses, which may have pairs of them inside.
    fn literal(&mut self) -> Option<()> {
        let mut depth = 0_u64;
        loop {
            match self.take(1)?.first()? {
                b'\\' => drop(self.take(1)?),
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}
