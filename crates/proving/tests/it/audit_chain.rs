//! The contract of the audit log's store: a chain that many write, that is read fast, and without which nothing changes.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver_domain::access::{Action, Actor, Identity};
use louver_domain::audit::chain::Hash;
use louver_domain::audit::checkpoint::{Checkpoint, SigningKey, Word};
use louver_domain::audit::{AuditEvent, AuditRecord, Outcome};
use louver_domain::id::EventId;
use louver_domain::secret::Secret;
use louver_domain::time::Timestamp;
use louver_store::audit::query::{self, Filter, Page};
use louver_store::audit::{checkpoints, cuts, newest, verify, write};
use louver_store::{Store, StoreError, organizations, revision};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

contract! {
    many_writers_make_one_chain
    what_cannot_be_written_down_is_not_done
    pages_are_what_the_filter_lets_through
    a_cut_is_made_once_and_proved
}

struct Place {
    store: Store,
    url: String,
    f: Fixture,
}

async fn fresh(url: &str) -> Place {
    let store = open(url).await;
    store.migrate().await.unwrap();
    let f = Fixture::write(&store).await;
    Place { store, url: url.to_owned(), f }
}

/// Runs statements that change the schema behind the program's back.
pub(crate) async fn by_hand(url: &str, sql: &'static str) {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// No event can be written from now on.
pub(crate) async fn jam(url: &str) {
    let sql = match url.starts_with("sqlite:") {
        true => "CREATE TRIGGER jam BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'jammed'); END",
        false => "ALTER TABLE audit_events ADD CONSTRAINT jam CHECK (place < 0) NOT VALID",
    };
    by_hand(url, sql).await;
}

/// Events can be written again.
pub(crate) async fn clear(url: &str) {
    let sql = match url.starts_with("sqlite:") {
        true => "DROP TRIGGER jam",
        false => "ALTER TABLE audit_events DROP CONSTRAINT jam",
    };
    by_hand(url, sql).await;
}

fn key() -> SigningKey {
    SigningKey::from_seed(&Secret::new([5; 32])).unwrap()
}

impl Place {
    /// An event that differs from others in everything that is filtered by.
    fn event(&self, number: u32) -> AuditEvent {
        let actions = [Action::CreateApiKey, Action::RevokeApiKey, Action::Refused, Action::UpdateWorkspace];
        let action = actions[number as usize % actions.len()];
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let system = Actor::system(self.f.organization.id);
        let rights = system.rights().clone();
        let person = Identity::Person { id: self.f.user.id, email: self.f.user.email.clone() };
        let actor = match number.is_multiple_of(3) {
            true => Actor::new(person, self.f.organization.id, rights),
            false => system,
        };
        AuditEvent {
            id: EventId::from_bytes(id),
            // Clocks of nodes differ: time and place are not in one order.
            at: self.f.at.plus_seconds(i64::from(number ^ 1) / 2),
            actor,
            outcome: if number.is_multiple_of(4) { Outcome::Refused } else { Outcome::Done },
            workspace_id: number.is_multiple_of(5).then_some(self.f.workspace.id),
            target_id: (number % 7).to_string(),
            ..self.f.event(permit(self.f.organization.id, action), 1)
        }
    }

    async fn findings(&self) -> Vec<(&'static str, u64)> {
        let verdicts = verify::verify(&self.store, &key().public(), &[]).await.unwrap();
        let all = verdicts.into_iter().flat_map(|verdict| verdict.walked.findings);
        all.map(|finding| (finding.fault.as_str(), finding.place)).collect()
    }

    async fn page(&self, filter: &Filter, page: Page) -> Vec<AuditRecord> {
        let records = query::page(&self.store, self.f.organization.id, filter, page).await.unwrap();
        records.into_iter().map(|(record, _)| record).collect()
    }
}

async fn many_writers_make_one_chain(place: Place) {
    let other = open(&place.url).await;
    let tasks = (0..4_u32).map(|writer| {
        let store = if writer.is_multiple_of(2) { place.store.clone() } else { other.clone() };
        let events: Vec<AuditEvent> = (0..25).map(|number| place.event(writer * 25 + number)).collect();
        tokio::spawn(async move {
            for event in events {
                write(&store, &[event]).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(place.findings().await, []);
    let head = checkpoints::heads(&place.store).await.unwrap().remove(0);
    assert_eq!(head.place, 101);
    let rows = newest(&place.store, place.f.organization.id, 1000).await.unwrap();
    assert!(rows.iter().rev().map(|row| row.sequence).eq(1..=101));
    assert_eq!(revision::current(&place.store).await.unwrap(), 1, "events alone are no new rules");
}

async fn what_cannot_be_written_down_is_not_done(place: Place) {
    let f = &place.f;
    let rename = permit(f.organization.id, Action::UpdateOrganization);
    jam(&place.url).await;
    let mut tx = place.store.begin().await.unwrap();
    let mut renamed = f.organization.clone();
    renamed.name = "Renamed".into();
    organizations::save(&mut tx, &rename, &renamed).await.unwrap();
    assert!(matches!(tx.commit(&f.event(rename, 90)).await, Err(StoreError::Audit(_))));
    assert!(matches!(write(&place.store, &[f.event(rename, 91)]).await, Err(StoreError::Audit(_))));
    assert_eq!(organizations::list(&place.store).await.unwrap()[0].name, "Acme");
    assert_eq!(revision::current(&place.store).await.unwrap(), 1);
    clear(&place.url).await;
    let mut tx = place.store.begin().await.unwrap();
    organizations::save(&mut tx, &rename, &renamed).await.unwrap();
    tx.commit(&f.event(rename, 92)).await.unwrap();
    assert_eq!(place.findings().await, [], "what was refused left no gap");
}

async fn pages_are_what_the_filter_lets_through(place: Place) {
    let events: Vec<AuditEvent> = (0..120).map(|number| place.event(number)).collect();
    write(&place.store, &events).await.unwrap();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    let at = |seconds| Some(place.f.at.plus_seconds(seconds));
    let filters = [
        Filter::default(),
        Filter { events: words(&["api_key.create"]), ..Filter::default() },
        Filter { events: words(&["api_key.create", "workspace.update", "none"]), ..Filter::default() },
        Filter {
            events: words(&["api_key.create", "api_key.delete"]),
            actor_kinds: words(&["HUMAN", "OTHER"]),
            target_types: words(&["API_KEY", "WORKSPACE"]),
            ..Filter::default()
        },
        Filter { actor_kinds: words(&["HUMAN"]), ..Filter::default() },
        Filter { target_types: words(&["WORKSPACE"]), ..Filter::default() },
        Filter { actor_id: Some(place.f.user.id.to_string()), ..Filter::default() },
        Filter {
            actor_id: Some(place.f.user.id.to_string()),
            events: words(&["api_key.create", "api_key.delete"]),
            ..Filter::default()
        },
        Filter { target_id: Some("3".into()), ..Filter::default() },
        Filter {
            workspace_id: Some(place.f.workspace.id),
            outcome: Some("done".into()),
            ..Filter::default()
        },
        Filter { outcome: Some("refused".into()), from: at(3), to: at(40), ..Filter::default() },
        Filter {
            events: words(&["api_key.create", "workspace.update"]),
            from: at(3),
            to: at(40),
            ..Filter::default()
        },
        Filter { target_id: Some("' OR 1 = 1 --".into()), ..Filter::default() },
    ];
    let whole = Page { beyond: None, ascending: true, limit: 1000 };
    let all = place.page(&Filter::default(), whole).await;
    assert_eq!(all.len(), 121);
    assert!(all.windows(2).all(|pair| (pair[0].at, pair[0].place) < (pair[1].at, pair[1].place)));
    for filter in &filters {
        let wanted: Vec<AuditRecord> = all.iter().filter(|record| filter.admits(record)).cloned().collect();
        for ascending in [true, false] {
            let mut wanted = wanted.clone();
            if !ascending {
                wanted.reverse();
            }
            let (mut found, mut beyond): (Vec<AuditRecord>, Option<(Timestamp, u64)>) = (Vec::new(), None);
            loop {
                let page = place.page(filter, Page { beyond, ascending, limit: 7 }).await;
                let Some(last) = page.last() else { break };
                beyond = Some((last.at, last.place));
                found.extend(page);
            }
            assert_eq!(found, wanted, "{filter:?}");
        }
        let along =
            query::along(&place.store, place.f.organization.id, filter, (0, 121), 1000).await.unwrap().0;
        let mut in_order = wanted.clone();
        in_order.sort_by_key(|record| record.place);
        assert!(along.iter().map(|exported| &exported.record).eq(&in_order));
        assert!(along.iter().all(|exported| exported.previous.is_some()));
    }
}

async fn a_cut_is_made_once_and_proved(place: Place) {
    let organization_id = place.f.organization.id;
    let mut ends = Vec::new();
    for round in 0..3_u32 {
        let events: Vec<AuditEvent> = (0..10).map(|number| place.event(round * 10 + number)).collect();
        write(&place.store, &events).await.unwrap();
        let head = checkpoints::heads(&place.store).await.unwrap().remove(0);
        let at = place.f.at.plus_seconds(i64::from(round) * 100);
        let said = Checkpoint { organization_id, place: head.place, hash: head.hash, at };
        checkpoints::save(&place.store, &key().sign(Word::Checkpoint, said)).await.unwrap();
        ends.push(said);
    }
    let due = async |start, seconds, most| {
        let older_than = place.f.at.plus_seconds(seconds);
        let due = cuts::due(&place.store, organization_id, start, older_than, most).await.unwrap();
        due.map(|signed| signed.checkpoint.place)
    };
    assert_eq!((due(0, 150, 1000).await, due(0, 150, 1).await), (Some(21), Some(11)));
    assert_eq!((due(21, 150, 1000).await, due(0, -1, 1000).await), (None, None));
    let cut = key().sign(Word::Cut, ends[1]);
    let event = place.event(1000);
    let start = (0, Hash::START);
    assert!(cuts::cut(&place.store, start, &cut, &event).await.unwrap());
    assert!(
        !cuts::cut(&place.store, start, &cut, &place.event(1001)).await.unwrap(),
        "another node was faster"
    );
    assert_eq!(place.findings().await, []);
    assert_eq!(cuts::newest(&place.store, organization_id).await.unwrap(), Some(cut));
    assert_eq!(newest(&place.store, organization_id, 1000).await.unwrap().len(), 11);
    let tampered =
        checkpoints::examine(&place.store, organization_id, (21, Hash::START), (31, ends[2].hash)).await;
    assert_eq!(tampered.unwrap()[0].place, 22);
    by_hand(&place.url, "UPDATE audit_cuts SET at = at + 1").await;
    assert!(place.findings().await.contains(&("bad_signature", 21)));
}
