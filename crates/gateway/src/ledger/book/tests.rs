//! Answers of the store that meet a book which has changed since it asked.

use super::*;
use louver_domain::budgets::{BudgetKind, Scope};
use louver_domain::calendar::{Window, Zone};
use louver_domain::id::LeaseId;
use louver_domain::ledger::Lease;
use louver_domain::limits::{Level, Limits};
use louver_domain::money::Money;
use louver_domain::time::Timestamp;

const NOW: i64 = 1_000_000_000;

fn budget(nanos: i64) -> Arc<Budget> {
    let limits = Limits { hourly_budget_usd: Some(Money::from_nanos(nanos)), ..Limits::default() };
    let budgets = Budget::of_limits(&Scope::of(Level::Key, [1; 16]), &limits, &Zone::default());
    let [budget] = budgets.try_into().unwrap();
    assert_eq!(budget.kind, BudgetKind::HourlyUsd);
    Arc::new(budget)
}

/// The answer that a lease now has that amount, by its change of that number; some minutes before the hour ends.
fn reply(amount: i64, sequence: i64, answer: Answer) -> Reply {
    let at = Timestamp::parse("2026-11-21T10:50:00Z").unwrap();
    let lease = Lease { amount, used: 0, sequence, open: true };
    let period = Window::Hour.period(&Zone::default(), at);
    Reply { lease_id: LeaseId::of(1, 1), lease, period, answer, spent: 0, left: 1000, at }
}

const fn asked(lease: u32) -> Asked {
    Asked { lease, overruns: 0 }
}

fn in_hand(book: &Book) -> i64 {
    book.older.iter().chain(&book.current).map(|held| held.slice.left).sum()
}

/// A book with one lease, number 1, of 100, of which a call holds 60.
fn book() -> Book {
    let mut book = Book::new(budget(1000));
    book.take_in(asked(1), &reply(100, 1, Answer::Granted(100)), NOW);
    assert_eq!(book.reserve(60), Some(1));
    book
}

#[test]
fn an_answer_for_a_lease_that_was_let_go_of_is_not_taken_in_hand_twice() {
    let mut book = book();
    book.set(&budget(900));
    assert!(book.current.is_none(), "a changed limit lets go");
    book.take_in(asked(1), &reply(110, 2, Answer::Granted(10)), NOW);
    assert!(book.current.is_none());
    assert_eq!(in_hand(&book), 50, "the 40 that were free and the 10 that came");
    assert_eq!(book.held(1).unwrap().slice.amount(), 110);
}

#[test]
fn an_answer_from_before_an_overrun_does_not_let_the_node_go_on() {
    let mut book = book();
    let told = Asked { lease: 1, overruns: 0 };
    book.suspend();
    book.take_in(told, &reply(200, 2, Answer::Granted(100)), NOW);
    assert!(matches!(book.ready(1, NOW), Ready::Short), "the store must be told first");
    assert_eq!(book.overruns, 1);
    let told = Asked { lease: 1, overruns: 1 };
    book.suspend();
    book.take_in(told, &reply(200, 3, Answer::Blocked), NOW);
    assert!(matches!(book.ready(1, NOW), Ready::No(_)));
    assert_eq!(book.overruns, 1, "the second has yet to be told");
    book.take_in(told, &reply(210, 4, Answer::Granted(10)), NOW);
    assert!(matches!(book.ready(1, NOW), Ready::Yes { .. }), "a person has looked");
}

#[test]
fn a_limit_that_was_gone_for_a_moment_holds_again() {
    let mut book = Book::new(budget(1000));
    book.take_in(asked(1), &reply(0, 1, Answer::Unlimited), NOW);
    assert!(matches!(book.ready(1, NOW), Ready::Lifted));
    assert!(matches!(book.ready(1, NOW + DENIAL_MICROS), Ready::Short), "the store's word grows old");
    book.take_in(asked(1), &reply(0, 2, Answer::Unlimited), NOW);
    book.set(&budget(1000));
    assert!(matches!(book.ready(1, NOW), Ready::Short), "the rules name it again, at the same height");
}

#[test]
fn an_answer_that_the_period_is_over_ends_the_lease() {
    let mut book = book();
    let at = Timestamp::parse("2026-11-21T11:00:00Z").unwrap();
    let over = Reply { at, ..reply(500, 1, Answer::Repeated) };
    book.take_in(asked(1), &over, NOW);
    assert!(matches!(book.ready(1, NOW), Ready::Short), "nothing is taken of it any more");
    assert_eq!(in_hand(&book), 40, "and nothing more in hand");
}

#[test]
fn a_refusal_says_whether_waiting_helps() {
    let state = |book: &Book, need| match book.ready(need, NOW) {
        Ready::No(refusal) => refusal.state,
        other => panic!("{other:?}"),
    };
    let short = |spent, sequence| Reply { spent, left: 0, ..reply(100, sequence, Answer::Short { left: 0 }) };
    let mut book = Book::new(budget(100));
    book.take_in(asked(1), &reply(100, 1, Answer::Granted(100)), NOW);
    book.reserve(80).unwrap();
    assert!(matches!(book.ready(30, NOW), Ready::Short), "the store was not asked yet");
    book.take_in(asked(1), &short(0, 2), NOW);
    assert_eq!(state(&book, 30), BudgetState::Reserved, "80 are in flight and may come back");
    book.held(1).unwrap().slice.settle(80, 80);
    assert_eq!(state(&book, 30), BudgetState::Exhausted, "80 are spent");
    assert!(matches!(book.ready(20, NOW), Ready::Yes { .. }), "the last 20 can be used");
}
