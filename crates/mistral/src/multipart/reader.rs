//! Takes a form apart while it arrives.

use bytes::{Buf, Bytes};

use super::delimiter::{Delimiter, Piece};
use super::part::{Headers, Part};
use super::{Boundary, Event, Form, Limits, MultipartError};

/// Reads one form.
pub struct Reader {
    form: &'static Form,
    limits: Limits,
    delimiter: Delimiter,
    state: State,
    /// The fields that may not come again.
    seen: Vec<&'static str>,
    parts: u64,
    text_bytes: u64,
}

enum State {
    /// Nothing but the first delimiter may come.
    Start,
    /// Behind a delimiter, of which two more bytes say whether it is the last; the first of them, if it was
    /// there.
    Behind(Option<u8>),
    Head {
        headers: Headers,
        /// The line that is not complete.
        line: Vec<u8>,
        /// Bytes of headers so far.
        length: u64,
    },
    Text {
        name: &'static str,
        value: Vec<u8>,
    },
    File {
        length: u64,
    },
    /// Behind the last delimiter, with so many bytes of a line end.
    Epilogue(usize),
    Failed(MultipartError),
}

/// What one step over the input came to.
enum Step {
    /// Go on: there may be more in the input.
    On,
    Event(Event),
    /// All input is used up.
    More,
}

const PREAMBLE: MultipartError = MultipartError::Malformed("the form does not begin with its boundary");
const NO_LINE_END: MultipartError =
    MultipartError::Malformed("a part has no line end between its headers and the delimiter");
const BARE_LINE_FEED: MultipartError =
    MultipartError::Malformed("a line of a part's headers ends in a bare line feed");

type Outcome = Result<Step, MultipartError>;

impl Reader {
    /// A reader at the start of a form.
    pub fn new(boundary: &Boundary, form: &'static Form, limits: Limits) -> Self {
        let mut delimiter = Delimiter::new(boundary.as_str());
        delimiter.at_line_start();
        Self { form, limits, delimiter, state: State::Start, seen: Vec::new(), parts: 0, text_bytes: 0 }
    }

    /// The next event in `input`, which is cut off at its front; `None` when all of it is used up.
    ///
    /// # Errors
    /// See [`MultipartError`]. The form is refused for good: each further call has the same error.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Event>, MultipartError> {
        loop {
            match self.step(input) {
                Ok(Step::On) => {}
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::More) => return Ok(None),
                Err(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// The body has ended. Only now is the form known to be sound.
    ///
    /// # Errors
    /// [`MultipartError::Malformed`] when the last delimiter has not been there, or the error of an earlier
    /// call.
    pub fn finish(self) -> Result<(), MultipartError> {
        match self.state {
            State::Epilogue(0 | 2) => Ok(()),
            State::Failed(error) => Err(error),
            State::Start
            | State::Behind(_)
            | State::Head { .. }
            | State::Text { .. }
            | State::File { .. }
            | State::Epilogue(_) => Err(MultipartError::Malformed("the form ends before its last delimiter")),
        }
    }

    fn step(&mut self, input: &mut Bytes) -> Outcome {
        match &self.state {
            State::Failed(error) => Err(error.clone()),
            State::Start | State::Text { .. } | State::File { .. } => {
                let piece = self.delimiter.next(input);
                self.piece(piece)
            }
            State::Head { .. } => self.head(input),
            State::Behind(_) | State::Epilogue(_) => self.byte(input),
        }
    }

    /// The states that go byte by byte: there are few of these.
    fn byte(&mut self, input: &mut Bytes) -> Outcome {
        let Some(byte) = input.first().copied() else { return Ok(Step::More) };
        input.advance(1);
        self.state = match &self.state {
            State::Behind(first) => self.behind(*first, byte)?,
            State::Epilogue(0) if byte == b'\r' => State::Epilogue(1),
            State::Epilogue(1) if byte == b'\n' => State::Epilogue(2),
            State::Start
            | State::Head { .. }
            | State::Text { .. }
            | State::File { .. }
            | State::Epilogue(_)
            | State::Failed(_) => {
                return Err(MultipartError::Malformed("something follows the last delimiter of the form"));
            }
        };
        Ok(Step::On)
    }

    fn behind(&mut self, first: Option<u8>, byte: u8) -> Result<State, MultipartError> {
        match (first, byte) {
            (None, b'\r' | b'-') => Ok(State::Behind(Some(byte))),
            (Some(b'-'), b'-') => Ok(State::Epilogue(0)),
            (Some(b'\r'), b'\n') => self.begin_part(),
            // Blanks, or a longer word that begins like the boundary: a delimiter to some parsers, data to
            // others.
            (_, _) => Err(MultipartError::Malformed("a delimiter of the form is malformed")),
        }
    }

    fn begin_part(&mut self) -> Result<State, MultipartError> {
        self.parts = within(self.parts, 1, self.limits.max_fields, "parts")?;
        Ok(State::Head { headers: Headers::default(), line: Vec::new(), length: 0 })
    }

    /// Reads headers up to the end of one line.
    fn head(&mut self, input: &mut Bytes) -> Outcome {
        let State::Head { headers, line, length } = &mut self.state else { return Ok(Step::On) };
        if input.is_empty() {
            return Ok(Step::More);
        }
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |at| at.saturating_add(1));
        *length = within(*length, end, self.limits.max_header_bytes, "bytes of headers in one part")?;
        line.extend_from_slice(&input.split_to(end));
        let Some(text) = line.strip_suffix(b"\n") else { return Ok(Step::More) };
        let text = text.strip_suffix(b"\r").ok_or(BARE_LINE_FEED)?;
        if !text.is_empty() {
            headers.line(text)?;
            line.clear();
            return Ok(Step::On);
        }
        let part = std::mem::take(headers).finish(self.form)?;
        self.begin_data(part)
    }

    fn begin_data(&mut self, part: Part) -> Outcome {
        self.delimiter.at_line_start();
        match part {
            Part::Text { name, once } => {
                if once {
                    self.first_time(name)?;
                }
                self.state = State::Text { name, value: Vec::new() };
                Ok(Step::On)
            }
            Part::File(head) => {
                self.first_time(head.name)?;
                self.state = State::File { length: 0 };
                Ok(Step::Event(Event::FileStart(head)))
            }
        }
    }

    fn first_time(&mut self, name: &'static str) -> Result<(), MultipartError> {
        if self.seen.contains(&name) {
            return Err(MultipartError::shape(name, "duplicate_field", "Input should be given once"));
        }
        self.seen.push(name);
        Ok(())
    }

    fn piece(&mut self, piece: Piece) -> Outcome {
        match piece {
            Piece::More => Ok(Step::More),
            Piece::Data(data) => self.data(data),
            Piece::Delimiter { borrowed } => self.end_data(borrowed),
        }
    }

    fn data(&mut self, data: Bytes) -> Outcome {
        match &mut self.state {
            State::Text { value, .. } => {
                let limits = &self.limits;
                within(value.len() as u64, data.len(), limits.max_field_bytes, "bytes in one field")?;
                let total = "bytes in all its fields";
                self.text_bytes = within(self.text_bytes, data.len(), limits.max_scalar_total, total)?;
                value.extend_from_slice(&data);
                Ok(Step::On)
            }
            State::File { length } => {
                *length = within(*length, data.len(), self.limits.max_file_bytes, "bytes in a file")?;
                Ok(Step::Event(Event::FileData(data)))
            }
            State::Start | State::Behind(_) | State::Head { .. } | State::Epilogue(_) | State::Failed(_) => {
                Err(PREAMBLE)
            }
        }
    }

    fn end_data(&mut self, borrowed: bool) -> Outcome {
        match std::mem::replace(&mut self.state, State::Behind(None)) {
            // A line end of its own at the start of the form is a preamble.
            State::Start if borrowed => Ok(Step::On),
            // To some parsers this part is empty, to others its data begins with the delimiter.
            State::Text { .. } | State::File { .. } if borrowed => Err(NO_LINE_END),
            State::Text { name, value } => {
                let value = String::from_utf8(value)
                    .map_err(|_| MultipartError::shape(name, "string_unicode", "Input should be UTF-8"))?;
                Ok(Step::Event(Event::Field { name, value }))
            }
            State::File { .. } => Ok(Step::Event(Event::FileEnd)),
            State::Start | State::Behind(_) | State::Head { .. } | State::Epilogue(_) | State::Failed(_) => {
                Err(PREAMBLE)
            }
        }
    }
}

/// `have` and `more` together, when they are no more than `limit`.
fn within(have: u64, more: usize, limit: u64, what: &'static str) -> Result<u64, MultipartError> {
    let sum = have.saturating_add(more as u64);
    if sum > limit { Err(MultipartError::TooLarge { what, limit }) } else { Ok(sum) }
}
