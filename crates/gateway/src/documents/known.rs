//! What is known of a document, and what upstream says that reading it took.

use louver_domain::id::{KeyId, RequestId, UserId};
use louver_domain::prices::Price;
use louver_domain::time::Timestamp;
use louver_store::objects::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long upstream may take to say that it reads a document anew. After that, what it says is of the new reading.
const ANEW_MICROS: i64 = 60_000_000;

/// What of a document upstream changes by itself.
const CHANGING: [&str; 14] = [
    "name",
    "extension",
    "hash",
    "mime_type",
    "size",
    "summary",
    "number_of_pages",
    "last_processed_at",
    "processing_status",
    "process_status",
    "tokens_processing_main_content",
    "tokens_processing_summary",
    "tokens_processing_total",
    "attributes",
];

/// What is known of a document.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// As upstream showed it.
    pub(crate) shown: Value,
    /// The SHA-256 of what was sent, in hexadecimal digits.
    #[serde(default)]
    pub(crate) sha256: String,
    /// How long that is.
    #[serde(default)]
    pub(crate) bytes: u64,
    /// Seconds of sound in it, at most.
    #[serde(default)]
    pub(crate) audio_seconds: u64,
    /// Readings that are charged ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) due: Vec<Due>,
}

/// A reading that is charged ahead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    /// The request that was charged.
    pub(crate) request_id: RequestId,
    /// Whose request it was.
    pub(crate) key_id: KeyId,
    pub(crate) user_id: Option<UserId>,
    /// When.
    pub(crate) since: i64,
    /// The price then, if there was one.
    pub(crate) price: Option<Price>,
    /// Sound in it, of which upstream does not say how much it heard.
    pub(crate) audio_seconds: u64,
    /// Of a document that is read anew: when it was read before.
    pub(crate) before: Option<String>,
}

/// What reading a document took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) tokens: u64,
    pub(crate) pages: u64,
}

impl Known {
    /// Of a document in the registry.
    pub(crate) fn of(object: &Object) -> Self {
        serde_json::from_str(&object.attributes).unwrap_or_default()
    }

    /// As it is stored.
    pub(crate) fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes over what upstream shows of it now.
    pub(crate) fn see(&mut self, shown: &Value) {
        for name in CHANGING {
            if let (Some(members), Some(value)) = (self.shown.as_object_mut(), shown.get(name)) {
                members.insert(name.to_owned(), value.clone());
            }
        }
    }
}

impl Due {
    /// Whether what upstream shows is the outcome of this reading.
    pub(crate) fn is_over(&self, shown: &Value, now: Timestamp) -> bool {
        let read = shown.get("last_processed_at").and_then(Value::as_str);
        self.before.is_none()
            || read != self.before.as_deref()
            || now.micros().saturating_sub(self.since) > ANEW_MICROS
    }
}

/// What upstream says that reading a document took. `None`: it still reads, or does not say.
pub(crate) fn told(shown: &Value) -> Option<Told> {
    let text = |name: &str| shown.get(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let (failed, read) = match (text("process_status"), text("processing_status")) {
        (Some(status), _) => (
            matches!(status.as_str(), "error" | "missing_content" | "noop" | "self_managed"),
            status == "done",
        ),
        (None, Some(status)) => {
            (matches!(status.as_str(), "error" | "failed"), matches!(status.as_str(), "completed" | "done"))
        }
        (None, None) => (false, false),
    };
    let count = |name: &str| shown.get(name).and_then(Value::as_u64);
    let told = |tokens| Told { tokens, pages: count("number_of_pages").unwrap_or(0) };
    match count("tokens_processing_total") {
        Some(tokens) if read || failed => Some(told(tokens)),
        None if failed => Some(told(0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_that_is_read_says_what_it_took() {
        let of = |status: &str, tokens: Value, pages: Value| {
            told(
                &json!({"process_status": status, "tokens_processing_total": tokens, "number_of_pages": pages}),
            )
        };
        assert_eq!(of("done", json!(7), json!(3)), Some(Told { tokens: 7, pages: 3 }));
        assert_eq!(of("done", json!(7), Value::Null), Some(Told { tokens: 7, pages: 0 }));
        assert_eq!(of("error", Value::Null, Value::Null), Some(Told { tokens: 0, pages: 0 }));
        for (status, tokens) in [
            ("done", Value::Null),
            ("done", json!(-1)),
            ("done", json!("7")),
            ("in_progress", json!(7)),
            ("todo", json!(0)),
            ("waiting_for_capacity", json!(0)),
            ("something new", json!(7)),
        ] {
            assert_eq!(of(status, tokens, json!(1)), None, "{status}");
        }
        let old = |status| told(&json!({"processing_status": status, "tokens_processing_total": 5}));
        assert_eq!(old("Completed"), Some(Told { tokens: 5, pages: 0 }));
        assert_eq!(
            (old("Running"), told(&json!({"tokens_processing_total": 5})), told(&Value::Null)),
            (None, None, None)
        );
    }

    #[test]
    fn what_is_read_anew_waits_for_the_new_reading() {
        let due = Due {
            request_id: RequestId::from_bytes([1; 16]),
            key_id: KeyId::from_bytes([2; 16]),
            user_id: None,
            since: 0,
            price: None,
            audio_seconds: 0,
            before: Some("yesterday".into()),
        };
        let at = Timestamp::from_micros;
        let shown = |when: &str| json!({"last_processed_at": when});
        assert!(due.is_over(&shown("today"), at(1)) && !due.is_over(&shown("yesterday"), at(ANEW_MICROS)));
        assert!(due.is_over(&shown("yesterday"), at(ANEW_MICROS + 1)));
        assert!(Due { before: None, ..due }.is_over(&shown("yesterday"), at(1)));
    }
}
