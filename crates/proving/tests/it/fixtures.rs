//! One organization with one of everything, for tests of the store.

use louver_domain::access::{Action, Actor, Permit, decide};
use louver_domain::audit::{AuditEvent, Outcome};
use louver_domain::endpoints::EndpointKind;
use louver_domain::id::{
    AdminKeyId, EventId, KeyId, OrganizationId, RequestId, ServiceAccountId, UpstreamId, UserId, WorkspaceId,
};
use louver_domain::keys::{AdminHolder, AdminKey, ApiKey, KeyStatus, Owner, PublicId};
use louver_domain::limits::Limits;
use louver_domain::model_roles::ModelRole;
use louver_domain::money::Money;
use louver_domain::network::Cidr;
use louver_domain::organizations::Organization;
use louver_domain::prices::Terms;
use louver_domain::roles::{MEMBER, WORKSPACE_CONTRIBUTOR};
use louver_domain::settlement::{Bound, Charge, Why};
use louver_domain::time::Timestamp;
use louver_domain::usage::{Tokens, Units, UsageRecord};
use louver_domain::users::{Membership, ServiceAccount, User};
use louver_domain::workspaces::Workspace;
use louver_store::upstreams::Upstream;
use louver_store::{
    Store, admin_keys, keys, model_roles, organizations, service_accounts, upstreams, users, workspaces,
};

pub struct Fixture {
    pub at: Timestamp,
    pub organization: Organization,
    pub workspace: Workspace,
    pub user: User,
    pub account: ServiceAccount,
    pub role: ModelRole,
    pub key: ApiKey,
    pub admin_key: AdminKey,
    pub upstream: Upstream,
}

pub fn permit(organization: OrganizationId, action: Action) -> Permit {
    decide(&Actor::system(organization), action, organization).unwrap()
}

impl Fixture {
    fn new() -> Self {
        let at = Timestamp::parse("2026-11-21T02:31:58Z").unwrap();
        let organization_id = OrganizationId::from_bytes([1; 16]);
        let workspace_id = WorkspaceId::from_bytes([2; 16]);
        let limits = Limits {
            requests_per_minute: Some(60),
            monthly_budget_usd: Money::parse_usd("50.5"),
            ..Limits::default()
        };
        let user_id = UserId::from_bytes([3; 16]);
        Self {
            at,
            organization: Organization {
                id: organization_id,
                name: "Acme".into(),
                billing_active: true,
                limits: limits.clone(),
                created_at: at,
            },
            workspace: Workspace {
                id: workspace_id,
                organization_id,
                name: "default".into(),
                description: None,
                icon: Some("🦊".into()),
                is_default: true,
                limits: limits.clone(),
                created_at: at,
                archived_at: Some(at),
            },
            user: User {
                id: user_id,
                organization_id,
                email: "a@example.com".into(),
                name: Some("A".into()),
                first_name: Some("A".into()),
                last_name: None,
                roles: vec![MEMBER],
                limits: limits.clone(),
                created_at: at,
                removed_at: None,
            },
            account: ServiceAccount {
                id: ServiceAccountId::from_bytes([4; 16]),
                organization_id,
                workspace_id,
                name: "ci".into(),
                role: Some("analyst".into()),
                roles: vec![WORKSPACE_CONTRIBUTOR],
                created_at: at,
            },
            role: ModelRole { builtin: false, ..louver_domain::model_roles::builtin().remove(0) },
            key: ApiKey {
                id: KeyId::from_bytes([5; 16]),
                organization_id,
                workspace_id,
                owner: Owner::User(user_id),
                name: "first".into(),
                description: Some("d — ü".into()),
                public_id: PublicId::parse("abcdefABCDEF").unwrap(),
                fingerprint: [6; 32],
                last_four: "wxyz".into(),
                limits,
                role: None,
                allowed_cidrs: Cidr::parse("10.0.0.0/8").map(|c| vec![c]),
                created_at: at,
                expires_at: Some(at.plus_seconds(1000)),
                last_used_at: None,
                status: KeyStatus::Active,
                created_by: Some("root".into()),
                enabled_at: None,
                canary: false,
            },
            admin_key: AdminKey {
                id: AdminKeyId::from_bytes([7; 16]),
                organization_id,
                holder: AdminHolder::User(user_id),
                name: "root".into(),
                public_id: PublicId::parse("abcdefABCDEG").unwrap(),
                fingerprint: [8; 32],
                last_four: "wxyz".into(),
                created_at: at,
                expires_at: None,
                status: KeyStatus::Active,
            },
            upstream: Upstream {
                id: UpstreamId::from_bytes([9; 16]),
                organization_id,
                workspace_id: Some(workspace_id),
                name: "main".into(),
                sealed_key: vec![1, 2, 3],
                enabled: true,
                created_at: at,
                server: None,
                sealed_admin_key: Some(vec![4, 5]),
                admin_user_id: Some("someone".into()),
            },
        }
    }

    /// Writes one of everything, in one transaction.
    pub async fn write(store: &Store) -> Self {
        let f = Self::new();
        let permit = permit(f.organization.id, Action::CreateOrganization);
        let mut tx = store.begin().await.unwrap();
        organizations::insert(&mut tx, &permit, &f.organization).await.unwrap();
        workspaces::insert(&mut tx, &permit, &f.workspace).await.unwrap();
        users::insert(&mut tx, &permit, &f.user).await.unwrap();
        model_roles::save(&mut tx, &permit, &f.role).await.unwrap();
        service_accounts::insert(&mut tx, &permit, &f.account).await.unwrap();
        let membership = f.membership(Some("analyst"));
        users::save_membership(&mut tx, &permit, &membership).await.unwrap();
        keys::insert(&mut tx, &permit, &f.key).await.unwrap();
        admin_keys::insert(&mut tx, &permit, &f.admin_key).await.unwrap();
        upstreams::insert(&mut tx, &permit, &f.upstream).await.unwrap();
        assert_eq!(tx.commit(&f.event(permit, 1)).await.unwrap(), 1);
        f
    }

    /// The person's membership of the workspace, with that model role.
    pub fn membership(&self, model_role: Option<&str>) -> Membership {
        Membership {
            workspace_id: self.workspace.id,
            user_id: self.user.id,
            roles: vec![WORKSPACE_CONTRIBUTOR],
            model_role: model_role.map(str::to_owned),
        }
    }

    /// An event of that number.
    pub fn event(&self, permit: Permit, number: u8) -> AuditEvent {
        AuditEvent {
            id: EventId::from_bytes([number; 16]),
            at: self.at,
            actor: Actor::system(self.organization.id),
            permit,
            outcome: Outcome::Done,
            workspace_id: None,
            target_id: "t".into(),
            target_name: "n".into(),
            before: None,
            after: Some("{}".into()),
            request_id: None,
            address: None,
        }
    }
}

/// A usage record of that number: ten tokens in, five out, 1,500 nano-dollars; each third estimated.
pub fn record(f: &Fixture, number: u32, at: Timestamp) -> UsageRecord {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    UsageRecord {
        request_id: RequestId::from_bytes(id),
        at,
        organization_id: f.organization.id,
        workspace_id: f.workspace.id,
        key_id: f.key.id,
        user_id: Some(f.user.id),
        role: None,
        endpoint: EndpointKind::Chat,
        model_asked: "mistral-small-latest".into(),
        model: "mistral-small-2603".into(),
        charge: Charge {
            tokens: Tokens { input: 10, cached: 0, output: 5 },
            units: Units { pages: 1, tool_calls: 2, ..Units::default() },
            terms: Terms::default(),
            cost: Money::from_nanos(1500),
            why: if number.is_multiple_of(3) { Why::Unknown } else { Why::Metered },
        },
        price_version: 1,
        status: 200,
        first_byte_micros: 1,
        total_micros: 2,
        bound: Bound::default(),
        would_refuse: false,
        recovered: false,
        client_left: false,
    }
}
