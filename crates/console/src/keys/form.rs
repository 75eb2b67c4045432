//! The fields of a key: drawn, filled in from a key that is there, and read.

use crate::fields::Fields;
use crate::figures::dollars;
use crate::frame::Visit;
use crate::kit::form::{Faults, Field, section};
use crate::kit::picker::{Choice, Picker};
use louver_control::Control;
use louver_control::actions::models;
use louver_control::error::ControlError;
use louver_domain::endpoints::EndpointKind;
use louver_domain::keys::ApiKey;
use louver_domain::models::ModelStatus;
use louver_domain::network::Cidr;
use louver_domain::prices::Price;
use louver_domain::time::Timestamp;
use maud::{Markup, html};

/// A form as it is now: what stands in it, and what is wrong with that.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) fields: &'a Fields,
    pub(super) faults: &'a Faults,
}

impl<'a> Form<'a> {
    pub(super) fn field(&self, name: &'a str, label: &'a str) -> Field<'a> {
        Field::new(name, label).filled(self.fields, self.faults)
    }

    /// Name and description.
    pub(super) fn words(&self) -> Markup {
        html! {
            (self.field("name", "Name").required().hint("For people, such as prod-backend or staging-chatbot.").draw())
            (self.field("description", "Description").lines(2))
        }
    }

    /// What the key may call.
    pub(super) fn reach(&self, models: &[Choice]) -> Markup {
        let chosen = self.fields.list("allowed_models");
        let endpoints = self.fields.list("allowed_endpoints");
        let kinds: Vec<Choice> = EndpointKind::ALL
            .iter()
            .map(|kind| Choice { value: kind.as_str().to_owned(), word: String::new() })
            .collect();
        section(
            "What it may call",
            "Nothing chosen is whatever the workspace allows.",
            &html! {
                (Picker { name: "allowed_models", label: "Models", choices: models, chosen: &chosen,
                    hint: "Prices are dollars for a million tokens in and out.", fault: self.faults.at("allowed_models") }.draw())
                (Picker { name: "allowed_endpoints", label: "Endpoints", choices: &kinds, chosen: &endpoints,
                    hint: "The kinds of calls.", fault: self.faults.at("allowed_endpoints") }.draw())
                (self.field("allowed_cidrs", "Addresses")
                    .hint("Address blocks that it may be used from, one a line, such as 10.0.0.0/8. Empty is everywhere.").lines(2))
            },
        )
    }

    /// How much it may use, and how long.
    pub(super) fn limits(&self, life: &str) -> Markup {
        section(
            "How much, and how long",
            "No limit can stand above that of the workspace.",
            &html! {
                div.pair {
                    (self.field("rate_limit_rpm", "Requests a minute").unit("requests").draw())
                    (self.field("tokens_per_minute", "Tokens a minute").unit("tokens").draw())
                }
                div.pair {
                    (self.field("monthly_budget_usd", "Dollars a month").dollars().draw())
                    (self.field("expires_at", "Expires").kind("date").hint(life).draw())
                }
            },
        )
    }

    /// A model role of its own.
    pub(super) fn role(&self, roles: &[String]) -> Markup {
        let none = (String::new(), "None".to_owned());
        let choices: Vec<(String, String)> =
            std::iter::once(none).chain(roles.iter().map(|role| (role.clone(), role.clone()))).collect();
        let hint = "Models and tokens that it gives bound the key beside the limits above.";
        self.field("role", "Model role").hint(hint).choice(&choices)
    }
}

/// The models that can be chosen, with what they cost; entries that a key has already are among them.
pub(super) async fn models(
    control: &Control,
    visit: &Visit,
    present: &[String],
) -> Result<Vec<Choice>, ControlError> {
    let sees = |id| visit.around.workspaces.iter().any(|workspace| workspace.id == id);
    let mut choices: Vec<Choice> = models::list(control)
        .await?
        .models
        .iter()
        .filter(|entry| entry.model.is_called() && entry.model.status != ModelStatus::Retired)
        .filter(|entry| entry.model.workspace_id.is_none_or(sees))
        .map(|entry| Choice {
            value: entry.model.id.clone(),
            word: price_in_words(
                entry.prices.iter().rfind(|price| price.effective_from <= visit.context.now),
            ),
        })
        .collect();
    let missing: Vec<Choice> = present
        .iter()
        .filter(|entry| choices.iter().all(|choice| choice.value != **entry))
        .map(|entry| Choice { value: entry.clone(), word: String::new() })
        .collect();
    choices.splice(0..0, missing);
    Ok(choices)
}

fn price_in_words(price: Option<&Price>) -> String {
    let Some(price) = price else { return "no price".to_owned() };
    if let (Some(input), Some(output)) = (price.input_usd_per_mtok, price.output_usd_per_mtok) {
        return format!("{} / {}", dollars(input.nanos()), dollars(output.nanos()));
    }
    let by = [
        (price.input_usd_per_mtok, "in"),
        (price.usd_per_1000_pages, "for 1,000 pages"),
        (price.usd_per_audio_minute, "a minute"),
        (price.usd_per_mchar, "for a million characters"),
    ];
    let found = by.into_iter().find_map(|(amount, unit)| Some((amount?, unit)));
    found.map_or_else(String::new, |(amount, unit)| format!("{} {unit}", dollars(amount.nanos())))
}

/// What a form of that key holds before anybody changes it.
pub(super) fn of_key(key: &ApiKey) -> Fields {
    let one = |name: &str, value: String| (name.to_owned(), value);
    let number = |value: Option<u64>| value.map(|number| number.to_string()).unwrap_or_default();
    let limits = &key.limits;
    let mut pairs = vec![
        one("name", key.name.clone()),
        one("description", key.description.clone().unwrap_or_default()),
        one("rate_limit_rpm", number(limits.requests_per_minute)),
        one("tokens_per_minute", number(limits.tokens_per_minute)),
        one("monthly_budget_usd", limits.monthly_budget_usd.map(|money| money.usd()).unwrap_or_default()),
        one("expires_at", key.expires_at.map(day).unwrap_or_default()),
        one("role", key.role.clone().unwrap_or_default()),
        one("allowed_cidrs", blocks_in_lines(key)),
    ];
    pairs.extend(limits.allowed_models.iter().flatten().map(|model| one("allowed_models", model.clone())));
    let endpoints = limits.allowed_endpoints.iter().flatten();
    pairs.extend(endpoints.map(|kind| one("allowed_endpoints", kind.as_str().to_owned())));
    Fields::of(pairs)
}

fn blocks_in_lines(key: &ApiKey) -> String {
    key.allowed_cidrs.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A moment as a field for days has it.
pub(super) fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

/// The end of a day that was typed in.
pub(super) fn end_of_day(fields: &Fields, name: &str) -> Result<Option<Timestamp>, ControlError> {
    let Some(text) = fields.given(name) else { return Ok(None) };
    let read = Timestamp::parse(&format!("{text}T23:59:59Z"));
    read.map(Some).ok_or_else(|| ControlError::field(name, "must be a day such as 2027-02-20"))
}

/// The models that were chosen; none is no list.
pub(super) fn chosen_models(fields: &Fields) -> Option<Vec<String>> {
    Some(fields.list("allowed_models")).filter(|list| !list.is_empty())
}

/// The endpoints that were chosen.
pub(super) fn chosen_endpoints(fields: &Fields) -> Result<Option<Vec<EndpointKind>>, ControlError> {
    let wrong = || ControlError::field("allowed_endpoints", "names an endpoint that is not there");
    let list = fields.list("allowed_endpoints");
    let kinds: Vec<EndpointKind> =
        list.iter().map(|text| EndpointKind::parse(text).ok_or_else(wrong)).collect::<Result<_, _>>()?;
    Ok(Some(kinds).filter(|kinds| !kinds.is_empty()))
}

/// The address blocks, parted by anything that parts words.
pub(super) fn blocks(fields: &Fields) -> Result<Option<Vec<Cidr>>, ControlError> {
    let wrong = |text: &str| {
        let sentence = format!("{text} is no address block; write 10.0.0.0/8, 2001:db8::/32 or one address");
        ControlError::field("allowed_cidrs", sentence)
    };
    let text = fields.text("allowed_cidrs");
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let blocks: Vec<Cidr> =
        words.map(|word| Cidr::parse(word).ok_or_else(|| wrong(word))).collect::<Result<_, _>>()?;
    Ok(Some(blocks).filter(|blocks| !blocks.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, value: &str) -> Fields {
        Fields::of(vec![(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn blocks_are_read_in_lines_and_with_commas() {
        let two = blocks(&fields("allowed_cidrs", "10.0.0.0/8,\n 2001:db8::/32")).unwrap().unwrap();
        assert_eq!(two.len(), 2);
        assert!(blocks(&fields("allowed_cidrs", "10.0.0.1/8")).is_err());
        assert!(blocks(&fields("allowed_cidrs", " ")).unwrap().is_none());
    }

    #[test]
    fn a_day_ends_with_its_last_second() {
        let end = end_of_day(&fields("expires_at", "2027-02-20"), "expires_at").unwrap().unwrap();
        assert_eq!(end.rfc3339(), "2027-02-20T23:59:59Z");
        assert_eq!(day(end), "2027-02-20");
        assert!(end_of_day(&fields("expires_at", "2027-02-30"), "expires_at").is_err());
        assert!(end_of_day(&fields("expires_at", ""), "expires_at").unwrap().is_none());
    }
}
