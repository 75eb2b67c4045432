//! No budget is ever exceeded by what upstream bills: the real program, many clients, kills, and the simulator's books.
//!
//! `cargo run -p louver-proving -- seed 42` runs one seed of these, and longer ones.

use louver_domain::money::Money;
use louver_proving::cluster::Cluster;
use louver_proving::database;
use louver_proving::faults::Blow;
use louver_proving::installation::Database;
use louver_proving::run::{Order, Report, crash_loop, full_disk, run};
use louver_proving::scene::Scene;
use louver_proving::workload::Mix;

async fn clean(order: &Order) -> Report {
    let report = run(order, None).await;
    report.assert_clean();
    report
}

fn on_postgres(order: Order, nodes: usize) -> Order {
    Order { database: Database::Postgres(database::postgres()), nodes, ..order }
}

/// One dollar is used almost to the last cent, by the books of the one who bills.
fn assert_a_dollar(report: &Report) {
    let billed = report.billed;
    assert!((970_000_000..=1_000_000_000).contains(&billed), "{billed} nano-dollars of a dollar\n{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_at_once_a_budget_for_one_lets_one_through() {
    for seed in 1..=3 {
        // A call costs about 0.0003 dollars, and its bound is a little more.
        let budget = Money::parse_usd("0.00045").unwrap();
        let mix = Mix { tokens: (500, 500), ..Mix::exact() };
        let order = Order::new(seed, 50, 50, mix, Scene::Workspace { budget, keys: 5 });
        let report = clean(&Order { until_spent: true, ..order }).await;
        assert_eq!(report.tally.ended("200"), 1, "{report}");
        assert_eq!(report.tally.ended("429 budget_exhausted"), 49, "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dollar_under_200_clients_is_spent_and_not_a_nano_more() {
    assert_a_dollar(&clean(&Order::dollar(1, 200, 0)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dollar_is_a_dollar_also_when_the_process_is_killed_ten_times() {
    // At most 40 calls in flight at each of ten kills, of at most 65 millionths: less than three cents are charged and
    // never billed, however the kills fall.
    let report = clean(&Order::dollar(2, 40, 10)).await;
    assert_eq!(report.restarts.len(), 10, "{report}");
    assert_a_dollar(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_clients_and_upstream_do_the_books_agree() {
    for seed in [3, 5, 8] {
        clean(&Order::wild(seed, 40, 600)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_agree_with_kills_and_pauses_on_the_way() {
    for seed in [13, 21] {
        let blows = vec![(Blow::Kill, 2), (Blow::Stumble, 1), (Blow::Pause, 1)];
        clean(&Order { blows, ..Order::wild(seed, 40, 600) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_go_down_and_up_under_load_are_held() {
    let order = Order::dollar(610, 50, 0);
    clean(&Order { blows: vec![(Blow::TurnLimits, 6)], ..order }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_postgres_share_a_dollar() {
    assert_a_dollar(&clean(&on_postgres(Order::dollar(34, 50, 0), 2)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_postgres_agree_with_kills_on_the_way() {
    let blows = vec![(Blow::Kill, 3)];
    clean(&on_postgres(Order { blows, ..Order::wild(55, 40, 600) }, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_restarts_and_is_locked_costs_no_budget() {
    let cluster = Cluster::start().await;
    let order = Order {
        database: Database::Postgres(cluster.url().to_owned()),
        blows: vec![(Blow::RestartDatabase, 2), (Blow::LockLedger, 1)],
        ..Order::wild(89, 40, 600)
    };
    run(&order, Some(&cluster)).await.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_lost_with_the_process_strands_and_frees_nothing() {
    clean(&Order { blows: vec![(Blow::Lose, 2)], ..Order::wild(144, 40, 600) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_each_kill_the_books_agree() {
    crash_loop(&Order::dollar(233, 20, 0), 5).await.assert_clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_calls_and_costs_no_budget() {
    full_disk(&Order::steady(377, 10, 600)).await.assert_clean();
}
