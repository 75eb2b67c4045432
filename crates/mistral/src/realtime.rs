//! The messages of a realtime transcription: what a client may say, read strictly, and how many seconds its audio is.

use crate::json::{self, Cursor, Fault, JsonError, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The most bytes of audio in one message, as Mistral documents it.
pub const MOST_AUDIO: usize = 262_144;

/// How audio is written: from it follows how many bytes are a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    bytes_per_second: u64,
}

impl Format {
    /// What a session begins with: `pcm_s16le` at 16,000 samples a second.
    pub const DEFAULT: Self = Self { bytes_per_second: 32_000 };

    /// The format of that encoding and rate; `None` where the length of such audio is not known.
    pub fn of(encoding: &str, sample_rate: u64) -> Option<Self> {
        let bytes: u64 = match encoding {
            "pcm_mulaw" | "pcm_alaw" => 1,
            "pcm_s16le" | "pcm_f16le" => 2,
            "pcm_s32le" | "pcm_f32le" => 4,
            _ => return None,
        };
        let usual = (8_000..=48_000).contains(&sample_rate);
        usual.then(|| Self { bytes_per_second: bytes.saturating_mul(sample_rate) })
    }

    /// The one of both in which the same bytes last longer.
    #[must_use]
    pub const fn slower(self, other: Self) -> Self {
        if other.bytes_per_second < self.bytes_per_second { other } else { self }
    }

    /// How many seconds so many bytes are; a begun one counts.
    pub const fn seconds(self, bytes: u64) -> u64 {
        bytes.div_ceil(self.bytes_per_second)
    }
}

/// What a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `session.update`
    Update {
        /// The format of the audio that is to come, if it is named.
        format: Option<Format>,
    },
    /// `input_audio.append`, with the bytes of its audio.
    Append {
        /// Decoded.
        bytes: u64,
    },
    /// `input_audio.flush`
    Flush,
    /// `input_audio.end`
    End,
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is not one unambiguous JSON value.
    #[error("the message is not valid: {0}")]
    Json(#[from] JsonError),
    /// It is none of the messages that are known, or says more than is known.
    #[error("{0}")]
    Shape(&'static str),
}

/// Reads a message of a client. What is accepted can be passed on as it is.
///
/// # Errors
/// See [`MessageError`].
pub fn read(text: &str) -> Result<Message, MessageError> {
    let mut reader = Reader::default();
    json::scan(text.as_bytes(), |cursor| reader.document(cursor))?;
    reader.finish().map_err(MessageError::Shape)
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    kind: Option<String>,
    audio: Option<usize>,
    session: bool,
    format: Option<Format>,
    wrong: Option<&'static str>,
}

impl Reader {
    fn finish(self) -> Result<Message, &'static str> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        match (self.kind.as_deref(), self.audio, self.session) {
            (Some("session.update"), None, true) => Ok(Message::Update { format: self.format }),
            (Some("input_audio.append"), Some(bytes), false) => Ok(Message::Append { bytes: bytes as u64 }),
            (Some("input_audio.flush"), None, false) => Ok(Message::Flush),
            (Some("input_audio.end"), None, false) => Ok(Message::End),
            (Some("session.update" | "input_audio.append" | "input_audio.flush" | "input_audio.end"), ..) => {
                Err("the message lacks a field, or has one of another message")
            }
            (Some(_), ..) => Err("a message of this type is not known"),
            (None, ..) => Err("the message has no type"),
        }
    }

    /// Notes what is wrong; the first finding counts.
    fn refuse(&mut self, wrong: &'static str) {
        self.wrong.get_or_insert(wrong);
    }

    fn document(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse("a message is a JSON object");
            return cursor.skip();
        }
        cursor.object(|cursor, name| match name {
            "type" => {
                self.kind = self.string(cursor)?;
                Ok(())
            }
            "audio" => {
                let audio = self.string(cursor)?;
                let decoded = audio.and_then(|audio| STANDARD.decode(audio).ok());
                match decoded.map(|decoded| decoded.len()) {
                    None => self.refuse("audio is base64, padded"),
                    Some(length) if length > MOST_AUDIO => {
                        self.refuse("a message holds at most 262144 bytes of audio");
                    }
                    Some(length) => self.audio = Some(length),
                }
                Ok(())
            }
            "session" => {
                self.session = true;
                self.session(cursor)
            }
            _ => {
                self.refuse("the message has a field that is not known");
                cursor.skip()
            }
        })
    }

    fn session(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse("session is an object");
            return cursor.skip();
        }
        cursor.object(|cursor, name| match name {
            "audio_format" => self.format(cursor),
            "target_streaming_delay_ms" => self.expect(cursor, Kind::Number),
            "diarize" => self.expect(cursor, Kind::Bool),
            "language" => self.expect(cursor, Kind::String),
            "context_bias" => {
                if cursor.kind()? == Kind::Array {
                    return cursor.array(|cursor, _| self.expect(cursor, Kind::String));
                }
                self.expect(cursor, Kind::Null)
            }
            "turn_detection" => self.turn_detection(cursor),
            "model" => {
                self.refuse("the model of a session is the one in its address");
                cursor.skip()
            }
            // It is audio, too, and nobody says what it costs.
            "speaker_references" => {
                self.refuse("speaker_references are not taken here");
                cursor.skip()
            }
            _ => {
                self.refuse("the session has a field that is not known");
                cursor.skip()
            }
        })
    }

    fn turn_detection(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            return self.expect(cursor, Kind::Null);
        }
        cursor.object(|cursor, name| match name {
            "start_threshold"
            | "eager_end_threshold"
            | "end_threshold"
            | "min_silence_ms"
            | "end_timeout_ms" => self.expect(cursor, Kind::Number),
            _ => {
                self.refuse("turn_detection has a field that is not known");
                cursor.skip()
            }
        })
    }

    fn format(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            return self.expect(cursor, Kind::Null);
        }
        let (mut encoding, mut rate) = (None, None);
        cursor.object(|cursor, name| match name {
            "encoding" => {
                encoding = self.string(cursor)?;
                Ok(())
            }
            "sample_rate" if cursor.kind()? == Kind::Number => {
                rate = cursor.number()?.parse().ok();
                Ok(())
            }
            _ => {
                self.refuse("audio_format is an encoding and a sample_rate");
                cursor.skip()
            }
        })?;
        self.format = encoding.zip(rate).and_then(|(encoding, rate)| Format::of(&encoding, rate));
        if self.format.is_none() {
            self.refuse("the length of audio in this format is not known");
        }
        Ok(())
    }

    /// Consumes a value of that kind, or `null`.
    fn expect(&mut self, cursor: &mut Cursor<'_>, kind: Kind) -> Result<(), Fault> {
        let found = cursor.kind()?;
        if found != kind && found != Kind::Null {
            self.refuse("a field of the session has the wrong type");
        }
        cursor.skip()
    }

    fn string(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<String>, Fault> {
        if cursor.kind()? == Kind::String {
            return Ok(Some(cursor.string()?.decoded().into_owned()));
        }
        self.refuse("a field of the message is not a string");
        cursor.skip()?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_official_clients_say_is_read() {
        let format = |encoding, rate| Message::Update { format: Format::of(encoding, rate) };
        for (text, message) in [
            (r#"{"type":"input_audio.flush"}"#, Message::Flush),
            (r#"{"type":"input_audio.end"}"#, Message::End),
            (r#"{"audio":"AAAA","type":"input_audio.append"}"#, Message::Append { bytes: 3 }),
            (r#"{"audio":"","type":"input_audio.append"}"#, Message::Append { bytes: 0 }),
            (
                r#"{"session":{"audio_format":{"encoding":"pcm_mulaw","sample_rate":8000}},"type":"session.update"}"#,
                format("pcm_mulaw", 8_000),
            ),
            (
                r#"{"type":"session.update","session":{"audio_format":null,"target_streaming_delay_ms":80,
                    "diarize":true,"language":"fr","context_bias":["a","b"],
                    "turn_detection":{"start_threshold":0.5,"min_silence_ms":500,"end_timeout_ms":null}}}"#,
                Message::Update { format: None },
            ),
        ] {
            assert_eq!(read(text), Ok(message), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let long =
            format!(r#"{{"type":"input_audio.append","audio":"{}"}}"#, STANDARD.encode([0; MOST_AUDIO + 1]));
        for text in [
            "",
            "[]",
            "{}",
            r#"{"type":"input_audio.end"} {}"#,
            r#"{"type":"input_audio.end","type":"input_audio.flush"}"#,
            r#"{"type":"input_audio.end","audio":"AAAA"}"#,
            r#"{"type":"input_audio.append"}"#,
            r#"{"type":"input_audio.append","audio":"AAA"}"#,
            r#"{"type":"input_audio.append","audio":"AA=="}AA=="}"#,
            r#"{"type":"input_audio.append","audio":"AAAA\n"}"#,
            r#"{"type":"input_audio.append","audio":["AAAA"]}"#,
            r#"{"type":"input_audio.append","audio":"AAAA","model":"x"}"#,
            r#"{"type":"session.update"}"#,
            r#"{"type":"session.update","model":"x","session":{}}"#,
            r#"{"type":"session.update","session":{"model":"x"}}"#,
            r#"{"type":"session.update","session":{"\u006dodel":"x"}}"#,
            r#"{"type":"session.update","session":{"speaker_references":{"a":"AAAA"}}}"#,
            r#"{"type":"session.update","session":{"diarize":1}}"#,
            r#"{"type":"session.update","session":{"turn_detection":{"model":"x"}}}"#,
            r#"{"type":"session.update","session":{"audio_format":{"encoding":"opus","sample_rate":16000}}}"#,
            r#"{"type":"session.update","session":{"audio_format":{"encoding":"pcm_s16le","sample_rate":1}}}"#,
            r#"{"type":"session.update","session":{"audio_format":{"encoding":"pcm_s16le","sample_rate":16000.0}}}"#,
            r#"{"type":"session.update","session":{"audio_format":{"encoding":"pcm_s16le"}}}"#,
            r#"{"type":"session.create","session":{}}"#,
            long.as_str(),
        ] {
            assert!(read(text).is_err(), "{}", text.get(..80).unwrap_or(text));
        }
    }

    #[test]
    fn a_begun_second_counts() {
        let format = Format::DEFAULT;
        assert_eq!(Some(format), Format::of("pcm_s16le", 16_000));
        assert_eq!([0, 1, 32_000, 32_001].map(|bytes| format.seconds(bytes)), [0, 1, 1, 2]);
        let slow = Format::of("pcm_alaw", 8_000).unwrap();
        assert_eq!((format.slower(slow), slow.slower(format)), (slow, slow));
        assert_eq!(slow.seconds(8_001), 2);
    }
}
