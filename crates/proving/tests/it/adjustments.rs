//! The contract of adjustments, on both engines: what was charged is corrected once, in its hour and in its period.

use crate::ledger::Desk;
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::AdjustmentId;
use louver_domain::ledger::Answer;
use louver_domain::limits::Limits;
use louver_domain::money::Money;
use louver_store::StoreError;
use louver_store::ledger::adjustments::{self, Adjustment, Difference, Reason};
use louver_store::ledger::entries::Entry;

contract! {
    an_adjustment_that_is_posted_twice_counts_once
    what_comes_back_can_be_used_again
    an_adjustment_upward_counts_also_beyond_the_limit
    a_refund_above_what_was_charged_in_its_hour_is_a_conflict
    parts_of_one_call_are_posted_together_or_not_at_all
    a_budget_that_begins_later_counts_what_was_adjusted
    an_adjustment_of_a_period_that_ended_leaves_the_next_alone
}

async fn fresh(url: &str) -> Desk {
    Desk::open(url).await
}

/// A correction of that entry by so many nano-dollars, and as many tokens.
fn correction(desk: &Desk, number: u8, of: &Entry, nanos: i64) -> Adjustment {
    let record = &of.record;
    Adjustment {
        id: AdjustmentId::from_bytes([number; 16]),
        of_request: Some(record.request_id),
        at: record.at,
        posted_at: desk.f.at,
        organization_id: record.organization_id,
        workspace_id: record.workspace_id,
        key_id: record.key_id,
        user_id: record.user_id,
        role: record.role.as_deref().map(str::to_owned),
        endpoint: record.endpoint,
        model: record.model.to_string(),
        difference: Difference { nanos, ..Difference::default() },
        reason: Reason::Batch,
        note: String::new(),
    }
}

async fn an_adjustment_that_is_posted_twice_counts_once(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 800)).await;
    let entry = desk.entry(1, 800, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    let back = correction(&desk, 1, &entry, -500);
    assert!(adjustments::post(&desk.store, &back).await.unwrap());
    for _ in 0..2 {
        assert!(!adjustments::post(&desk.store, &back).await.unwrap());
    }
    let more = Adjustment { id: AdjustmentId::from_bytes([2; 16]), ..back.clone() };
    let (one, two) =
        tokio::join!(adjustments::post(&desk.store, &more), adjustments::post(&desk.store, &back),);
    assert!(matches!(one, Err(StoreError::Conflict)), "another one may not give back more than was charged");
    assert!(!two.unwrap());
    let standing = desk.standing().await;
    assert_eq!((standing.allocated, standing.spent), (300, 300));
    desk.verified().await;
}

async fn what_comes_back_can_be_used_again(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 1000)).await;
    let entry = desk.entry(1, 1000, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    assert_eq!(desk.grow(&desk.ask(2, 100)).await.answer, Answer::Short { left: 0 });
    assert!(adjustments::post(&desk.store, &correction(&desk, 1, &entry, -900)).await.unwrap());
    let answer = desk.grow(&desk.ask(3, 900)).await.answer;
    assert_eq!(answer, Answer::Granted(900), "all that came back, and no more");
    assert_eq!(desk.grow(&desk.ask(4, 1)).await.answer, Answer::Short { left: 0 });
    desk.verified().await;
}

async fn an_adjustment_upward_counts_also_beyond_the_limit(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 900)).await;
    let entry = desk.entry(1, 900, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    assert!(adjustments::post(&desk.store, &correction(&desk, 1, &entry, 300)).await.unwrap());
    assert_eq!(desk.standing().await.spent, 1200);
    assert_eq!(desk.grow(&desk.ask(2, 1)).await.answer, Answer::Short { left: 0 });
    desk.verified().await;
}

async fn a_refund_above_what_was_charged_in_its_hour_is_a_conflict(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 900)).await;
    let entry = desk.entry(1, 900, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    for nanos in [-901, i64::MIN] {
        let refused = adjustments::post(&desk.store, &correction(&desk, 1, &entry, nanos)).await;
        assert!(refused.is_err(), "{nanos}");
    }
    let other = Adjustment { endpoint: EndpointKind::Ocr, ..correction(&desk, 1, &entry, -1) };
    assert!(matches!(adjustments::post(&desk.store, &other).await, Err(StoreError::Conflict)));
    assert_eq!(desk.standing().await.spent, 900, "nothing of it was posted");
    desk.verified().await;
}

async fn parts_of_one_call_are_posted_together_or_not_at_all(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 1000)).await;
    let entry = desk.entry(1, 1000, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    let back = correction(&desk, 1, &entry, -800);
    let other = Adjustment { model: "another".into(), ..correction(&desk, 2, &entry, 300) };
    let too_much = Adjustment { model: "third".into(), ..correction(&desk, 3, &entry, -1) };
    let refused = adjustments::post_together(&desk.store, &[back.clone(), other.clone(), too_much]).await;
    assert!(matches!(refused, Err(StoreError::Conflict)));
    assert_eq!(desk.standing().await.spent, 1000);
    for posted in [true, false] {
        let both = [back.clone(), other.clone()];
        assert_eq!(adjustments::post_together(&desk.store, &both).await.unwrap(), posted);
    }
    let standing = desk.standing().await;
    assert_eq!((standing.spent, standing.allocated), (500, 500));
    assert!(!adjustments::post_together(&desk.store, &[]).await.unwrap());
    desk.verified().await;
}

async fn a_budget_that_begins_later_counts_what_was_adjusted(desk: Desk) {
    let entry = desk.entry(1, 1000, &[]);
    desk.insert(std::slice::from_ref(&entry)).await;
    assert!(adjustments::post(&desk.store, &correction(&desk, 1, &entry, -600)).await.unwrap());
    let limits = desk.f.organization.limits.clone();
    desk.save_limits(Limits { daily_budget_usd: Some(Money::from_nanos(1000)), ..limits }).await;
    assert_eq!(desk.grow(&desk.ask(1, 600)).await.answer, Answer::Granted(600), "400 were used");
    assert_eq!(desk.grow(&desk.ask(2, 1)).await.answer, Answer::Short { left: 0 });
    // And once it is there, what is posted later counts in it, too.
    assert!(adjustments::post(&desk.store, &correction(&desk, 2, &entry, -300)).await.unwrap());
    assert_eq!(desk.grow(&desk.ask(3, 300)).await.answer, Answer::Granted(300));
    desk.verified().await;
}

async fn an_adjustment_of_a_period_that_ended_leaves_the_next_alone(desk: Desk) {
    desk.limit(Some(1000)).await;
    desk.grow(&desk.ask(1, 1000)).await;
    let entry = desk.entry(1, 1000, &[1]);
    desk.insert(std::slice::from_ref(&entry)).await;
    desk.close(1).await;
    desk.clock.advance(24 * 60 * 60);
    desk.grow(&desk.ask(2, 400)).await;
    assert!(adjustments::post(&desk.store, &correction(&desk, 1, &entry, -900)).await.unwrap());
    let standing = desk.standing().await;
    assert_eq!(standing.allocated, 400, "the new day has nothing of it");
    assert_eq!(desk.grow(&desk.ask(3, 601)).await.answer, Answer::Short { left: 600 });
    desk.verified().await;
}
