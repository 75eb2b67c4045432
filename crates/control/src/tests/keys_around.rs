//! What forms about keys are told: where somebody makes keys, what they may change, and how budgets of keys stand.

use super::{House, house};
use crate::actions::keys::{self, Change};
use crate::actions::{budgets, key_hygiene, usage};
use crate::context::Context;
use louver_domain::access::{Action, Actor, Identity};
use louver_domain::id::{KeyId, UserId};
use louver_domain::keys::ApiKey;
use louver_domain::limits::KeyCreation;
use louver_domain::money::Money;
use louver_domain::roles::{MEMBER, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use louver_store::grants;
use serde_json::{Value, json};

impl House {
    async fn context_of(&self, id: UserId) -> Context {
        let found = grants::rights_of(&self.control.store, self.organization, id).await.unwrap();
        let (user, rights) = found.unwrap();
        let identity = Identity::Person { id, email: user.email };
        Context { actor: Actor::new(identity, self.organization, rights), ..self.system() }
    }

    async fn key_made(&self, body: Value) -> ApiKey {
        let made = self.make("/v1/api-keys", &body.to_string()).await;
        let id = KeyId::parse(made["id"].as_str().unwrap()).unwrap();
        keys::get(&self.control, &self.system(), id).await.unwrap()
    }
}

#[tokio::test]
async fn each_is_told_where_they_make_keys_and_what_they_may_change() {
    let house = house().await;
    let open = house.workspace("open", Some(KeyCreation::Members)).await;
    let closed = house.workspace("closed", Some(KeyCreation::Admins)).await;
    let both = [open, closed].map(|id| (id, WORKSPACE_CONTRIBUTOR));
    let ann = house.somebody("ann@example.com", &[MEMBER], &both).await;
    let boss = house.somebody("boss@example.com", &[MEMBER], &[(closed, WORKSPACE_ADMIN)]).await;
    let (of_ann, of_boss) = (house.context_of(ann.id).await, house.context_of(boss.id).await);

    let places = async |context: &Context| {
        let found = keys::makeable(&house.control, context).await.unwrap();
        found.into_iter().map(|place| (place.workspace.id, place.for_others)).collect::<Vec<_>>()
    };
    assert_eq!(places(&of_ann).await, [(open, false)]);
    assert_eq!(places(&of_boss).await, [(closed, true)]);

    let key = house.key_made(json!({"name": "a", "workspace_id": open, "owner_user_id": ann.id})).await;
    assert_eq!(keys::change_of(&of_ann, &key), Change::Name);
    assert_eq!(keys::change_of(&of_boss, &key), Change::Nothing);
    assert_eq!(keys::change_of(&house.system(), &key), Change::Whole);
    assert!(
        keys::may(&of_ann, Action::RotateApiKey, &key) && !keys::may(&of_boss, Action::RotateApiKey, &key)
    );

    let owners = keys::owner_names(&house.control, &of_ann, &[&key]).await.unwrap();
    assert_eq!(owners[&key.id], "ann@example.com");
    assert!(keys::owner_names(&house.control, &of_boss, &[&key]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_owner_is_found_by_mail_where_they_belong() {
    let house = house().await;
    let here = house.workspace("here", None).await;
    let ann = house.somebody("ann@example.com", &[MEMBER], &[(here, WORKSPACE_CONTRIBUTOR)]).await;
    house.somebody("far@example.com", &[MEMBER], &[]).await;
    let system = house.system();
    let find = async |context: &Context, email: &str| {
        keys::owner_by_email(&house.control, context, here, email).await.ok()
    };
    assert_eq!(find(&system, "Ann@example.com").await, Some(ann.id));
    for email in ["far@example.com", "nobody@example.com", "nonsense", ""] {
        assert_eq!(find(&system, email).await, None, "{email}");
    }
    let of_ann = house.context_of(ann.id).await;
    assert_eq!(find(&of_ann, "ann@example.com").await, None, "who makes no keys for others asks for nobody");
}

#[tokio::test]
async fn keys_at_hand_are_examined_and_their_budgets_stand() {
    let house = house().await;
    let system = house.system();
    let key = house.key_made(json!({"name": "a", "monthly_budget_usd": 5})).await;
    let standings = budgets::of_key(&house.control, &system, &key).await.unwrap();
    let amounts: Vec<(i64, i64)> = standings.iter().map(|one| (one.spent, one.budget.limit)).collect();
    assert_eq!(amounts, [(0, Money::parse_usd("5").unwrap().nanos())]);
    assert!(
        budgets::of_keys(&house.control, &system, &[&key]).await.unwrap().is_empty(),
        "no call asked yet"
    );
    let span = (system.now.plus_seconds(-86_400), system.now);
    assert!(usage::of_key(&house.control, &system, &key, span).await.unwrap().is_empty());

    let found = key_hygiene::examine(&house.control, &system, vec![key], 30).await.unwrap();
    let [audited] = found.as_slice() else { panic!("one key") };
    assert!(
        audited.findings.iter().any(|finding| finding.as_str() == "never_used"),
        "{:?}",
        audited.findings
    );
}
