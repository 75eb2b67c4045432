//! The form for limits, the same for the organization, a workspace and a person: what is set, beside what stands above.

use crate::fields::Fields;
use crate::figures::dollars;
use crate::kit::form::{Faults, Field, section, tick};
use louver_control::Control;
use louver_control::actions::limits::LimitsPatch;
use louver_control::actions::models;
use louver_control::error::ControlError;
use louver_domain::endpoints::EndpointKind;
use louver_domain::limits::{KeyCreation, Limits, Mode, Region, ServiceTier, TOOLS};
use louver_domain::models::ModelStatus;
use louver_domain::money::Money;
use maud::{Markup, html};

/// Whose limits a form is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The organization's.
    Organization,
    /// A workspace's.
    Workspace,
    /// A person's.
    Person,
}

/// The form.
pub(crate) struct Form<'a> {
    /// Whose limits they are.
    pub(crate) whose: Whose,
    /// Where it is sent.
    pub(crate) action: &'a str,
    /// Where whoever leaves it goes.
    pub(crate) back: &'a str,
    /// What stands above.
    pub(crate) parent: Option<&'a Limits>,
    /// The names of the models that can be had.
    pub(crate) models: &'a [String],
    /// What it holds.
    pub(crate) fields: &'a Fields,
    /// What is wrong with that.
    pub(crate) faults: &'a Faults,
}

/// The names of the models that people choose from: those that are served, each by the name that people use.
pub(crate) async fn model_names(control: &Control) -> Result<Vec<String>, ControlError> {
    let all = models::list(control).await?.models;
    let served = all.into_iter().filter(|entry| entry.model.status != ModelStatus::Retired);
    let latest = |aliases: &[String]| aliases.iter().find(|alias| alias.ends_with("-latest")).cloned();
    let mut names: Vec<String> =
        served.map(|entry| latest(&entry.model.aliases).unwrap_or(entry.model.id)).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

impl Form<'_> {
    /// Draws it.
    pub(crate) fn draw(&self) -> Markup {
        html! {
            (self.faults.summary())
            form.form method="post" action=(self.action) {
                div.sections {
                    (self.budgets())
                    (self.behaviour())
                    (self.rates())
                    (self.models())
                    @if self.whose != Whose::Person { (self.permissions()) (self.keys()) }
                }
                div.acts { button.btn.main { "Save limits" } a.btn.plain href=(self.back) { "Cancel" } }
            }
        }
    }

    /// What stands above a number.
    fn above(&self, name: &str) -> Option<String> {
        let (_, number) = self.parent?.numbers().into_iter().find(|(known, _)| *known == name)?;
        let number = i64::try_from(number?).ok()?;
        let text = if name.ends_with("_usd") {
            dollars(number)
        } else {
            crate::figures::number(u64::try_from(number).unwrap_or(0))
        };
        Some(format!("At most {text}, the organization’s"))
    }

    fn number(&self, name: &str, label: &str, unit: &str) -> Markup {
        let above = self.above(name);
        let field = Field::new(name, label).filled(self.fields, self.faults);
        let field = Field { hint: above.as_deref(), ..field };
        if name.ends_with("_usd") {
            return Field { unit: Some(unit), ..field.dollars() }.draw();
        }
        field.unit(unit).draw()
    }

    fn budgets(&self) -> Markup {
        let fields = html! {
            div.pair {
                (self.number("monthly_budget_usd", "Dollars a month", "a month"))
                (self.number("daily_budget_usd", "Dollars a day", "a day"))
            }
            div.pair {
                (self.number("hourly_budget_usd", "Dollars an hour", "an hour"))
                (self.number("tokens_per_month", "Tokens a month", "tokens"))
            }
        };
        section(
            "Budgets",
            "What upstream bills for a period never passes them. Empty means no limit here.",
            &fields,
        )
    }

    fn behaviour(&self) -> Markup {
        let shadow = self.fields.text("mode") == "shadow";
        let field = |name, label| Field::new(name, label).filled(self.fields, self.faults);
        let fields = html! {
            fieldset {
                legend { "Mode" }
                div.choice {
                    (tick("radio", "mode", "enforce", !shadow, "Enforce", Some("Calls beyond a limit get 429")))
                    (tick("radio", "mode", "shadow", shadow, "Shadow", Some("Calls pass and are marked")))
                }
            }
            div.pair {
                (field("alert_thresholds", "Tell people at").hint("Per cents, such as 50, 80, 95, which is usual").draw())
                @if self.whose != Whose::Person {
                    (field("timezone", "Time zone").hint("Where days and months begin, such as Europe/Paris; else UTC, or the organization’s").draw())
                }
            }
        };
        section(
            "When a limit is reached",
            "Shadow lets calls pass and records what would have been refused.",
            &fields,
        )
    }

    fn rates(&self) -> Markup {
        let fields = html! {
            div.pair {
                (self.number("requests_per_second", "Calls a second", "calls"))
                (self.number("requests_per_minute", "Calls a minute", "calls"))
            }
            div.pair {
                (self.number("tokens_per_minute", "Tokens a minute", "tokens"))
                (self.number("max_concurrent_requests", "Calls at the same time", "calls"))
            }
        };
        section("Rates", "Counted over the last 60 seconds, for all keys together.", &fields)
    }

    fn models(&self) -> Markup {
        let chosen = self.fields.list("allowed_models");
        let parents = self.parent.and_then(|parent| parent.allowed_models.as_ref());
        let above = parents.map(|list| format!("The organization allows {}.", list.join(", ")));
        let fields = html! {
            (scope(self.fields, self.faults, "allowed_models", "Allowed models", "All that stand above allow"))
            (picker("Models", "allowed_models", self.models, &chosen))
            (Field::new("more_models", "Families and patterns")
                .hint("Such as mistral-small or codestral-*, parted by commas").filled(self.fields, self.faults).draw())
        };
        let hint = above.as_deref().unwrap_or("Keys may use fewer, never more.");
        section("Models", hint, &fields)
    }

    fn permissions(&self) -> Markup {
        let top = self.whose == Whose::Organization;
        let above = if top { "None" } else { "What the organization allows" };
        let kinds: Vec<String> = EndpointKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect();
        let field = |name, label| Field::new(name, label).filled(self.fields, self.faults);
        let tiers = options(&[("", above), ("none", "Standard only"), ("priority", "Priority too")]);
        let anywhere = if top { "Anywhere" } else { "As the organization has it" };
        let regions = options(&[("", anywhere), ("eu", "European Union only"), ("us", "United States only")]);
        let fields = html! {
            (scope(self.fields, self.faults, "allowed_endpoints", "Endpoints", "All"))
            (picker("Endpoints", "allowed_endpoints", &kinds, &self.fields.list("allowed_endpoints")))
            (scope(self.fields, self.faults, "allowed_tools", "Tools that the provider runs", above))
            div.checks {
                @let chosen = self.fields.list("allowed_tools");
                @for tool in TOOLS { (tick("checkbox", "allowed_tools", tool, chosen.iter().any(|one| one == tool), tool, None)) }
            }
            div.pair {
                (field("allowed_service_tiers", "Service tiers").choice(&tiers))
                (field("region", "Where calls are answered").choice(&regions))
            }
            div.pair {
                (field("max_signed_url_hours", "Life of signed URLs").hint("At most 168 hours; 0 is none").unit("hours").draw())
                (field("fallback_models", "Models to fall back to").hint("Parted by commas, the first is tried first").draw())
            }
        };
        section("Permissions", "What calls may use besides models.", &fields)
    }

    fn keys(&self) -> Markup {
        let field = |name, label| Field::new(name, label).filled(self.fields, self.faults);
        let makers = options(&[("", "As usual"), ("admins", "Admins only"), ("members", "Members too")]);
        let fields = html! {
            (field("key_creation", "Who makes keys").choice(&makers))
            div.pair {
                (field("max_key_lifetime_days", "Longest life of a key").hint("In days from when it is made").unit("days").draw())
                (field("max_key_idle_days", "Disable unused keys after").hint("In days without a call").unit("days").draw())
            }
        };
        section("Keys", "Who makes them, and how long they live.", &fields)
    }
}

/// Whether there is a list of its own.
pub(crate) fn scope(fields: &Fields, faults: &Faults, name: &str, legend: &str, all: &str) -> Markup {
    let scope = format!("{name}_scope");
    let only = fields.text(&scope) == "only";
    html! {
        fieldset id=(name) {
            legend { (legend) }
            div.checks {
                (tick("radio", &scope, "all", !only, all, None))
                (tick("radio", &scope, "only", only, "Only these", None))
            }
            @if let Some(fault) = faults.at(name) { p.error { (crate::failure::capital(fault)) } }
        }
    }
}

fn options(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(value, text)| ((*value).to_owned(), (*text).to_owned())).collect()
}

/// A list to tick, with a field to search it.
pub(crate) fn picker(label: &str, name: &str, all: &[String], chosen: &[String]) -> Markup {
    let pairs: Vec<(String, String)> = all.iter().map(|one| (one.clone(), one.clone())).collect();
    picker_of(label, name, &pairs, chosen)
}

/// The same of values that are called otherwise.
pub(crate) fn picker_of(label: &str, name: &str, all: &[(String, String)], chosen: &[String]) -> Markup {
    html! {
        div.picker data-picker {
            input type="search" aria-label={ "Find in " (label) } placeholder={ "Find in " (label) } hidden data-js autocomplete="off";
            ul aria-label=(label) {
                @for (value, text) in all { li { (tick("checkbox", name, value, chosen.contains(value), text, None)) } }
            }
            p { span data-count { (chosen.iter().filter(|one| all.iter().any(|(value, _)| value == *one)).count()) " selected" } }
        }
    }
}

/// Limits as a form would send them.
pub(crate) fn filled(limits: &Limits, models: &[String]) -> Fields {
    let mut pairs: Vec<(String, String)> = vec![];
    let mut put = |name: &str, value: String| pairs.push((name.to_owned(), value));
    let counts = [
        ("requests_per_second", limits.requests_per_second),
        ("requests_per_minute", limits.requests_per_minute),
        ("tokens_per_minute", limits.tokens_per_minute),
        ("tokens_per_month", limits.tokens_per_month),
        ("max_concurrent_requests", limits.max_concurrent_requests),
        ("max_signed_url_hours", limits.max_signed_url_hours.map(u64::from)),
        ("max_key_lifetime_days", limits.max_key_lifetime_days.map(u64::from)),
        ("max_key_idle_days", limits.max_key_idle_days.map(u64::from)),
    ];
    counts.into_iter().for_each(|(name, count)| put(name, count.map_or_else(String::new, |n| n.to_string())));
    let money = [
        ("hourly_budget_usd", limits.hourly_budget_usd),
        ("daily_budget_usd", limits.daily_budget_usd),
        ("monthly_budget_usd", limits.monthly_budget_usd),
    ];
    money.into_iter().for_each(|(name, sum)| put(name, sum.map_or_else(String::new, Money::usd)));
    let scope = |some: bool| String::from(if some { "only" } else { "all" });
    put("allowed_models_scope", scope(limits.allowed_models.is_some()));
    let entries = limits.allowed_models.iter().flatten();
    let (known, more): (Vec<&String>, Vec<&String>) = entries.partition(|entry| models.contains(entry));
    known.into_iter().for_each(|entry| put("allowed_models", entry.clone()));
    put("more_models", more.into_iter().cloned().collect::<Vec<_>>().join(", "));
    put("allowed_endpoints_scope", scope(limits.allowed_endpoints.is_some()));
    limits.allowed_endpoints.iter().flatten().for_each(|kind| put("allowed_endpoints", kind.as_str().into()));
    put("allowed_tools_scope", scope(limits.allowed_tools.is_some()));
    limits.allowed_tools.iter().flatten().for_each(|tool| put("allowed_tools", tool.clone()));
    put("allowed_service_tiers", tier_text(limits.allowed_service_tiers.as_deref()).into());
    put("region", limits.region.map_or("", Region::as_str).into());
    put("fallback_models", limits.fallback_models.as_deref().unwrap_or_default().join(", "));
    let per_cents = limits.alert_thresholds.iter().flatten().map(u8::to_string).collect::<Vec<_>>();
    put("alert_thresholds", per_cents.join(", "));
    put("key_creation", maker_text(limits.key_creation).into());
    put("mode", if limits.enforced() { "enforce" } else { "shadow" }.into());
    put("timezone", limits.timezone.clone().unwrap_or_default());
    Fields::of(pairs)
}

const fn tier_text(tiers: Option<&[ServiceTier]>) -> &'static str {
    match tiers {
        None => "",
        Some([]) => "none",
        Some(_) => "priority",
    }
}

const fn maker_text(makers: Option<KeyCreation>) -> &'static str {
    match makers {
        None => "",
        Some(KeyCreation::Admins) => "admins",
        Some(KeyCreation::Members) => "members",
    }
}

/// What the form changes of limits. What it leaves as it was is not judged again.
pub(crate) fn patch(fields: &Fields, before: &Limits) -> Result<LimitsPatch, ControlError> {
    let small = |name: &str| -> Result<Option<u32>, ControlError> {
        let large = |_| ControlError::field(name, "is too large");
        fields.number(name)?.map(|n| u32::try_from(n).map_err(large)).transpose()
    };
    Ok(LimitsPatch {
        allowed_models: changed(before.allowed_models.as_ref(), models_of(fields)),
        requests_per_second: changed(
            before.requests_per_second.as_ref(),
            fields.number("requests_per_second")?,
        ),
        requests_per_minute: changed(
            before.requests_per_minute.as_ref(),
            fields.number("requests_per_minute")?,
        ),
        tokens_per_minute: changed(before.tokens_per_minute.as_ref(), fields.number("tokens_per_minute")?),
        tokens_per_month: changed(before.tokens_per_month.as_ref(), fields.number("tokens_per_month")?),
        max_concurrent_requests: changed(
            before.max_concurrent_requests.as_ref(),
            fields.number("max_concurrent_requests")?,
        ),
        hourly_budget_usd: changed(before.hourly_budget_usd.as_ref(), fields.dollars("hourly_budget_usd")?),
        daily_budget_usd: changed(before.daily_budget_usd.as_ref(), fields.dollars("daily_budget_usd")?),
        monthly_budget_usd: changed(
            before.monthly_budget_usd.as_ref(),
            fields.dollars("monthly_budget_usd")?,
        ),
        allowed_endpoints: changed(before.allowed_endpoints.as_ref(), endpoints_of(fields)?),
        allowed_tools: changed(before.allowed_tools.as_ref(), only(fields, "allowed_tools")),
        allowed_service_tiers: changed(before.allowed_service_tiers.as_ref(), tiers_of(fields)?),
        max_signed_url_hours: changed(before.max_signed_url_hours.as_ref(), small("max_signed_url_hours")?),
        region: changed(before.region.as_ref(), region_of(fields)?),
        fallback_models: changed(
            before.fallback_models.as_ref(),
            some(words(fields.text("fallback_models"))),
        ),
        alert_thresholds: changed(before.alert_thresholds.as_ref(), thresholds_of(fields)?),
        max_key_lifetime_days: changed(
            before.max_key_lifetime_days.as_ref(),
            small("max_key_lifetime_days")?,
        ),
        max_key_idle_days: changed(before.max_key_idle_days.as_ref(), small("max_key_idle_days")?),
        key_creation: changed(before.key_creation.as_ref(), makers_of(fields)?),
        mode: mode_of(fields, before),
        timezone: changed(before.timezone.as_ref(), fields.given("timezone")),
    })
}

#[expect(clippy::option_option, reason = "the inner one is what is set, the outer one whether that changes")]
fn changed<T: PartialEq>(before: Option<&T>, after: Option<T>) -> Option<Option<T>> {
    (before != after.as_ref()).then_some(after)
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

/// Words that commas or lines part.
pub(crate) fn words(text: &str) -> Vec<String> {
    let all = text.split([',', '\n', '\r', ';']).map(str::trim);
    all.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

pub(crate) fn only(fields: &Fields, name: &str) -> Option<Vec<String>> {
    (fields.text(&format!("{name}_scope")) == "only").then(|| fields.list(name))
}

fn models_of(fields: &Fields) -> Option<Vec<String>> {
    let mut entries = only(fields, "allowed_models")?;
    entries.extend(words(fields.text("more_models")));
    Some(entries)
}

pub(crate) fn endpoints_of(fields: &Fields) -> Result<Option<Vec<EndpointKind>>, ControlError> {
    let Some(names) = only(fields, "allowed_endpoints") else { return Ok(None) };
    let unknown = || ControlError::field("allowed_endpoints", "names an endpoint that is not there");
    names.iter().map(|name| EndpointKind::parse(name).ok_or_else(unknown)).collect::<Result<_, _>>().map(Some)
}

fn tiers_of(fields: &Fields) -> Result<Option<Vec<ServiceTier>>, ControlError> {
    match fields.text("allowed_service_tiers") {
        "" => Ok(None),
        "none" => Ok(Some(vec![])),
        "priority" => Ok(Some(vec![ServiceTier::Priority])),
        _ => Err(ControlError::field("allowed_service_tiers", "names a tier that is not there")),
    }
}

fn region_of(fields: &Fields) -> Result<Option<Region>, ControlError> {
    match fields.text("region") {
        "" => Ok(None),
        "eu" => Ok(Some(Region::Eu)),
        "us" => Ok(Some(Region::Us)),
        _ => Err(ControlError::field("region", "must be eu or us")),
    }
}

fn makers_of(fields: &Fields) -> Result<Option<KeyCreation>, ControlError> {
    match fields.text("key_creation") {
        "" => Ok(None),
        "admins" => Ok(Some(KeyCreation::Admins)),
        "members" => Ok(Some(KeyCreation::Members)),
        _ => Err(ControlError::field("key_creation", "must be admins or members")),
    }
}

fn thresholds_of(fields: &Fields) -> Result<Option<Vec<u8>>, ControlError> {
    let wrong = |_| ControlError::field("alert_thresholds", "must be per cents such as 50, 80, 95");
    let read = |word: &String| word.trim_end_matches(['%', ' ']).parse::<u8>().map_err(wrong);
    let all = words(fields.text("alert_thresholds"));
    all.iter().map(read).collect::<Result<Vec<_>, _>>().map(some)
}

#[expect(clippy::option_option, reason = "the inner one is what is set, the outer one whether that changes")]
fn mode_of(fields: &Fields, before: &Limits) -> Option<Option<Mode>> {
    let shadow = fields.text("mode") == "shadow";
    (shadow == before.enforced()).then_some(Some(if shadow { Mode::Shadow } else { Mode::Enforce }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_nobody_touched_changes_nothing() {
        let models = ["mistral-small-latest".to_owned()];
        let limits = Limits {
            allowed_models: Some(vec!["mistral-small-latest".into(), "codestral-*".into()]),
            requests_per_minute: Some(60),
            monthly_budget_usd: Money::parse_usd("19.5"),
            allowed_endpoints: Some(vec![EndpointKind::Chat]),
            allowed_tools: Some(vec![]),
            allowed_service_tiers: Some(vec![]),
            region: Some(Region::Eu),
            alert_thresholds: Some(vec![50, 90]),
            mode: Some(Mode::Shadow),
            ..Limits::default()
        };
        for limits in [Limits::default(), limits] {
            let fields = filled(&limits, &models);
            let patch = patch(&fields, &limits).unwrap();
            assert_eq!(format!("{patch:?}"), format!("{:?}", LimitsPatch::default()));
            assert_eq!(super::patch(&fields, &Limits::default()).unwrap().apply(Limits::default()), limits);
        }
    }

    #[test]
    fn an_emptied_field_takes_the_limit_away() {
        let before = Limits { requests_per_minute: Some(60), ..Limits::default() };
        let patch = patch(&Fields::default(), &before).unwrap();
        assert_eq!(patch.requests_per_minute, Some(None));
        let wrong = Fields::of(vec![("alert_thresholds".into(), "50, x".into())]);
        assert!(super::patch(&wrong, &before).is_err());
    }
}
