//! People with roles, workspaces and usage, put into the database without the API, for tests about other things.

use super::House;
use louver_domain::access::{Action, Permit, decide};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{AdminKeyId, KeyId, RequestId, RoleId, UserId, WorkspaceId};
use louver_domain::keys::{AdminHolder, AdminKey, KeyKind, KeyStatus, mint};
use louver_domain::limits::{KeyCreation, Limits};
use louver_domain::money::Money;
use louver_domain::prices::Terms;
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units, UsageRecord};
use louver_domain::users::{Membership, User};
use louver_domain::workspaces::Workspace;
use louver_store::ledger::entries::{Entry, Holds, insert};
use louver_store::{Tx, admin_keys, users, workspaces};

/// A person with an admin key that carries their rights.
pub(super) struct Person {
    pub(super) id: UserId,
    pub(super) secret: String,
}

impl House {
    fn permit(&self, action: Action) -> Permit {
        decide(&self.system().actor, action, self.organization).unwrap()
    }

    pub(super) async fn write(&self, write: impl AsyncFnOnce(&mut Tx, &Permit)) {
        let mut tx = self.control.store.begin().await.unwrap();
        let permit = self.permit(Action::UpdateOrganization);
        write(&mut tx, &permit).await;
        let deed = crate::actions::Deed::on(permit, self.organization, "test");
        tx.commit(&deed.event(&self.control, &self.system())).await.unwrap();
    }

    /// A workspace in which members may make keys, or may not.
    pub(super) async fn workspace(&self, name: &str, key_creation: Option<KeyCreation>) -> WorkspaceId {
        let id = WorkspaceId::new(self.clock_now(), &*self.control.entropy);
        let workspace = Workspace {
            id,
            organization_id: self.organization,
            name: name.into(),
            description: None,
            icon: None,
            is_default: false,
            limits: Limits { key_creation, requests_per_minute: Some(60), ..Limits::default() },
            created_at: self.clock_now(),
            archived_at: None,
        };
        self.write(async |tx, permit| workspaces::insert(tx, permit, &workspace).await.unwrap()).await;
        id
    }

    pub(super) fn clock_now(&self) -> Timestamp {
        self.control.clock.now()
    }

    pub(super) async fn somebody(
        &self,
        email: &str,
        roles: &[RoleId],
        places: &[(WorkspaceId, RoleId)],
    ) -> Person {
        let id = UserId::new(self.clock_now(), &*self.control.entropy);
        let user = User {
            id,
            organization_id: self.organization,
            email: email.into(),
            name: None,
            first_name: Some("Ann".into()),
            last_name: Some("Lee".into()),
            roles: roles.to_vec(),
            limits: Limits::default(),
            created_at: self.clock_now(),
            removed_at: None,
        };
        let minted = mint(KeyKind::Admin, &*self.control.entropy);
        let key = AdminKey {
            id: AdminKeyId::new(self.clock_now(), &*self.control.entropy),
            organization_id: self.organization,
            holder: AdminHolder::User(id),
            name: format!("key of {email}"),
            public_id: minted.public_id,
            fingerprint: self.control.pepper.fingerprint(minted.secret.expose()),
            last_four: minted.last_four.clone(),
            created_at: self.clock_now(),
            expires_at: None,
            status: KeyStatus::Active,
        };
        self.write(async |tx, permit| {
            users::insert(tx, permit, &user).await.unwrap();
            admin_keys::insert(tx, permit, &key).await.unwrap();
            for (workspace, role) in places {
                let membership = Membership {
                    workspace_id: *workspace,
                    user_id: id,
                    roles: vec![*role],
                    model_role: None,
                };
                users::save_membership(tx, permit, &membership).await.unwrap();
            }
        })
        .await;
        Person { id, secret: minted.secret.expose().clone() }
    }

    /// A call of that key, written down.
    pub(super) async fn used(&self, workspace: WorkspaceId, key: &str, user: Option<UserId>, at: &str) {
        let record = UsageRecord {
            request_id: RequestId::new(self.clock_now(), &*self.control.entropy),
            at: Timestamp::parse(at).unwrap(),
            organization_id: self.organization,
            workspace_id: workspace,
            key_id: KeyId::parse(key).unwrap(),
            user_id: user,
            role: None,
            endpoint: EndpointKind::Chat,
            model_asked: "mistral-small-latest".into(),
            model: "mistral-small-2603".into(),
            charge: Charge {
                tokens: Tokens { input: 100, cached: 10, output: 50 },
                units: Units::default(),
                terms: Terms::default(),
                cost: Money::from_nanos(25_000_000_000),
                why: Why::Metered,
            },
            price_version: 1,
            status: 200,
            first_byte_micros: 1,
            total_micros: 2,
            bound: Bound::default(),
            would_refuse: false,
            recovered: false,
            client_left: false,
        };
        insert(&self.control.store, &[Entry { record, epoch: 0, holds: Holds::new() }]).await.unwrap();
    }

    pub(super) async fn get_as(&self, person: &Person, path: &str) -> super::Answer {
        self.call_as(&person.secret, "GET", path, "").await
    }
}
