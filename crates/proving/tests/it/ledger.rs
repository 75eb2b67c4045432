//! The contract of the ledger's store, on both engines.

use crate::fixtures::{Fixture, permit, record};
use louver_domain::access::Action;
use louver_domain::budgets::{Budget, BudgetKind, Scope};
use louver_domain::calendar::{Period, Zone};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{KeyId, LeaseId, NodeId, RequestId};
use louver_domain::ledger::{Answer, Wish};
use louver_domain::limits::{Level, Limits};
use louver_domain::money::Money;
use louver_domain::organizations::Organization;
use louver_domain::prices::Terms;
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::{Clock, Timestamp};
use louver_domain::usage::{Tokens, Units};
use louver_proving::clock::ManualClock;
use louver_store::journal::{Found, FoundCall, Recorded, Settled};
use louver_store::ledger::entries::{self, Entry, Hold};
use louver_store::ledger::recovery::{self, Recovered};
use louver_store::ledger::standings::{self, Standing};
use louver_store::ledger::verify::verify;
use louver_store::ledger::{self, Ask, Holder, Reply, Return};
use louver_store::{Store, organizations};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

contract! {
    a_change_that_comes_twice_counts_once
    a_refusal_takes_its_number
    of_thirty_at_once_as_many_are_granted_as_fit
    entries_that_come_twice_charge_once
    charges_beside_grants_are_not_lost
    a_bill_above_its_bound_blocks_and_calls_beside_it_count
    a_period_that_turned_is_lived_from_a_new_lease
    a_limit_in_the_middle_of_a_period_counts_what_was_used
    what_a_dead_process_left_is_closed_or_stranded
    a_changed_time_zone_waits_for_the_next_period
    a_clock_set_back_keeps_the_newer_period
}

async fn fresh(url: &str) -> Desk {
    Desk::open(url).await
}

const KIND: BudgetKind = BudgetKind::DailyUsd;

/// An organization with a daily budget, at 02:31:58 of a day.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) f: Fixture,
    events: AtomicU8,
}

impl Desk {
    pub(crate) async fn open(url: &str) -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T02:31:58Z"));
        let store = Store::open(url, clock.clone()).await.unwrap().by_clock(clock.clone());
        store.migrate().await.unwrap();
        let f = Fixture::write(&store).await;
        Self { store, clock, f, events: AtomicU8::new(100) }
    }

    /// Sets the organization's daily budget in nano-dollars.
    pub(crate) async fn limit(&self, nanos: Option<i64>) {
        let limits = self.f.organization.limits.clone();
        self.save_limits(Limits { daily_budget_usd: nanos.map(Money::from_nanos), ..limits }).await;
    }

    pub(crate) async fn save_limits(&self, limits: Limits) {
        let mut tx = self.store.begin().await.unwrap();
        let organization = organizations::load(&mut tx, self.f.organization.id).await.unwrap().unwrap();
        ledger::reopen(&mut tx, &self.scope(), &organization.limits, &limits).await.unwrap();
        let permit = permit(organization.id, Action::UpdateOrganization);
        let changed = Organization { limits, ..organization };
        organizations::save(&mut tx, &permit, &changed).await.unwrap();
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        tx.commit(&self.f.event(permit, number)).await.unwrap();
    }

    fn scope(&self) -> Scope {
        Scope::of(Level::Organization, self.f.organization.id.bytes())
    }

    fn budget_in(&self, zone: &str) -> Arc<Budget> {
        let limits = Limits { daily_budget_usd: Some(Money::from_nanos(1)), ..Limits::default() };
        let budgets = Budget::of_limits(&self.scope(), &limits, &Zone::parse(zone).unwrap());
        Arc::new(budgets.into_iter().next().unwrap())
    }

    pub(crate) fn ask(&self, number: u32, need: i64) -> Ask {
        self.ask_of(EPOCH, number, need)
    }

    /// An ask of a process for a new lease of that number.
    fn ask_of(&self, epoch: i64, number: u32, need: i64) -> Ask {
        Ask {
            organization_id: self.f.organization.id,
            budget: self.budget_in("UTC"),
            held: None,
            fresh: LeaseId::of(epoch, number),
            sequence: 1,
            wish: Wish { least: need, all: need, nodes: 1_000_000 },
            left: 0,
            charged: 0,
            overrun: false,
        }
    }

    pub(crate) async fn grow(&self, ask: &Ask) -> Reply {
        self.grow_of(EPOCH, ask).await
    }

    async fn grow_of(&self, epoch: i64, ask: &Ask) -> Reply {
        let replies = ledger::grow(&self.store, holder(epoch), std::slice::from_ref(ask)).await.unwrap();
        let [reply] = replies.try_into().unwrap();
        reply
    }

    async fn shrink(&self, lease: u32, sequence: i64, by: i64) {
        let given =
            Return { budget: self.budget_in("UTC").id, lease: LeaseId::of(EPOCH, lease), sequence, by };
        ledger::shrink(&self.store, &[given]).await.unwrap();
    }

    pub(crate) async fn close(&self, lease: u32) {
        let lease = (self.budget_in("UTC").id, LeaseId::of(EPOCH, lease));
        ledger::close(&self.store, &[lease]).await.unwrap();
    }

    /// The daily budget in the newest of the periods that have not ended.
    pub(crate) async fn standing(&self) -> Standing {
        let all = standings::running(&self.store, self.clock.now()).await.unwrap();
        let daily = self.budget_in("UTC").id;
        *all.iter().rfind(|standing| standing.budget == daily).unwrap()
    }

    /// The entry of a call at this moment that cost so much, on leases of the process.
    pub(crate) fn entry(&self, number: u32, nanos: i64, leases: &[u32]) -> Entry {
        let at = self.clock.now();
        let mut id = RequestId::first_of(at).bytes();
        id[12..].copy_from_slice(&number.to_be_bytes());
        let mut record = record(&self.f, number, at);
        record.request_id = RequestId::from_bytes(id);
        (record.charge.cost, record.charge.why) = (Money::from_nanos(nanos), Why::Metered);
        let holds = leases.iter().map(|lease| Hold { lease: *lease, kind: KIND }).collect();
        Entry { record, epoch: EPOCH, holds }
    }

    pub(crate) async fn insert(&self, entries: &[Entry]) {
        entries::insert(&self.store, entries).await.unwrap();
    }

    pub(crate) async fn verified(&self) {
        assert_eq!(verify(&self.store).await.unwrap(), []);
    }
}

const EPOCH: i64 = 1;

fn holder(epoch: i64) -> Holder {
    Holder { node: NodeId::from_bytes([1; 16]), epoch }
}

/// The same ask for a lease that is held.
fn held(ask: &Ask, reply: &Reply, sequence: i64) -> Ask {
    Ask { held: Some((reply.lease_id, reply.period)), fresh: reply.lease_id, sequence, ..ask.clone() }
}

async fn a_change_that_comes_twice_counts_once(desk: Desk) {
    desk.limit(Some(1000)).await;
    let ask = desk.ask(1, 100);
    let first = desk.grow(&ask).await;
    assert_eq!((first.answer, first.lease.amount, first.left), (Answer::Granted(100), 100, 900));
    let again = desk.grow(&ask).await;
    assert_eq!((again.answer, again.lease, again.lease_id), (Answer::Repeated, first.lease, first.lease_id));
    let more = held(&ask, &first, 2);
    assert_eq!(desk.grow(&more).await.answer, Answer::Granted(100));
    assert_eq!(desk.grow(&more).await.answer, Answer::Repeated);
    assert_eq!(desk.standing().await.allocated, 200);
    for _ in 0..2 {
        desk.shrink(1, 3, 50).await;
        assert_eq!(desk.standing().await.allocated, 150);
    }
    desk.shrink(1, 2, 50).await;
    assert_eq!(desk.standing().await.allocated, 150, "late, and its number is taken");
    desk.insert(&[desk.entry(1, 30, &[1])]).await;
    for _ in 0..2 {
        desk.close(1).await;
        let standing = desk.standing().await;
        assert_eq!((standing.allocated, standing.spent, standing.leased), (30, 30, 0));
    }
    let late = desk.grow(&held(&ask, &first, 9)).await;
    assert_eq!((late.answer, desk.standing().await.allocated), (Answer::Repeated, 30), "a closed lease");
    desk.shrink(1, 9, 10).await;
    assert_eq!(desk.standing().await.allocated, 30);
    desk.verified().await;
}

async fn a_refusal_takes_its_number(desk: Desk) {
    desk.limit(Some(100)).await;
    let ask = desk.ask(1, 100);
    let first = desk.grow(&ask).await;
    // The node gives 60 back; that is late, and it is refused meanwhile. It takes the 60 in hand again.
    let refused = desk.grow(&held(&ask, &first, 3)).await;
    assert_eq!((refused.answer, refused.lease.amount), (Answer::Short { left: 0 }, 100));
    desk.shrink(1, 2, 60).await;
    assert_eq!(desk.standing().await.leased, 100, "what the node has in hand is not given out again");
    desk.verified().await;
}

async fn of_thirty_at_once_as_many_are_granted_as_fit(desk: Desk) {
    const FIT: usize = 7;
    const NEED: i64 = 1_000;
    desk.limit(Some(i64::try_from(FIT).unwrap() * NEED + NEED / 2)).await;
    let desk = Arc::new(desk);
    let ask = async |desk: Arc<Desk>, epoch: i64| {
        let ask = desk.ask_of(epoch, 1, NEED);
        desk.grow_of(epoch, &ask).await.answer
    };
    let tasks: Vec<_> = (1..=30).map(|epoch| tokio::spawn(ask(desk.clone(), epoch))).collect();
    let mut granted = 0;
    for task in tasks {
        match task.await.unwrap() {
            Answer::Granted(amount) => granted += usize::from(amount == NEED),
            answer => assert_eq!(answer, Answer::Short { left: NEED / 2 }),
        }
    }
    assert_eq!(granted, FIT);
    let standing = desk.standing().await;
    assert_eq!(standing.allocated, i64::try_from(FIT).unwrap() * NEED);
    assert!(standing.refused_under.is_some() || standing.leased > 0);
    desk.verified().await;
}

async fn entries_that_come_twice_charge_once(desk: Desk) {
    desk.limit(Some(100_000)).await;
    for lease in [1, 2] {
        desk.grow(&desk.ask(lease, 10_000)).await;
    }
    let entries: Vec<Entry> = (0..300).map(|n| desk.entry(n, 10, &[1 + n % 2])).collect();
    desk.insert(&entries[..200]).await;
    desk.insert(&entries).await;
    desk.insert(&entries[100..]).await;
    let (one, two) = tokio::join!(
        entries::insert(&desk.store, &entries[..150]),
        entries::insert(&desk.store, &entries[50..250])
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(desk.standing().await.spent, 3000);
    desk.verified().await;
}

/// Grants read leases and write them back while entries are charged to them: neither undoes the other, and neither waits
/// for the other in a circle.
async fn charges_beside_grants_are_not_lost(desk: Desk) {
    const ROUNDS: u32 = 60;
    let scope = desk.scope();
    let dear = Some(Money::from_nanos(1_000_000_000));
    let limits = Limits {
        hourly_budget_usd: dear,
        daily_budget_usd: dear,
        monthly_budget_usd: dear,
        tokens_per_month: Some(1_000_000_000),
        ..Limits::default()
    };
    desk.save_limits(limits.clone()).await;
    let mut budgets = Budget::of_limits(&scope, &limits, &Zone::default());
    // Asks lock in the order of budgets; leases have the opposite one.
    budgets.sort_by_key(|budget| std::cmp::Reverse(budget.id));
    let asks: Vec<Ask> =
        (1..).zip(budgets).map(|(n, b)| Ask { budget: b.into(), ..desk.ask(n, 100_000) }).collect();
    let first = ledger::grow(&desk.store, holder(EPOCH), &asks).await.unwrap();
    let holds = (1..).zip(&asks).map(|(lease, ask)| Hold { lease, kind: ask.budget.kind });
    let holds: entries::Holds = holds.collect();
    let desk = Arc::new(desk);
    let growing = tokio::spawn({
        let desk = desk.clone();
        async move {
            for round in 0..ROUNDS {
                let more = asks.iter().zip(&first).map(|(ask, reply)| held(ask, reply, i64::from(round) + 2));
                let more: Vec<Ask> = more.collect();
                let grown = ledger::grow(&desk.store, holder(EPOCH), &more).await.unwrap();
                assert!(grown.iter().all(|reply| matches!(reply.answer, Answer::Granted(_))), "{grown:?}");
            }
        }
    });
    let charging = tokio::spawn({
        let desk = desk.clone();
        async move {
            for round in 0..ROUNDS {
                desk.insert(&[Entry { holds: holds.clone(), ..desk.entry(round, 7, &[]) }]).await;
            }
        }
    });
    growing.await.unwrap();
    charging.await.unwrap();
    let all = standings::running(&desk.store, desk.clock.now()).await.unwrap();
    let mut spent: Vec<i64> = all.iter().map(|standing| standing.spent).collect();
    spent.sort_unstable();
    let (cost, tokens) = (i64::from(ROUNDS) * 7, i64::from(ROUNDS) * 15);
    assert_eq!(spent, [cost, cost, cost, tokens], "every charge is there");
    desk.verified().await;
}

async fn a_bill_above_its_bound_blocks_and_calls_beside_it_count(desk: Desk) {
    desk.limit(Some(1_000)).await;
    let ask = desk.ask(1, 100);
    let first = desk.grow(&ask).await;
    // Two calls reserved 50 each. One is billed 90; the other one then also uses what it had reserved.
    let mut overrun = desk.entry(1, 90, &[1]);
    overrun.record.charge.why = Why::Overrun;
    desk.insert(&[overrun]).await;
    let standing = desk.standing().await;
    assert_eq!((standing.blocked, standing.spent, standing.overrun), (true, 90, 0), "within the lease still");
    desk.insert(&[desk.entry(2, 50, &[1])]).await;
    let standing = desk.standing().await;
    assert_eq!((standing.spent, standing.allocated, standing.overrun), (140, 140, 40));
    desk.verified().await;
    assert_eq!(desk.grow(&held(&ask, &first, 2)).await.answer, Answer::Blocked);
    assert_eq!(desk.grow(&desk.ask(2, 1)).await.answer, Answer::Blocked, "whoever asks");

    let permit = permit(desk.f.organization.id, Action::UpdateOrganization);
    let mut tx = desk.store.begin().await.unwrap();
    assert!(standings::unblock(&mut tx, &permit, ask.budget.id).await.unwrap());
    assert!(!standings::unblock(&mut tx, &permit, ask.budget.id).await.unwrap(), "once");
    tx.commit(&desk.f.event(permit, 90)).await.unwrap();
    let grown = desk.grow(&held(&ask, &first, 3)).await;
    assert_eq!((grown.answer, grown.lease.amount), (Answer::Granted(100), 240));
    let told = Ask { overrun: true, ..held(&ask, &first, 4) };
    assert_eq!(
        desk.grow(&told).await.answer,
        Answer::Blocked,
        "the node says it before its entry is written"
    );
    assert!(desk.standing().await.blocked);
    desk.verified().await;
}

async fn a_period_that_turned_is_lived_from_a_new_lease(desk: Desk) {
    desk.limit(Some(1_000)).await;
    let ask = desk.ask(1, 600);
    let first = desk.grow(&ask).await;
    desk.insert(&[desk.entry(1, 200, &[1])]).await;
    let before = desk.standing().await;
    desk.clock.advance(86_400);
    // The node has not seen the day turn: it hears that its lease is of before, and gets nothing on it.
    let stale = desk.grow(&held(&ask, &first, 2)).await;
    assert_eq!(
        (stale.answer, stale.lease.amount, stale.period.starts),
        (Answer::Repeated, 600, first.period.starts)
    );
    assert!(stale.period.ends <= stale.at, "its period is over");
    // Nor on one that was made before and that it never heard of.
    let unheard = desk.grow(&ask).await;
    assert_eq!((unheard.answer, unheard.period), (Answer::Repeated, stale.period));
    let fresh = desk.grow(&desk.ask(2, 600)).await;
    assert_eq!((fresh.answer, fresh.spent, fresh.left), (Answer::Granted(600), 600, 400));
    assert_eq!(fresh.period.starts, first.period.ends, "no gap");
    // What is left of the day before comes back to it, and changes nothing of today.
    let mut late = desk.entry(2, 100, &[1]);
    late.record.at = first.at;
    desk.insert(&[late]).await;
    desk.shrink(1, 2, 300).await;
    desk.close(1).await;
    let today = desk.standing().await;
    assert_eq!((today.period, today.allocated, today.spent), (fresh.period, 600, 0));
    let yesterday = standings::running(&desk.store, first.at).await.unwrap();
    let yesterday = yesterday.iter().find(|s| s.period == before.period).unwrap();
    assert_eq!((yesterday.allocated, yesterday.spent, yesterday.leased), (300, 300, 0));
    desk.verified().await;
}

async fn a_limit_in_the_middle_of_a_period_counts_what_was_used(desk: Desk) {
    let ask = desk.ask(1, 100);
    assert_eq!(desk.grow(&ask).await.answer, Answer::Unlimited);
    desk.insert(&[desk.entry(1, 300, &[])]).await;
    desk.clock.advance(4000);
    desk.insert(&[desk.entry(2, 400, &[])]).await;
    desk.limit(Some(1_000)).await;
    let ask = desk.ask(2, 100);
    let first = desk.grow(&ask).await;
    assert_eq!((first.answer, first.left, first.spent), (Answer::Granted(100), 200, 800));
    desk.insert(&[desk.entry(3, 60, &[2])]).await;
    // Without a limit for a while; what is on leases counts once when it is back.
    desk.limit(None).await;
    assert_eq!(desk.grow(&held(&ask, &first, 2)).await.answer, Answer::Unlimited);
    desk.insert(&[desk.entry(4, 50, &[])]).await;
    desk.limit(Some(1_000)).await;
    let refused =
        desk.grow(&Ask { wish: Wish { least: 200, all: 200, nodes: 1 }, ..held(&ask, &first, 3) }).await;
    assert_eq!(refused.answer, Answer::Short { left: 150 });
    let standing = desk.standing().await;
    assert_eq!((standing.allocated, standing.spent, standing.leased), (850, 810, 40));
    desk.verified().await;
    // A limit below what was used gives nothing; raised, it gives the difference.
    desk.limit(Some(500)).await;
    assert_eq!(desk.grow(&held(&ask, &first, 4)).await.answer, Answer::Short { left: 0 });
    desk.limit(Some(950)).await;
    assert_eq!(desk.grow(&held(&ask, &first, 5)).await.answer, Answer::Granted(100));
    desk.verified().await;
}

fn found_call(
    desk: &Desk,
    epoch: i64,
    number: u8,
    lease: u32,
    bound: i64,
    settled: Option<i64>,
) -> FoundCall {
    let reserved = Recorded {
        request_id: RequestId::from_bytes([number; 16]),
        key_id: desk.f.key.id,
        at: desk.clock.now(),
        bound: Bound {
            input: 10,
            output: 5,
            cost: Money::from_nanos(bound),
            plausible: 1000,
            ..Bound::default()
        },
        price_version: 1,
        endpoint: EndpointKind::Chat,
        model: "mistral-small-2603".into(),
        role: String::new(),
        would_refuse: false,
        holds: vec![Hold { lease, kind: KIND }],
    };
    let settled = settled.map(|cost| Settled {
        charge: Charge {
            tokens: Tokens { input: 10, cached: 0, output: 1 },
            units: Units::default(),
            terms: Terms::default(),
            cost: Money::from_nanos(cost),
            why: Why::Metered,
        },
        status: 200,
        first_byte_micros: 1,
        total_micros: 2,
        client_left: false,
    });
    FoundCall { epoch, reserved, settled }
}

async fn what_a_dead_process_left_is_closed_or_stranded(desk: Desk) {
    desk.limit(Some(10_000)).await;
    // Three processes of the node: 11 is known whole, 12 not, of 13 no journal is left. 14 lives.
    for epoch in 11..=14 {
        let ask = desk.ask_of(epoch, 1, 1_000);
        assert_eq!(desk.grow_of(epoch, &ask).await.answer, Answer::Granted(1_000));
    }
    let mut found = Found::default();
    found.calls = vec![
        found_call(&desk, 11, 1, 1, 300, Some(120)),
        found_call(&desk, 11, 2, 1, 400, None),
        found_call(&desk, 12, 3, 1, 250, None),
    ];
    let mut unknown_key = found_call(&desk, 11, 4, 1, 100, None);
    unknown_key.reserved.key_id = KeyId::from_bytes([77; 16]);
    found.calls.push(unknown_key);
    found.processes = [(11, true), (12, false)].into();
    let node = NodeId::from_bytes([1; 16]);
    let recovered = recovery::recover(&desk.store, node, 14, &found).await.unwrap();
    assert_eq!((recovered.calls, recovered.closed, recovered.stranded), (3, 1, 2));
    let after = desk.standing().await;
    // 520 of 11 used, the rest of it back; of 12 and 13 all is still given out.
    assert_eq!((after.spent, after.leased, after.stranded), (120 + 400 + 250, 1_000, 750 + 1_000));
    assert_eq!(after.allocated, 520 + 1_000 + 1_000 + 1_000);
    desk.verified().await;
    let again = recovery::recover(&desk.store, node, 14, &found).await.unwrap();
    assert_eq!((again.closed, again.stranded), (0, 0));
    assert_eq!(desk.standing().await, after, "done again it changes nothing");
    assert_ne!(again, Recovered::default());

    let permit = permit(desk.f.organization.id, Action::UpdateOrganization);
    let mut tx = desk.store.begin().await.unwrap();
    let other = louver_domain::id::BudgetId::from_bytes([9; 16]);
    assert_eq!(recovery::release(&mut tx, &permit, Some(other)).await.unwrap().len(), 0);
    let released = recovery::release(&mut tx, &permit, None).await.unwrap();
    assert_eq!(released.iter().map(|lease| lease.amount).sum::<i64>(), 1_750);
    assert_eq!(recovery::release(&mut tx, &permit, None).await.unwrap().len(), 0, "once");
    tx.commit(&desk.f.event(permit, 91)).await.unwrap();
    let freed = desk.standing().await;
    assert_eq!((freed.allocated, freed.stranded, freed.spent), (770 + 1_000, 0, 770));
    desk.verified().await;
}

async fn a_changed_time_zone_waits_for_the_next_period(desk: Desk) {
    desk.limit(Some(1_000)).await;
    let utc = desk.grow(&desk.ask(1, 100)).await;
    let in_zone = |number, zone: &str| Ask { budget: desk.budget_in(zone), ..desk.ask(number, 100) };
    let moved = desk.grow(&in_zone(2, "Pacific/Auckland")).await;
    assert_eq!(moved.period, utc.period, "the day that runs is lived to its end");
    assert_eq!((moved.answer, moved.left), (Answer::Granted(100), 800));
    desk.clock.advance(86_400);
    let next = desk.grow(&in_zone(3, "Pacific/Auckland")).await;
    assert_eq!(next.period.starts, utc.period.ends, "and the next one begins where it ended");
    let ends = Timestamp::parse("2026-11-22T11:00:00Z").unwrap();
    assert_eq!((next.period.ends, next.left), (ends, 900), "midnight in Auckland");
    desk.verified().await;
}

async fn a_clock_set_back_keeps_the_newer_period(desk: Desk) {
    desk.limit(Some(1_000)).await;
    let ask = desk.ask(1, 100);
    let first = desk.grow(&ask).await;
    desk.clock.advance(86_400);
    let second = desk.grow(&desk.ask(2, 100)).await;
    assert_ne!(second.period, first.period);
    desk.clock.advance(-86_400);
    let third = desk.grow(&held(&desk.ask(2, 100), &second, 2)).await;
    assert_eq!((third.answer, third.period), (Answer::Granted(100), second.period));
    let Period { starts, ends } = desk.grow(&held(&ask, &first, 2)).await.period;
    assert_eq!(starts, first.period.starts);
    assert!(ends <= desk.clock.now(), "a lease of the older one is over, whatever the clock says");
    assert_eq!(standings::running(&desk.store, desk.clock.now()).await.unwrap().len(), 2);
    desk.verified().await;
}
