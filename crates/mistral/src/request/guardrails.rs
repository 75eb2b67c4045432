//! The models that hide in guardrails: a second place where a request names what it runs.

use crate::json::{Cursor, Fault, Kind};

use super::{NamedGuard, Reader};

/// What upstream uses when a guardrail names no model (Mistral's OpenAPI document).
fn default_model(guardrail: &str) -> Option<&'static str> {
    match guardrail {
        "moderation_llm_v1" => Some("mistral-moderation-2411"),
        "moderation_llm_v2" => Some("mistral-moderation-2603"),
        _ => None,
    }
}

impl Reader {
    pub(super) fn guardrails(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        match cursor.kind()? {
            Kind::Array => cursor.array(|cursor, index| self.guardrail(cursor, &index.to_string())),
            Kind::Null => cursor.skip(),
            _ => {
                self.refuse(&["guardrails"], "list_type", "Input should be a valid list");
                cursor.skip()
            }
        }
    }

    fn guardrail(&mut self, cursor: &mut Cursor<'_>, index: &str) -> Result<(), Fault> {
        if cursor.kind()? != Kind::Object {
            self.refuse(&["guardrails", index], "model_attributes_type", "Input should be an object");
            return cursor.skip();
        }
        cursor.object(|cursor, name| match (name, cursor.kind()?) {
            ("block_on_error", _) => cursor.skip(),
            ("moderation_llm_v1" | "moderation_llm_v2", Kind::Null) => cursor.skip(),
            ("moderation_llm_v1" | "moderation_llm_v2", Kind::Object) => self.moderation(cursor, index, name),
            ("moderation_llm_v1" | "moderation_llm_v2", _) => {
                let path = ["guardrails", index, name];
                self.refuse(&path, "model_attributes_type", "Input should be an object");
                cursor.skip()
            }
            _ => {
                let path = ["guardrails", index, name];
                self.refuse(&path, "extra_forbidden", "Extra inputs are not permitted");
                cursor.skip()
            }
        })
    }

    fn moderation(&mut self, cursor: &mut Cursor<'_>, index: &str, guardrail: &str) -> Result<(), Fault> {
        let mut named = None;
        cursor.object(|cursor, name| match (name, cursor.kind()?) {
            ("model_name", Kind::String) => {
                let start = cursor.offset();
                let given = cursor.string()?.decoded().into_owned();
                named = Some(given.clone());
                let span = start..cursor.offset();
                self.request.named_guards.push(NamedGuard { given, span, sent: None });
                Ok(())
            }
            ("model_name", Kind::Null) => cursor.skip(),
            ("model_name", _) => {
                let path = ["guardrails", index, guardrail, name];
                self.refuse(&path, "string_type", "Input should be a valid string");
                cursor.skip()
            }
            ("custom_category_thresholds" | "ignore_other_categories" | "action", _) => cursor.skip(),
            _ => {
                let path = ["guardrails", index, guardrail, name];
                self.refuse(&path, "extra_forbidden", "Extra inputs are not permitted");
                cursor.skip()
            }
        })?;
        let model = named.or_else(|| default_model(guardrail).map(str::to_owned));
        self.request.nested_models.extend(model);
        Ok(())
    }
}
