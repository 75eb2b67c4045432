//! The list of models (`GET /v1/models`), in Mistral's shape.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One model of the list; `owned_by` and the like never come from the upstream's account.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelCard<'a> {
    /// Name to call it by; each alias is a card of its own.
    pub id: Cow<'a, str>,
    /// Always `"model"`.
    pub object: &'static str,
    /// Unix time in seconds.
    pub created: i64,
    /// Always `"mistralai"` for base models.
    pub owned_by: Cow<'a, str>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Canonical name.
    pub name: Option<Cow<'a, str>>,
    /// One sentence about it.
    pub description: Option<Cow<'a, str>>,
    /// Tokens of input and output together.
    pub max_context_length: u64,
    /// Other names of the same model.
    pub aliases: Vec<Cow<'a, str>>,
    /// When it is switched off, RFC 3339.
    pub deprecation: Option<Cow<'a, str>>,
    /// What to use instead.
    pub deprecation_replacement_model: Option<Cow<'a, str>>,
    /// Temperature used when a request gives none.
    pub default_model_temperature: Option<f64>,
    /// Present in newer answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<bool>,
    /// Name on the bill; present in newer answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_model_name: Option<Cow<'a, str>>,
    /// `"base"`, or `"fine-tuned"`.
    #[serde(rename = "type")]
    pub kind: Cow<'a, str>,
}

/// The named capabilities of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Capabilities {
    /// Chat completions.
    pub completion_chat: bool,
    /// Function tools.
    pub function_calling: bool,
    /// Thinks before it answers.
    pub reasoning: bool,
    /// Fill in the middle.
    pub completion_fim: bool,
    /// Can be fine-tuned.
    pub fine_tuning: bool,
    /// Images in messages.
    pub vision: bool,
    /// Reads documents.
    pub ocr: bool,
    /// Classifies.
    pub classification: bool,
    /// Moderates.
    pub moderation: bool,
    /// Audio in messages.
    pub audio: bool,
    /// Transcribes.
    pub audio_transcription: bool,
    /// Transcribes while it listens.
    pub audio_transcription_realtime: bool,
    /// Speaks.
    pub audio_speech: bool,
    /// Mistral's flag of that name; its documentation does not explain it.
    pub unified_resources: bool,
}

impl<'a> ModelCard<'a> {
    /// A base model with Mistral's defaults and no capability.
    pub fn base(id: impl Into<Cow<'a, str>>) -> Self {
        Self {
            id: id.into(),
            object: "model",
            created: 0,
            owned_by: Cow::Borrowed("mistralai"),
            capabilities: Capabilities::default(),
            name: None,
            description: None,
            max_context_length: 32_768,
            aliases: Vec::new(),
            deprecation: None,
            deprecation_replacement_model: None,
            default_model_temperature: None,
            internal: None,
            billing_model_name: None,
            kind: Cow::Borrowed("base"),
        }
    }

    /// The body of `GET /v1/models/{id}`.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings, numbers and booleans only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of `GET /v1/models`.
pub fn list(cards: &[ModelCard<'_>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'l> {
        object: &'static str,
        data: &'l [ModelCard<'l>],
    }
    serde_json::to_vec(&List { object: "list", data: cards }).unwrap_or_default()
}
/// One model of a list that an upstream sent, as far as it is looked at. Read leniently: servers of the same API leave out
/// much, and newer ones add.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedModel {
    /// Name to call it by.
    pub id: String,
    /// Other names of the same model.
    #[serde(default)]
    pub aliases: Option<Vec<String>>,
    /// Name on the bill.
    #[serde(default)]
    pub billing_model_name: Option<String>,
}

/// More models than this are no list.
const MOST_LISTED: usize = 5000;
const LONGEST_LISTED: usize = 256;

/// Reads `{"data": [...]}`. `None`: it is no such list, or one of unreasonable size. An entry whose name could not be asked
/// for is passed over.
pub fn read_list(bytes: &[u8]) -> Option<Vec<ListedModel>> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<ListedModel>,
    }
    let is_name = |name: &String| {
        (1..=LONGEST_LISTED).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic())
    };
    let List { mut data } = serde_json::from_slice(bytes).ok()?;
    if data.len() > MOST_LISTED {
        return None;
    }
    data.retain(|model| is_name(&model.id));
    for model in &mut data {
        model.billing_model_name = model.billing_model_name.take().filter(is_name);
        if let Some(aliases) = &mut model.aliases {
            aliases.retain(is_name);
            aliases.truncate(MOST_LISTED);
        }
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_any_server_are_read_and_odd_names_passed_over() {
        let text =
            br#"{"object":"list","data":[{"id":"a","aliases":["b","\n"],"billing_model_name":"c","x":1},
            {"id":"vllm/model","object":"model"},{"id":""},{"id":"a b"},{"id":"n","aliases":null}]}"#;
        let read = read_list(text).unwrap();
        assert_eq!(read.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), ["a", "vllm/model", "n"]);
        assert_eq!(read[0].aliases.as_deref(), Some(["b".to_owned()].as_slice()));
        for bad in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[{"id":1}]}"#, "<html>"] {
            assert_eq!(read_list(bad.as_bytes()), None, "{bad}");
        }
        let many = vec![r#"{"id":"a"}"#; MOST_LISTED + 1].join(",");
        assert_eq!(read_list(format!(r#"{{"data":[{many}]}}"#).as_bytes()), None);
    }
}
