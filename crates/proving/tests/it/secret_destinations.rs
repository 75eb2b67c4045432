//! Destinations of secrets in the store, on both engines: read back as written, within their organization.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver_domain::access::Action;
use louver_domain::id::{OrganizationId, SecretDestinationId};
use louver_domain::secret_destinations::{Settings, Template, settings};
use louver_domain::time::Timestamp;
use louver_store::secret_destinations::{self as store, SecretDestination};
use louver_store::{Store, StoreError};

contract! {
    destinations_read_back_as_written
    a_name_is_taken_once_and_nobody_elses_is_touched
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

fn destination(organization: OrganizationId, number: u8) -> SecretDestination {
    let vault = settings::Vault {
        address: "https://vault.example.com".into(),
        mount: "secret".into(),
        location: Template::parse("a/{workspace}/{id}").unwrap(),
        field: "api_key".into(),
        namespace: Some("team".into()),
        approle_mount: "approle".into(),
        ca_certificate: None,
    };
    SecretDestination {
        id: SecretDestinationId::from_bytes([number; 16]),
        organization_id: organization,
        workspace_id: None,
        name: format!("destination {number}"),
        settings: Settings::Vault(vault),
        credential_names: vec!["role_id".into(), "secret_id".into()],
        sealed_credentials: Some(vec![1, 2, number]),
        enabled: true,
        created_at: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

async fn destinations_read_back_as_written(store: Store) {
    let f = Fixture::write(&store).await;
    let organization = f.organization.id;
    let create = permit(organization, Action::CreateSecretDestination);
    let mut one = destination(organization, 1);
    let file = settings::File { location: Template::parse("/keys/{id}").unwrap() };
    let two = SecretDestination {
        workspace_id: Some(f.workspace.id),
        settings: Settings::File(file),
        credential_names: vec![],
        sealed_credentials: None,
        enabled: false,
        ..destination(organization, 2)
    };
    let mut tx = store.begin().await.unwrap();
    for new in [&two, &one] {
        store::insert(&mut tx, &create, new).await.unwrap();
    }
    one.name = "another".into();
    one.sealed_credentials = Some(vec![9]);
    one.credential_names = vec!["token".into()];
    one.enabled = false;
    let update = permit(organization, Action::UpdateSecretDestination);
    store::save(&mut tx, &update, &one).await.unwrap();
    let loaded = store::load(&mut tx, organization, one.id).await.unwrap().unwrap();
    assert_eq!(format!("{loaded:?}"), format!("{one:?}"));
    tx.commit(&f.event(create, 100)).await.unwrap();
    let listed = store::list(&store, organization).await.unwrap();
    assert_eq!(format!("{listed:?}"), format!("{:?}", [&one, &two]));
    let got = store::get(&store, organization, two.id).await.unwrap().unwrap();
    assert_eq!(format!("{got:?}"), format!("{two:?}"));
}

async fn a_name_is_taken_once_and_nobody_elses_is_touched(store: Store) {
    let f = Fixture::write(&store).await;
    let organization = f.organization.id;
    let create = permit(organization, Action::CreateSecretDestination);
    let one = destination(organization, 1);
    let mut tx = store.begin().await.unwrap();
    store::insert(&mut tx, &create, &one).await.unwrap();
    let foreign = OrganizationId::from_bytes([77; 16]);
    assert!(store::load(&mut tx, foreign, one.id).await.unwrap().is_none());
    let delete = permit(foreign, Action::DeleteSecretDestination);
    store::delete(&mut tx, &delete, one.id).await.unwrap();
    let renamed = SecretDestination { name: "theirs".into(), ..one.clone() };
    store::save(&mut tx, &permit(foreign, Action::UpdateSecretDestination), &renamed).await.unwrap();
    let there = store::load(&mut tx, organization, one.id).await.unwrap().unwrap();
    assert_eq!(there.name, one.name);
    store::delete(&mut tx, &permit(organization, Action::DeleteSecretDestination), one.id).await.unwrap();
    assert!(store::load(&mut tx, organization, one.id).await.unwrap().is_none());
    store::insert(&mut tx, &create, &one).await.unwrap();
    let twin = SecretDestination { id: SecretDestinationId::from_bytes([3; 16]), ..one };
    assert!(matches!(store::insert(&mut tx, &create, &twin).await, Err(StoreError::Conflict)));
}
