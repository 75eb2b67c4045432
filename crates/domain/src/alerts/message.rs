//! What an alert says to people: a subject of one line, and a text of a few.

use super::{Alert, AlertKind, BudgetState};
use crate::money::Money;
use crate::time::Timestamp;

/// An alert in words. Control characters of names are gone; nothing else of them is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line, without the name of the product.
    pub subject: String,
    /// One to three lines.
    pub text: String,
}

impl Message {
    /// The words for an alert.
    pub fn of(alert: &Alert) -> Self {
        let name: String = alert.name.chars().filter(|c| !c.is_control()).collect();
        match (alert.kind, &alert.budget) {
            (AlertKind::UpstreamCredentialRejected, _) => Self {
                subject: format!("upstream credential {name} is rejected"),
                text: format!(
                    "Upstream rejects the credential {name}. Calls that depend on it fail until it is replaced."
                ),
            },
            (AlertKind::ModelMoved, _) => Self {
                subject: format!("the model name {name} moved upstream"),
                text: format!(
                    "Upstream gives the name {name} to another model, or bills it as another one. Calls that name it by \
                     this alias are refused until somebody has looked and dismissed it."
                ),
            },
            (
                AlertKind::KeyExpiring | AlertKind::KeyUnused | AlertKind::KeyLeaked | AlertKind::CanaryUsed,
                _,
            ) => of_key(alert, &name),
            (
                AlertKind::RotationDue
                | AlertKind::RotationDone
                | AlertKind::RotationStuck
                | AlertKind::OldSecretUsed,
                _,
            ) => of_rotation(alert, &name),
            (AlertKind::Test, _) => Self {
                subject: format!("test of the alert channel {name}"),
                text: format!("This is a test: the alert channel {name} works."),
            },
            (AlertKind::Threshold | AlertKind::LimitReached | AlertKind::Overrun, Some(budget)) => {
                of_budget(alert, &format!("{} {name}", alert.scope.replace('_', " ")), budget)
            }
            // Only a budget raises these; without its numbers the kind still says what happened.
            (AlertKind::Threshold | AlertKind::LimitReached | AlertKind::Overrun, None) => {
                Self { subject: format!("{name}: {}", alert.kind.as_str()), text: String::new() }
            }
        }
    }
}

fn of_key(alert: &Alert, name: &str) -> Message {
    let (what, end) = (alert.scope.replace('_', " "), alert.ends.rfc3339());
    let (subject, text) = match (alert.kind, alert.threshold) {
        (AlertKind::KeyLeaked, _) => (
            format!("the secret of the {what} {name} was found"),
            format!(
                "Somebody found the secret of the {what} {name} and reported it. It is refused from now on. Look who \
                 used it, and give its users a new key."
            ),
        ),
        (AlertKind::CanaryUsed, _) => (
            format!("the bait {name} was tried"),
            format!(
                "Somebody tried the {what} {name}, which is a bait. Whoever did has read what they should not."
            ),
        ),
        (AlertKind::KeyUnused, Some(0)) => (
            format!("the {what} {name} was disabled: nobody used it"),
            format!(
                "Nobody used the {what} {name} for as long as the policy allows: it is disabled since {end}."
            ),
        ),
        (AlertKind::KeyUnused, _) => (
            format!("nobody uses the {what} {name}"),
            format!(
                "Nobody uses the {what} {name}: it is disabled at {end}, unless somebody does or exempts it."
            ),
        ),
        _ => (
            format!("the {what} {name} expires soon"),
            format!("The {what} {name} expires at {end} and is refused from then on."),
        ),
    };
    Message { subject, text }
}

/// Of rotations `ends` says when: it is due, or the old secret ends.
fn of_rotation(alert: &Alert, name: &str) -> Message {
    let (what, end) = (alert.scope.replace('_', " "), alert.ends.rfc3339());
    let (subject, text) = match alert.kind {
        AlertKind::RotationDue => (
            format!("{what} {name} is to be rotated"),
            format!("The secret of the {what} {name} is to be replaced from {end} on."),
        ),
        AlertKind::RotationDone => (
            format!("{what} {name} was rotated"),
            format!("The {what} {name} has a new secret; the old one is refused since {end}."),
        ),
        AlertKind::OldSecretUsed => (
            format!("{what} {name}: the old secret is still used"),
            format!(
                "Somebody still uses the old secret of the {what} {name}, which ends at {end}. Who that is stands in the \
                 list of its secrets."
            ),
        ),
        AlertKind::RotationStuck
        | AlertKind::Threshold
        | AlertKind::LimitReached
        | AlertKind::Overrun
        | AlertKind::UpstreamCredentialRejected
        | AlertKind::ModelMoved
        | AlertKind::KeyExpiring
        | AlertKind::KeyUnused
        | AlertKind::KeyLeaked
        | AlertKind::CanaryUsed
        | AlertKind::Test => (
            format!("{what} {name}: its rotation does not get on"),
            format!(
                "The rotation of the {what} {name} failed several times and is tried again. Until it works the old secret \
                 does. Why it failed stands in the list of rotations."
            ),
        ),
    };
    Message { subject, text }
}

fn of_budget(alert: &Alert, who: &str, budget: &BudgetState) -> Message {
    let its = its_budget(budget);
    let spent = format!("{} of {} spent", amount(budget, budget.spent), amount(budget, budget.limit));
    let per_cent = alert.threshold.unwrap_or(0);
    let (subject, first) = match alert.kind {
        AlertKind::LimitReached => {
            (format!("{who}: {its} is used up"), format!("A call of {who} was refused: {its} is used up."))
        }
        AlertKind::Overrun => (
            format!("{who}: {its} is overrun"),
            format!("A call of {who} cost more than was reserved for it: {its} is overrun and blocked."),
        ),
        AlertKind::Threshold
        | AlertKind::UpstreamCredentialRejected
        | AlertKind::ModelMoved
        | AlertKind::KeyExpiring
        | AlertKind::KeyUnused
        | AlertKind::KeyLeaked
        | AlertKind::CanaryUsed
        | AlertKind::RotationDue
        | AlertKind::RotationDone
        | AlertKind::RotationStuck
        | AlertKind::OldSecretUsed
        | AlertKind::Test => {
            (format!("{who}: {per_cent} % of {its}"), format!("{who} has spent {per_cent} % of {its}."))
        }
    };
    let mut text = format!("{first}\n{spent}; the period ends at {}.", alert.ends.rfc3339());
    if let Some(at) = budget.forecast_at {
        text.push_str(&format!("\nAt this rate the limit is reached {}.", when(budget, at)));
    }
    Message { subject, text }
}

fn its_budget(budget: &BudgetState) -> String {
    let window = match budget.window.as_str() {
        "hour" => "hourly",
        "day" => "daily",
        "month" => "monthly",
        other => other,
    };
    let of = if budget.unit == "tokens" { "token budget" } else { "budget" };
    format!("its {window} {of}")
}

/// Dollars down to the cent (or whole when below one), tokens in groups of three digits.
fn amount(budget: &BudgetState, value: i64) -> String {
    const CENT: i64 = 10_000_000;
    if budget.unit == "tokens" {
        return format!("{} tokens", grouped(value));
    }
    let cents = value.saturating_sub(value.checked_rem(CENT).unwrap_or(0));
    format!("{} USD", Money::from_nanos(if cents == 0 { value } else { cents }).usd())
}

fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The day for a month's budget, the minute for the others.
fn when(budget: &BudgetState, at: Timestamp) -> String {
    let text = at.rfc3339();
    if budget.window != "month" {
        return format!("at {} UTC", text.get(11..16).unwrap_or(&text));
    }
    let day = text.get(8..10).map(|day| day.trim_start_matches('0')).unwrap_or_default();
    let ending = match day {
        "1" | "21" | "31" => "st",
        "2" | "22" => "nd",
        "3" | "23" => "rd",
        _ => "th",
    };
    format!("on the {day}{ending}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Fixed, at, standing};
    use super::super::{Alert, Standing};
    use super::*;
    use crate::id::{AlertChannelId, OrganizationId, UpstreamId};

    fn said(standing: &Standing, now: &str) -> (String, String) {
        let message = Message::of(&standing.alerts(at(now), &Fixed).pop().unwrap());
        (message.subject, message.text)
    }

    #[test]
    fn a_budget_says_who_how_much_and_until_when() {
        let (subject, text) = said(&standing(50_000_000_000, 40_129_999_999), "2026-11-17");
        assert_eq!(subject, "workspace dev-workspace: 80 % of its monthly budget");
        assert_eq!(
            text,
            "workspace dev-workspace has spent 80 % of its monthly budget.\n40.12 USD of 50 USD spent; the period ends \
             at 2026-12-01T00:00:00Z.\nAt this rate the limit is reached on the 20th."
        );
        let role = Standing {
            scope: "model_role".into(),
            name: "ana\r\nBcc: x".into(),
            window: "day".into(),
            unit: "tokens".into(),
            starts: at("2026-11-17"),
            ends: at("2026-11-18"),
            ..standing(1_000_000, 500_000)
        };
        let (subject, text) = said(&role, "2026-11-17T08:00:00Z");
        assert_eq!(subject, "model role anaBcc: x: 50 % of its daily token budget");
        assert!(
            text.contains("500,000 tokens of 1,000,000 tokens") && text.ends_with("at 16:00 UTC."),
            "{text}"
        );
        let reached = Standing { limit_reached: true, ..standing(1, 1) };
        assert_eq!(said(&reached, "2026-11-17").0, "workspace dev-workspace: its monthly budget is used up");
        let overrun = Standing { overrun: true, ..standing(1, 2) };
        assert_eq!(said(&overrun, "2026-11-17").0, "workspace dev-workspace: its monthly budget is overrun");
        assert!(said(&overrun, "2026-11-17").1.contains("0.000000002 USD of 0.000000001 USD"));
    }

    #[test]
    fn days_have_their_endings() {
        let budget = standing(2, 1).alerts(at("2026-11-17"), &Fixed).pop().unwrap().budget.unwrap();
        for (day, wanted) in [("01", "1st"), ("02", "2nd"), ("03", "3rd"), ("11", "11th"), ("12", "12th")]
            .into_iter()
            .chain([("13", "13th"), ("20", "20th"), ("21", "21st"), ("22", "22nd"), ("23", "23rd")])
        {
            assert_eq!(when(&budget, at(&format!("2026-10-{day}"))), format!("on the {wanted}"));
        }
    }

    #[test]
    fn what_is_no_budget_speaks_for_itself() {
        let (organization, now) = (OrganizationId::from_bytes([1; 16]), at("2026-11-17"));
        let upstream = UpstreamId::from_bytes([2; 16]);
        let rejected = Alert::upstream_credential_rejected(organization, upstream, "main", now, &Fixed);
        assert_eq!(Message::of(&rejected).subject, "upstream credential main is rejected");
        let test = Alert::test(organization, AlertChannelId::from_bytes([3; 16]), "ops", now, &Fixed);
        assert_eq!(Message::of(&test).text, "This is a test: the alert channel ops works.");
    }
}
