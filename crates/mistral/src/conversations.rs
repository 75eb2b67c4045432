//! What the answers of conversations say beside their text: which conversation it is, and which models spoke.

use std::borrow::Cow;

use serde::Deserialize;

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The conversation's id.
    pub conversation_id: Option<String>,
    /// The models that spoke, each once.
    pub models: Vec<String>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    conversation_id: Option<String>,
    /// Of a completion by an agent.
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    outputs: Vec<Named<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    conversation_id: Option<String>,
}

/// Reads a whole answer; what is no such answer says nothing.
pub fn answer(body: &[u8]) -> Told {
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) else { return Told::default() };
    let mut told = Told { conversation_id: answer.conversation_id, models: Vec::new() };
    note(&mut told.models, answer.model);
    for output in answer.outputs {
        note(&mut told.models, output.model);
    }
    told
}

/// Reads the data of one event of a stream.
pub fn event(data: &[u8]) -> Told {
    let Ok(named) = serde_json::from_slice::<Named<'_>>(data) else { return Told::default() };
    let mut told = Told { conversation_id: named.conversation_id, models: Vec::new() };
    note(&mut told.models, named.model);
    told
}

/// The data of the first event of a stream, when it is there whole.
pub fn first_event(stream: &[u8]) -> Option<&[u8]> {
    let end = memchr::memmem::find(stream, b"\n\n").or_else(|| memchr::memmem::find(stream, b"\r\n\r\n"))?;
    let event = stream.get(..end)?;
    let data = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"));
    Some(data.unwrap_or_default().trim_ascii())
}

pub(crate) fn note(models: &mut Vec<String>, model: Option<Cow<'_, str>>) {
    if let Some(model) = model.filter(|model| !models.iter().any(|known| known == model)) {
        models.push(model.into_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_events_name_their_conversation_and_models() {
        let body = br#"{"conversation_id":"conv_1","outputs":[{"model":"a","content":"{\"model\":\"x\"}"},{"model":null},
            {"model":"b"},{"model":"a"},{"type":"agent.handoff"}],"usage":{}}"#;
        let told = answer(body);
        assert_eq!(
            (told.conversation_id.as_deref(), told.models),
            (Some("conv_1"), vec!["a".into(), "b".into()])
        );
        assert_eq!(answer(b"[]"), Told::default());
        assert_eq!(answer(br#"{"model":"m","choices":[]}"#).models, ["m"]);
        let stream = b"event: conversation.response.started\ndata: {\"conversation_id\":\"c\"}\n\nevent: x\n";
        assert_eq!(event(first_event(stream).unwrap()).conversation_id.as_deref(), Some("c"));
        assert_eq!(first_event(b"data: {}\n"), None);
        assert_eq!(first_event(b": comment\n\ndata: {}"), Some(&b""[..]));
        assert_eq!(event(b"").models, Vec::<String>::new());
    }
}
