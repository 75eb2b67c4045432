//! Reads forms as leniently as a Python service would: of a field given twice the last one counts.

use bytes::Bytes;
use http::{HeaderMap, header};
use memchr::memmem;
use serde_json::{Map, Value};

use crate::route;

/// What a form says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Form {
    /// The fields that are texts; `metadata` is taken for JSON if it is any.
    pub(crate) fields: Map<String, Value>,
    /// The part that is called `file` and has a file's name.
    pub(crate) file: Option<Bytes>,
    /// The file's own name.
    pub(crate) file_name: Option<String>,
}

impl Form {
    /// The form in a body, if the head says that there is one.
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
        match media.trim().to_ascii_lowercase().as_str() {
            "multipart/form-data" => Some(Self::multipart(&parameter(parameters, "boundary")?, body)),
            "application/x-www-form-urlencoded" => Some(Self::urlencoded(body)),
            _ => None,
        }
    }

    fn multipart(boundary: &str, body: &Bytes) -> Self {
        let mut form = Self::default();
        let mark = format!("--{boundary}");
        let mut marks: Vec<usize> = memmem::find_iter(body, mark.as_bytes()).collect();
        // A mark stands at the start of a line.
        marks.retain(|at| *at == 0 || body.get(at.saturating_sub(2)..*at) == Some(b"\r\n"));
        for (index, at) in marks.iter().enumerate() {
            let start = at.saturating_add(mark.len());
            let after = body.get(start..).unwrap_or_default();
            if after.starts_with(b"--") {
                break;
            }
            let end = marks.get(index + 1).map_or(body.len(), |next| next.saturating_sub(2));
            if let Some(skipped) =
                memmem::find(after, b"\r\n").map(|line| start + line + 2).filter(|at| *at <= end)
            {
                form.part(&body.slice(skipped..end));
            }
        }
        form
    }

    fn part(&mut self, part: &Bytes) {
        let Some(head) = memmem::find(part, b"\r\n\r\n") else { return };
        let content = part.slice(head.saturating_add(4)..);
        let lines = String::from_utf8_lossy(part.get(..head).unwrap_or_default()).into_owned();
        let disposition = lines.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
        });
        let Some(name) = disposition.and_then(|value| parameter(value, "name")) else { return };
        if let Some(file_name) = disposition.and_then(|value| parameter(value, "filename")) {
            if name == "file" {
                (self.file, self.file_name) = (Some(content), Some(file_name));
            }
            return;
        }
        self.field(name, String::from_utf8_lossy(&content).into_owned());
    }

    fn urlencoded(body: &Bytes) -> Self {
        let mut form = Self::default();
        for pair in String::from_utf8_lossy(body).split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let plain =
                |text: &str| route::decoded(&text.replace('+', " ")).unwrap_or_else(|| text.to_owned());
            form.field(plain(name), plain(value));
        }
        form
    }

    fn field(&mut self, name: String, text: String) {
        let value = if name == "metadata" { serde_json::from_str(&text).ok() } else { None };
        self.fields.insert(name, value.unwrap_or(Value::String(text)));
    }
}

/// A parameter of a header's value, in quotes or bare; of one given twice the last one counts.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let (mut rest, mut found) = (parameters, None);
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.rsplit(';').next().unwrap_or_default().trim();
        let (value, after) = value(after.trim_start());
        if key.eq_ignore_ascii_case(name) {
            found = Some(value);
        }
        rest = after;
    }
    found
}

/// A parameter's value, and what comes after.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), after);
    };
    let (mut value, mut letters) = (String::new(), quoted.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, body: &str) -> Option<Form> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
        Form::read(&headers, &Bytes::from(body.to_owned()))
    }

    #[test]
    fn the_last_of_everything_counts() {
        let body = "preamble --b\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\none\r\n\
            --b \r\ncontent-disposition: form-data; name=\"x\"; name=model\r\n\r\ntwo\r\n\
            --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a;b=\\\"c\"\r\n\
            Content-Type: audio/wav\r\n\r\nRI\r\n--bFF\r\n--b--\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nepilogue\r\n";
        let body = body.replace("--bFF", "-bFF");
        let form = read("multipart/form-data; boundary=a; boundary=\"b\"", &body).unwrap();
        assert_eq!(Value::Object(form.fields), json!({"model": "two"}));
        assert_eq!(form.file.unwrap(), "RI\r\n-bFF");
        assert_eq!(form.file_name.unwrap(), "a;b=\"c");
    }

    #[test]
    fn other_forms() {
        let form =
            read("application/x-www-form-urlencoded", "model=a&mod%65l=b+c&metadata={\"a\":1}").unwrap();
        assert_eq!(Value::Object(form.fields), json!({"model": "b c", "metadata": {"a": 1}}));
        assert_eq!(read("application/json", "{}"), None);
        assert_eq!(read("multipart/form-data", "--b"), None);
        assert_eq!(read("multipart/form-data; boundary=b", "--b"), Some(Form::default()));
        assert_eq!(read("multipart/form-data; boundary=b", "--b\r\n--b--"), Some(Form::default()));
    }
}
