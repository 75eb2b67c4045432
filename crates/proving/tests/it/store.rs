//! The contract of the store: every query, on both engines.

use crate::fixtures::{Fixture, permit, record};
use louver_domain::access::Action;
use louver_domain::calendar::Window;
use louver_domain::id::OrganizationId;
use louver_domain::keys::{KeyStatus, Owner};
use louver_domain::money::Money;
use louver_domain::old_secrets::LastUse;
use louver_domain::prices::{Price, ToolPrice};
use louver_domain::time::Timestamp;
use louver_domain::users::{Membership, ServiceAccount};
use louver_proving::clock::ManualClock;
use louver_store::ledger::entries::{self, Entry, Holds};
use louver_store::models::PricedTool;
use louver_store::old_secrets::{Of, Use};
use louver_store::usage::history::History;
use louver_store::usage::{GroupBy, Whose};
use louver_store::{
    Store, StoreError, admin_keys, audit, keys, model_roles, models, old_secrets, organizations, revision,
    service_accounts, snapshot, upstreams, usage, users, workspaces,
};

contract! {
    migrating_twice_changes_nothing
    every_noun_reads_back_as_written
    names_are_unique_and_references_hold
    lists_of_keys_are_filtered_and_paged
    keys_are_found_by_a_part_of_their_name_or_their_end
    a_commit_bumps_the_revision_and_leaves_its_event
    a_transaction_without_commit_changes_nothing
    usage_is_summed_by_hour_and_group
    past_calls_are_read_in_the_order_of_time
    last_used_never_goes_back
    the_catalogue_is_replaced_whole
    what_is_loaded_changed_and_saved_reads_back
}

/// A database whose time stands still.
pub async fn open(url: &str) -> Store {
    let clock = std::sync::Arc::new(ManualClock::at("2026-11-21T02:31:58Z"));
    Store::open(url, clock.clone()).await.unwrap().by_clock(clock)
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    assert_eq!(store.migrate().await.unwrap(), 14);
    store
}

async fn migrating_twice_changes_nothing(store: Store) {
    assert_eq!(store.migrate().await.unwrap(), 0);
    let (a, b) = tokio::join!(store.migrate(), store.migrate());
    assert_eq!((a.unwrap(), b.unwrap()), (0, 0));
    assert_eq!(revision::current(&store).await.unwrap(), 0);
}

async fn every_noun_reads_back_as_written(store: Store) {
    let f = Fixture::write(&store).await;
    let organization = organizations::get(&store, f.organization.id).await.unwrap().unwrap();
    assert_eq!(format!("{organization:?}"), format!("{:?}", f.organization));
    assert_eq!(organizations::list(&store).await.unwrap().len(), 1);
    let workspace = workspaces::get(&store, f.organization.id, f.workspace.id).await.unwrap().unwrap();
    assert_eq!(format!("{workspace:?}"), format!("{:?}", f.workspace));
    assert_eq!(
        format!("{:?}", workspaces::list(&store, f.organization.id).await.unwrap()),
        format!("{:?}", [&f.workspace])
    );
    assert_eq!(
        format!("{:?}", users::list(&store, f.organization.id).await.unwrap()),
        format!("{:?}", [&f.user])
    );
    assert_eq!(
        format!("{:?}", service_accounts::list(&store, f.organization.id).await.unwrap()),
        format!("{:?}", [&f.account])
    );
    let key = keys::get(&store, f.organization.id, f.key.id).await.unwrap().unwrap();
    assert_eq!(format!("{key:?}"), format!("{:?}", f.key));
    let admin = admin_keys::find(&store, f.admin_key.public_id).await.unwrap().unwrap();
    assert_eq!(format!("{admin:?}"), format!("{:?}", f.admin_key));
    assert_eq!(admin_keys::list(&store, f.organization.id).await.unwrap().len(), 1);
    assert_eq!(model_roles::list(&store, f.organization.id).await.unwrap(), vec![f.role.clone()]);
    assert_eq!(
        format!("{:?}", upstreams::list(&store, f.organization.id).await.unwrap()),
        format!("{:?}", [&f.upstream])
    );
    let rules = snapshot::load(&store).await.unwrap();
    assert_eq!(
        (rules.revision, rules.keys.len(), rules.member_roles.len(), rules.upstreams.len()),
        (1, 1, 1, 1)
    );
    assert_eq!(rules.member_roles.get(&(f.workspace.id, f.user.id)).map(String::as_str), Some("analyst"));
    let foreign = OrganizationId::from_bytes([9; 16]);
    assert!(keys::get(&store, foreign, f.key.id).await.unwrap().is_none(), "always within the organization");
    assert!(workspaces::get(&store, foreign, f.workspace.id).await.unwrap().is_none());
}

async fn names_are_unique_and_references_hold(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::CreateWorkspace);
    let mut tx = store.begin().await.unwrap();
    let twin = louver_domain::workspaces::Workspace {
        id: louver_domain::id::WorkspaceId::from_bytes([7; 16]),
        ..f.workspace.clone()
    };
    assert!(matches!(workspaces::insert(&mut tx, &permit, &twin).await, Err(StoreError::Conflict)));
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    let orphan = louver_domain::keys::ApiKey {
        id: louver_domain::id::KeyId::from_bytes([7; 16]),
        workspace_id: twin.id,
        public_id: louver_domain::keys::PublicId::parse("orphanorphan").unwrap(),
        ..f.key.clone()
    };
    let inserted = keys::insert(&mut tx, &permit, &orphan).await;
    assert!(matches!(inserted, Err(StoreError::Conflict)), "{inserted:?}");
}

async fn lists_of_keys_are_filtered_and_paged(store: Store) {
    let f = Fixture::write(&store).await;
    let now = f.at.plus_seconds(100);
    let permit = permit(f.organization.id, Action::CreateApiKey);
    let mut tx = store.begin().await.unwrap();
    for number in 1..=4_u8 {
        let mut key = f.key.clone();
        key.id = louver_domain::id::KeyId::from_bytes([0xf0 + number; 16]);
        key.public_id = louver_domain::keys::PublicId::parse(&format!("key{number:09}")).unwrap();
        key.name = format!("key-{number}");
        key.owner = Owner::Workspace;
        key.status = match number {
            2 => KeyStatus::Disabled,
            4 => KeyStatus::Revoked,
            _ => KeyStatus::Active,
        };
        key.expires_at = (number == 3).then(|| f.at.plus_seconds(50));
        keys::insert(&mut tx, &permit, &key).await.unwrap();
    }
    tx.commit(&f.event(permit, 50)).await.unwrap();
    let names = async |filter: keys::Filter, limit| {
        let page = keys::list(&store, f.organization.id, filter, limit, now).await.unwrap();
        page.into_iter().map(|k| k.name).collect::<Vec<_>>()
    };
    let all = || keys::Filter::default();
    assert_eq!(names(all(), 10).await, ["first", "key-1", "key-2", "key-3"]);
    assert_eq!(names(keys::Filter { after: Some(f.key.id), ..all() }, 2).await, ["key-1", "key-2"]);
    assert_eq!(names(keys::Filter { status: Some("disabled".into()), ..all() }, 10).await, ["key-2"]);
    assert_eq!(names(keys::Filter { status: Some("revoked".into()), ..all() }, 10).await, ["key-4"]);
    assert_eq!(names(keys::Filter { status: Some("expired".into()), ..all() }, 10).await, ["key-3"]);
    assert_eq!(names(keys::Filter { status: Some("active".into()), ..all() }, 10).await, ["first", "key-1"]);
    assert_eq!(names(keys::Filter { name: Some("key-1".into()), ..all() }, 10).await, ["key-1"]);
    assert_eq!(names(keys::Filter { name: Some("%".into()), ..all() }, 10).await, Vec::<String>::new());
    assert_eq!(names(keys::Filter { workspace: Some(f.workspace.id), ..all() }, 10).await.len(), 4);
    assert_eq!(names(keys::Filter { unused_since: Some(f.at), ..all() }, 10).await, Vec::<String>::new());
    assert_eq!(names(keys::Filter { unused_since: Some(f.at.plus_seconds(1)), ..all() }, 10).await.len(), 4);
}

async fn keys_are_found_by_a_part_of_their_name_or_their_end(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::CreateApiKey);
    let mut tx = store.begin().await.unwrap();
    for (number, name, last_four) in [
        (1_u8, "\u{c9}quipe 50%_a", "Ug6Y"),
        (2, "batch", "aBcD"),
        (3, "ug6y too", "zzzz"),
        (4, "gone abcd", "ABCD"),
        (5, "back\\slash", "0000"),
    ] {
        let mut key = f.key.clone();
        key.id = louver_domain::id::KeyId::from_bytes([0xf0 + number; 16]);
        key.public_id = louver_domain::keys::PublicId::parse(&format!("key{number:09}")).unwrap();
        (key.name, key.last_four) = (name.into(), last_four.into());
        key.owner = if number == 2 { Owner::Workspace } else { key.owner };
        key.status = if number == 4 { KeyStatus::Revoked } else { KeyStatus::Active };
        keys::insert(&mut tx, &permit, &key).await.unwrap();
    }
    tx.commit(&f.event(permit, 50)).await.unwrap();
    let found = async |text: &str, filter: keys::Filter, limit| {
        let filter = keys::Filter { search: Some(text.into()), ..filter };
        let page = keys::list(&store, f.organization.id, filter, limit, f.at).await.unwrap();
        page.into_iter().map(|k| k.name).collect::<Vec<_>>()
    };
    let all = || keys::Filter::default();
    // Narrowed or not, a search finds the same.
    for filter in [all(), keys::Filter { workspace: Some(f.workspace.id), ..all() }] {
        for (text, names) in [
            ("EQUIPE", vec!["\u{c9}quipe 50%_a"]),
            ("0%_", vec!["\u{c9}quipe 50%_a"]),
            ("%", vec!["\u{c9}quipe 50%_a"]),
            ("k\\s", vec!["back\\slash"]),
            ("UG6Y", vec!["\u{c9}quipe 50%_a", "ug6y too"]),
            ("abcd", vec!["batch"]),
            ("bcd", vec![]),
            ("nowhere", vec![]),
        ] {
            assert_eq!(found(text, filter.clone(), 10).await, names, "{text} {filter:?}");
        }
        assert_eq!(found("", filter.clone(), 10).await.len(), 5);
        assert_eq!(found("ug6y", keys::Filter { offset: 1, ..filter.clone() }, 1).await, ["ug6y too"]);
        assert_eq!(found("a", keys::Filter { offset: 2, ..filter.clone() }, 10).await, ["back\\slash"]);
        assert_eq!(
            found("a", keys::Filter { offset: u64::MAX, ..filter.clone() }, 10).await,
            Vec::<String>::new()
        );
        assert_eq!(found("a", filter, 0).await, Vec::<String>::new());
    }
    assert_eq!(found("a", keys::Filter { owner: Some(f.user.id), ..all() }, 10).await.len(), 2);
    let first = keys::Filter { after: Some(f.key.id), ..all() };
    assert_eq!(found("", first, 1).await, ["\u{c9}quipe 50%_a"]);
    assert_eq!(keys::names(&store, f.organization.id).await.unwrap().len(), 6, "revoked ones too");
}

async fn a_commit_bumps_the_revision_and_leaves_its_event(store: Store) {
    let f = Fixture::write(&store).await;
    let mut commits = store.commits();
    assert_eq!(*commits.borrow_and_update(), 1);
    let permit = permit(f.organization.id, Action::UpdateOrganization);
    let mut tx = store.begin().await.unwrap();
    let changed =
        louver_domain::organizations::Organization { billing_active: false, ..f.organization.clone() };
    organizations::save(&mut tx, &permit, &changed).await.unwrap();
    assert_eq!(tx.commit(&f.event(permit, 60)).await.unwrap(), 2);
    assert_eq!(*commits.borrow_and_update(), 2);
    assert_eq!(revision::current(&store).await.unwrap(), 2);
    assert!(!organizations::get(&store, f.organization.id).await.unwrap().unwrap().billing_active);
    let events = audit::newest(&store, f.organization.id, 10).await.unwrap();
    assert_eq!(
        events.iter().map(|e| e.action.as_str()).collect::<Vec<_>>(),
        ["organization.update", "organization.create"]
    );
    assert!(events[0].sequence > events[1].sequence);
}

async fn a_transaction_without_commit_changes_nothing(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::DeleteModelRole);
    let mut tx = store.begin().await.unwrap();
    model_roles::delete(&mut tx, &permit, "analyst").await.unwrap();
    upstreams::delete(&mut tx, &permit, f.upstream.id).await.unwrap();
    drop(tx);
    assert_eq!(model_roles::list(&store, f.organization.id).await.unwrap().len(), 1);
    assert_eq!(upstreams::list(&store, f.organization.id).await.unwrap().len(), 1);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(
        model_roles::holders(&mut tx, f.organization.id, "analyst").await.unwrap(),
        2,
        "a member and a service account"
    );
    users::save_membership(&mut tx, &permit, &f.membership(None)).await.unwrap();
    let account = ServiceAccount { role: None, ..f.account.clone() };
    service_accounts::save(&mut tx, &permit, &account).await.unwrap();
    assert_eq!(model_roles::holders(&mut tx, f.organization.id, "analyst").await.unwrap(), 0);
}

async fn usage_is_summed_by_hour_and_group(store: Store) {
    let f = Fixture::write(&store).await;
    let at = Timestamp::parse("2026-11-21T10:59:59Z").unwrap();
    // More than one statement's worth, over two hours; some come twice, and count once.
    let records: Vec<_> = (0..300_u32).map(|n| record(&f, n, at.plus_seconds(i64::from(n % 2)))).collect();
    let records: Vec<Entry> =
        records.into_iter().map(|record| Entry { record, epoch: 0, holds: Holds::new() }).collect();
    entries::insert(&store, &records[..290]).await.unwrap();
    entries::insert(&store, &records[200..]).await.unwrap();
    entries::insert(&store, &records[..1]).await.unwrap();
    let sums = async |by: GroupBy| {
        let (from, to) = (Timestamp::parse("2026-11-21").unwrap(), Timestamp::parse("2026-11-22").unwrap());
        usage::sums(&store, f.organization.id, from, to, Whose::default(), by).await.unwrap()
    };
    let all = sums(GroupBy::default()).await;
    let total = all.values().next().unwrap();
    assert_eq!(
        (all.len(), total.requests, total.tokens.input, total.cost),
        (1, 300, 3000, Money::from_nanos(300 * 1500))
    );
    assert_eq!(total.estimated, 100);
    let hours = sums(GroupBy { granularity: Some(Window::Hour), ..GroupBy::default() }).await;
    assert_eq!(hours.values().map(|s| s.requests).collect::<Vec<_>>(), [150, 150]);
    let days = sums(GroupBy {
        granularity: Some(Window::Day),
        model: true,
        user: true,
        workspace: true,
        key: true,
        role: true,
        endpoint: true,
    })
    .await;
    assert_eq!(days.len(), 1);
    let group = days.keys().next().unwrap();
    assert_eq!(
        (group.user, group.key, group.model.as_deref()),
        (Some(f.user.id), Some(f.key.id), Some("mistral-small-2603"))
    );
    let other = usage::sums(
        &store,
        OrganizationId::from_bytes([9; 16]),
        at,
        at.plus_seconds(9999),
        Whose::default(),
        GroupBy::default(),
    )
    .await
    .unwrap();
    assert!(other.is_empty());
    let of = async |whose: Whose| {
        let (from, to) = (at.plus_seconds(-9999), at.plus_seconds(9999));
        let by = GroupBy::default();
        let sums = usage::sums(&store, f.organization.id, from, to, whose, by).await.unwrap();
        sums.values().map(|sums| sums.requests).sum::<u64>()
    };
    let strangers = louver_domain::id::UserId::from_bytes([9; 16]);
    assert_eq!(of(Whose { workspace: Some(f.workspace.id), user: Some(f.user.id) }).await, 300);
    assert_eq!(of(Whose { user: Some(strangers), ..Whose::default() }).await, 0);
    let elsewhere = louver_domain::id::WorkspaceId::from_bytes([9; 16]);
    assert_eq!(of(Whose { workspace: Some(elsewhere), ..Whose::default() }).await, 0);
}

async fn past_calls_are_read_in_the_order_of_time(store: Store) {
    let f = Fixture::write(&store).await;
    let start = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
    let millis = |at: Timestamp| u64::try_from(at.micros() / 1000).unwrap();
    // More than two pages: a call each 10 ms; each seventh was admitted five minutes after its id was made.
    let mut records: Vec<_> = (0..4500_u32)
        .map(|n| {
            let made = start.plus_seconds(i64::from(n / 100));
            let late = if n % 7 == 0 { 300 } else { 0 };
            let mut one = record(&f, n, made.plus_seconds(late));
            let mut id = [0; 16];
            id[..6].copy_from_slice(&millis(made).to_be_bytes()[2..]);
            id[6..10].copy_from_slice(&n.to_be_bytes());
            one.request_id = louver_domain::id::RequestId::from_bytes(id);
            one
        })
        .collect();
    records[3].organization_id = OrganizationId::from_bytes([9; 16]);
    records[4].role = Some("analyst".into());
    records[4].user_id = None;
    let entries: Vec<Entry> =
        records.iter().cloned().map(|record| Entry { record, epoch: 0, holds: Holds::new() }).collect();
    entries::insert(&store, &entries).await.unwrap();
    let read = async |from: Timestamp, to: Timestamp| {
        let mut history = History::new(f.organization.id, from, to);
        let mut all = vec![];
        loop {
            let page = history.next(&store).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    };
    let all = read(start, start.plus_seconds(3600)).await;
    assert_eq!(all.len(), 4499, "the other organization's is not there");
    assert!(all.is_sorted_by_key(|call| call.at));
    let one = all.iter().find(|call| call.request_id == records[4].request_id).unwrap();
    assert_eq!((one.user_id, one.role.as_deref()), (None, Some("analyst")));
    assert_eq!(
        (one.key_id, one.workspace_id, one.tokens),
        (f.key.id, f.workspace.id, records[4].charge.tokens)
    );
    assert_eq!((one.cost, one.total_micros, &*one.model), (records[4].charge.cost, 2, "mistral-small-2603"));
    // From is in, to is not, and what was admitted late is found by its admission.
    let part = read(start.plus_seconds(10), start.plus_seconds(12)).await;
    assert!(part.iter().all(|call| (10..12).contains(&(call.at.seconds() - start.seconds()))));
    assert_eq!(part.len(), (1000..1200).filter(|n| n % 7 > 0).count());
    let late = read(start.plus_seconds(300), start.plus_seconds(400)).await;
    assert_eq!(late.len(), (0..4500).filter(|n| n % 7 == 0).count());
    assert!(read(start.plus_seconds(400), start.plus_seconds(500)).await.is_empty());
}

async fn last_used_never_goes_back(store: Store) {
    let f = Fixture::write(&store).await;
    for seconds in [9, 5] {
        let last = LastUse { at: f.at.plus_seconds(seconds), address: None, client: None };
        let used = Use { key: Of::Api(f.key.id), public_id: f.key.public_id, last };
        old_secrets::save_last_used(&store, &[used]).await.unwrap();
    }
    let key = keys::get(&store, f.organization.id, f.key.id).await.unwrap().unwrap();
    assert_eq!(key.last_used_at, Some(f.at.plus_seconds(9)));
    assert_eq!(revision::current(&store).await.unwrap(), 1, "it is no admin deed");
}

async fn the_catalogue_is_replaced_whole(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::UpdateModel);
    let mut catalogue = models::builtin().unwrap();
    catalogue.models.truncate(2);
    let every = Price {
        usd_per_1000_pages: Some(Money::from_nanos(1)),
        usd_per_1000_annotated_pages: Some(Money::from_nanos(2)),
        usd_per_audio_minute: Some(Money::from_nanos(3)),
        usd_per_mchar: Some(Money::from_nanos(4)),
        usd_per_month_kept: Some(Money::from_nanos(5)),
        priority_percent: 6,
        ..Price::none(f.at)
    };
    catalogue.models[0].prices = vec![every];
    let prices = vec![ToolPrice { effective_from: f.at, usd_per_call: Money::from_nanos(7) }];
    catalogue.tools = vec![PricedTool { tool: "web_search".into(), prices }];
    for round in 70..72 {
        let mut tx = store.begin().await.unwrap();
        models::replace(&mut tx, &permit, &catalogue).await.unwrap();
        tx.commit(&f.event(permit, round)).await.unwrap();
        assert_eq!(models::list(&store).await.unwrap(), catalogue);
    }
}

async fn what_is_loaded_changed_and_saved_reads_back(store: Store) {
    let f = Fixture::write(&store).await;
    let organization = f.organization.id;
    let permit = permit(organization, Action::UpdateApiKey);
    let limits = louver_domain::limits::Limits { requests_per_minute: Some(7), ..Default::default() };
    let mut tx = revision::begin_deed(&store).await.unwrap();
    let mut workspace = workspaces::load(&mut tx, organization, f.workspace.id).await.unwrap().unwrap();
    assert_eq!(workspaces::load_default(&mut tx, organization).await.unwrap().unwrap().id, workspace.id);
    (workspace.name, workspace.archived_at, workspace.limits) = ("renamed".into(), None, limits.clone());
    workspaces::save(&mut tx, &permit, &workspace).await.unwrap();
    let mut key = keys::load(&mut tx, organization, f.key.id).await.unwrap().unwrap();
    (key.name, key.status, key.expires_at, key.allowed_cidrs) =
        ("renamed".into(), KeyStatus::Revoked, None, None);
    keys::save(&mut tx, &permit, &key).await.unwrap();
    let mut user = users::load(&mut tx, organization, f.user.id).await.unwrap().unwrap();
    user.limits = limits.clone();
    users::save(&mut tx, &permit, &user).await.unwrap();
    let mut account = service_accounts::load(&mut tx, organization, f.account.id).await.unwrap().unwrap();
    account.role = None;
    service_accounts::save(&mut tx, &permit, &account).await.unwrap();
    let membership = users::load_membership(&mut tx, workspace.id, user.id).await.unwrap().unwrap();
    users::save_membership(&mut tx, &permit, &Membership { model_role: None, ..membership }).await.unwrap();
    let mut admin = admin_keys::load(&mut tx, organization, f.admin_key.id).await.unwrap().unwrap();
    admin.status = KeyStatus::Revoked;
    admin_keys::save_status(&mut tx, &permit, &admin).await.unwrap();
    let mut upstream = upstreams::load(&mut tx, organization, f.upstream.id).await.unwrap().unwrap();
    (upstream.name, upstream.sealed_key, upstream.enabled) = ("other".into(), vec![9], false);
    upstreams::save(&mut tx, &permit, &upstream).await.unwrap();
    let mut role = model_roles::load(&mut tx, organization, "analyst").await.unwrap().unwrap();
    role.max_tokens_per_request = None;
    model_roles::save(&mut tx, &permit, &role).await.unwrap();
    let mut changed = organizations::load(&mut tx, organization).await.unwrap().unwrap();
    changed.name = "Renamed".into();
    organizations::save(&mut tx, &permit, &changed).await.unwrap();
    tx.commit_all(&[f.event(permit, 80), f.event(permit, 81)]).await.unwrap();

    let rules = snapshot::load(&store).await.unwrap();
    let debug = |value: &dyn std::fmt::Debug| format!("{value:?}");
    assert_eq!((rules.revision, rules.keys.len()), (2, 0), "revoked keys are in no snapshot");
    assert_eq!(debug(&keys::get(&store, organization, key.id).await.unwrap().unwrap()), debug(&key));
    assert_eq!(debug(&rules.workspaces), debug(&[&workspace]));
    assert_eq!(debug(&rules.users), debug(&[&user]));
    assert!(rules.member_roles.is_empty());
    assert_eq!(rules.service_accounts[0].role, None);
    assert_eq!(debug(&admin_keys::list(&store, organization).await.unwrap()), debug(&[&admin]));
    assert_eq!(debug(&rules.upstreams), debug(&[&upstream]));
    assert_eq!(rules.roles, vec![(organization, role)]);
    assert_eq!(debug(&rules.organizations), debug(&[&changed]));
    assert_eq!(audit::newest(&store, organization, 2).await.unwrap().len(), 2);
}
