//! What keeping a fine-tuned model costs: once for each calendar month (UTC) in which it is kept.

use crate::calendar::Window;
use crate::id::{AdjustmentId, WorkspaceId};
use crate::models::{Model, ModelStatus};
use crate::money::Money;
use crate::prices::Prices;
use crate::time::Timestamp;
use aws_lc_rs::digest::{SHA256, digest};

/// What is due for one model in one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    /// Always the same for the same model and month, whoever posts it and how often.
    pub id: AdjustmentId,
    /// Whose model it is.
    pub workspace_id: WorkspaceId,
    /// How much.
    pub cost: Money,
}

/// What is due for a model in the month of `now`. `None`: it is nobody's own, not kept any more, or costs nothing.
pub fn fee(model: &Model, prices: &Prices, now: Timestamp) -> Option<Fee> {
    let workspace_id = model.workspace_id.filter(|_| model.status != ModelStatus::Retired)?;
    let (_, price) = prices.at(now)?;
    let cost = price.usd_per_month_kept.filter(|cost| cost.nanos() > 0)?;
    Some(Fee { id: id(&model.id, now.floor(Window::Month)), workspace_id, cost })
}

fn id(model: &str, month: Timestamp) -> AdjustmentId {
    let name = format!("storage\n{model}\n{}", month.seconds());
    let hash = digest(&SHA256, name.as_bytes());
    AdjustmentId::from_bytes(hash.as_ref().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::Price;

    fn model(owner: Option<WorkspaceId>) -> Model {
        Model {
            id: "ft:a".into(),
            aliases: vec![],
            family: "a".into(),
            name: "a".into(),
            context: 1,
            endpoints: vec![],
            capabilities: vec![],
            status: ModelStatus::Active,
            deprecation: None,
            replacement: None,
            upstream: None,
            workspace_id: owner,
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_month_is_due_once_whenever_it_is_asked_for() {
        let ours = WorkspaceId::from_bytes([1; 16]);
        let priced = |usd: &str, from: &str| Price {
            usd_per_month_kept: Money::parse_usd(usd),
            ..Price::none(at(from))
        };
        let prices =
            Prices::new(vec![priced("2", "2026-11-10T00:00:00Z"), priced("3", "2027-01-01T00:00:00Z")]);
        let due = |model: &Model, day: &str| fee(model, &prices, at(day));
        let own = model(Some(ours));
        let first = due(&own, "2026-11-21T10:00:00Z").unwrap();
        assert_eq!((first.workspace_id, first.cost.usd().as_str()), (ours, "2"));
        assert_eq!(due(&own, "2026-11-30T23:59:59Z"), Some(first));
        let next = due(&own, "2026-12-01T00:00:00Z").unwrap();
        assert_ne!(next.id, first.id);
        assert_eq!(due(&own, "2027-01-01T00:00:00Z").unwrap().cost.usd(), "3");
        let other = Model { id: "ft:b".into(), ..own.clone() };
        assert_ne!(due(&other, "2026-12-01T00:00:00Z").unwrap().id, next.id);
        assert_eq!(due(&own, "2026-11-09T00:00:00Z"), None, "before it has a price");
        assert_eq!(due(&model(None), "2026-12-01T00:00:00Z"), None);
        let gone = Model { status: ModelStatus::Retired, ..own };
        assert_eq!(due(&gone, "2026-12-01T00:00:00Z"), None);
    }
}
