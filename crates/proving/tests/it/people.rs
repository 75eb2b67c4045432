//! People: the contract of their store on both engines, and admins who remove each other through a whole system.

use crate::fixtures::{Fixture, permit};
use louver_control::actions::admin_keys as admin_key_actions;
use louver_control::context::Context;
use louver_domain::access::Action;
use louver_domain::deliveries::{DeliveryState, Next};
use louver_domain::groups::Group;
use louver_domain::id::{GroupId, InvitationId, RoleId, UserId, WorkspaceId};
use louver_domain::invitations::Invitation;
use louver_domain::keys::{AdminHolder, AdminKey, KeyStatus};
use louver_domain::roles::{CustomRole, RoleLevel, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};
use louver_domain::time::{Clock, Timestamp};
use louver_domain::users::{Membership, User};
use louver_domain::workspaces::Workspace;
use louver_proving::client::{request, send};
use louver_proving::system::{Setup, System, offline};
use louver_store::groups::{self, GroupWorkspace};
use louver_store::invitations::{self, InvitationMail, StoredInvitation};
use louver_store::users::{self, Filter};
use louver_store::{Store, admin_keys, custom_roles, grants, organizations, workspaces};
use serde_json::{Value, json};
use tokio::task::JoinSet;

contract! {
    people_are_read_in_pages_and_after_each_other
    places_are_those_of_memberships_and_of_nested_groups
    who_leaves_is_in_no_workspace_and_no_group
    a_role_of_somebody_who_left_is_not_given
    invitations_read_back_as_written_and_are_found_by_their_link
    a_mail_is_claimed_once_and_the_word_on_an_older_link_does_not_count
}

struct Place {
    store: Store,
    other: Store,
    f: Fixture,
}

async fn fresh(url: &str) -> Place {
    let store = crate::store::open(url).await;
    store.migrate().await.unwrap();
    let f = Fixture::write(&store).await;
    Place { store, other: crate::store::open(url).await, f }
}

impl Place {
    fn permit(&self) -> louver_domain::access::Permit {
        permit(self.f.organization.id, Action::CreateUser)
    }

    /// Commits with an event of that number.
    async fn commit(&self, tx: louver_store::Tx, number: u8) {
        tx.commit(&self.f.event(self.permit(), number)).await.unwrap();
    }

    async fn add(&self, number: u8, email: &str) -> User {
        let user =
            User { id: UserId::from_bytes([100 + number; 16]), email: email.into(), ..self.f.user.clone() };
        let mut tx = self.store.begin().await.unwrap();
        users::insert(&mut tx, &self.permit(), &user).await.unwrap();
        self.commit(tx, number).await;
        user
    }

    async fn emails(&self, filter: &str, offset: u64, limit: u64) -> (Vec<String>, u64) {
        let filter = Filter { email: filter.into(), offset, limit };
        let (users, total) = users::page(&self.store, self.f.organization.id, &filter).await.unwrap();
        (users.into_iter().map(|user| user.email).collect(), total)
    }
}

async fn people_are_read_in_pages_and_after_each_other(place: Place) {
    let bob = place.add(2, "b%b@example.com").await;
    place.add(3, "c_c@example.com").await;
    assert_eq!(place.emails("", 1, 1).await, (vec!["b%b@example.com".into()], 3));
    assert_eq!(place.emails("%", 0, 9).await, (vec!["b%b@example.com".into()], 1));
    assert_eq!(place.emails("_", 0, 9).await, (vec!["c_c@example.com".into()], 1));
    assert_eq!(place.emails("\\", 0, 9).await, (vec![], 0));
    assert_eq!(place.emails("", 1 << 62, 9).await, (vec![], 3));
    let after = async |user: Option<&User>, limit| -> Vec<String> {
        let found = users::after(&place.store, place.f.organization.id, user, limit).await.unwrap();
        found.into_iter().map(|user| user.email).collect()
    };
    assert_eq!(after(None, 2).await, ["a@example.com", "b%b@example.com"]);
    assert_eq!(after(Some(&bob), 2).await, ["c_c@example.com"]);
    let mut tx = place.store.begin().await.unwrap();
    let gone = User { removed_at: Some(place.f.at), ..bob.clone() };
    users::save(&mut tx, &place.permit(), &gone).await.unwrap();
    place.commit(tx, 4).await;
    assert_eq!(after(None, 9).await, ["a@example.com", "c_c@example.com"]);
    assert_eq!(place.emails("", 0, 9).await.1, 2);
    assert!(users::get(&place.store, place.f.organization.id, bob.id).await.unwrap().is_none());
}

fn group(place: &Place, number: u8) -> Group {
    Group {
        id: GroupId::from_bytes([number; 16]),
        organization_id: place.f.organization.id,
        name: format!("g{number}"),
        description: None,
        target: None,
        organization_role: None,
        externally_managed: false,
        created_at: place.f.at,
    }
}

/// Two open workspaces, and a person in a group that lies in one that has roles in both.
async fn nested(place: &Place) -> (Workspace, Workspace, GroupId) {
    let workspace = |number: u8, name: &str| Workspace {
        id: WorkspaceId::from_bytes([number; 16]),
        name: name.into(),
        is_default: false,
        archived_at: None,
        ..place.f.workspace.clone()
    };
    let (one, two) = (workspace(41, "one"), workspace(42, "two"));
    let (child, parent) = (group(place, 51), group(place, 52));
    let permit = place.permit();
    let mut tx = place.store.begin().await.unwrap();
    for workspace in [&one, &two] {
        workspaces::insert(&mut tx, &permit, workspace).await.unwrap();
    }
    for group in [&child, &parent] {
        groups::insert(&mut tx, &permit, group).await.unwrap();
    }
    groups::nest(&mut tx, &permit, child.id, parent.id).await.unwrap();
    groups::add_member(&mut tx, &permit, child.id, place.f.user.id).await.unwrap();
    for (workspace_id, roles) in [
        (one.id, vec![WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR]),
        (two.id, vec![WORKSPACE_ADMIN]),
        (place.f.workspace.id, vec![WORKSPACE_ADMIN]),
    ] {
        let at = GroupWorkspace {
            group_id: parent.id,
            workspace_id,
            roles,
            model_role: None,
            created_at: place.f.at,
        };
        groups::save_workspace(&mut tx, &permit, &at).await.unwrap();
    }
    let own = Membership { workspace_id: one.id, ..place.f.membership(None) };
    users::save_membership(&mut tx, &permit, &own).await.unwrap();
    place.commit(tx, 60).await;
    (one, two, child.id)
}

async fn places_are_those_of_memberships_and_of_nested_groups(place: Place) {
    let (one, two, _) = nested(&place).await;
    let bob = place.add(2, "b@example.com").await;
    let found = grants::places_of(&place.store, &[bob.id, place.f.user.id]).await.unwrap();
    assert!(!found.contains_key(&bob.id), "who is nowhere is not there");
    let expected = |workspace: &Workspace, roles: &[RoleId]| grants::Place {
        workspace_id: workspace.id,
        name: workspace.name.clone(),
        is_default: false,
        roles: roles.to_vec(),
    };
    // The archived workspace of the fixture is left out.
    assert_eq!(
        found[&place.f.user.id],
        [expected(&one, &[WORKSPACE_CONTRIBUTOR, WORKSPACE_ADMIN]), expected(&two, &[WORKSPACE_ADMIN])]
    );
    assert!(grants::places_of(&place.store, &[]).await.unwrap().is_empty());
}

async fn who_leaves_is_in_no_workspace_and_no_group(place: Place) {
    let (_, _, group) = nested(&place).await;
    let (user, organization) = (place.f.user.id, place.f.organization.id);
    let mut tx = place.store.begin().await.unwrap();
    let keys = admin_keys::load_of_user(&mut tx, organization, user).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [place.f.admin_key.id]);
    let revoked = AdminKey { status: KeyStatus::Revoked, ..place.f.admin_key.clone() };
    admin_keys::save_status(&mut tx, &place.permit(), &revoked).await.unwrap();
    assert!(admin_keys::load_of_user(&mut tx, organization, user).await.unwrap().is_empty());
    users::delete_memberships(&mut tx, &place.permit(), user).await.unwrap();
    assert!(users::memberships_of(&mut tx, user).await.unwrap().is_empty());
    assert!(!groups::remove_member(&mut tx, &place.permit(), group, user).await.unwrap());
    place.commit(tx, 61).await;
    assert!(grants::places_of(&place.store, &[user]).await.unwrap().is_empty());
}

async fn a_role_of_somebody_who_left_is_not_given(place: Place) {
    let organization = place.f.organization.id;
    let role = CustomRole {
        id: RoleId::from_bytes([71; 16]),
        name: "r".into(),
        description: String::new(),
        level: RoleLevel::Organization,
        actions: [Action::ReadUsage].into_iter().collect(),
        created_at: place.f.at,
    };
    let mut tx = place.store.begin().await.unwrap();
    custom_roles::insert(&mut tx, &place.permit(), &role).await.unwrap();
    let given = User { roles: vec![role.id], ..place.f.user.clone() };
    users::save(&mut tx, &place.permit(), &given).await.unwrap();
    assert!(custom_roles::is_given(&mut tx, organization, role.id).await.unwrap());
    let gone = User { removed_at: Some(place.f.at), ..given };
    users::save(&mut tx, &place.permit(), &gone).await.unwrap();
    assert!(!custom_roles::is_given(&mut tx, organization, role.id).await.unwrap());
}

fn invitation(place: &Place, number: u8, email: &str, mail: Option<InvitationMail>) -> StoredInvitation {
    StoredInvitation {
        invitation: Invitation {
            id: InvitationId::from_bytes([number; 16]),
            organization_id: place.f.organization.id,
            email: email.into(),
            roles: vec![WORKSPACE_ADMIN],
            workspaces: vec![place.f.workspace.id],
            fingerprint: [number; 32],
            invited_by: (number == 1).then_some(place.f.user.id),
            created_at: place.f.at,
            expires_at: place.f.at.plus_seconds(60),
        },
        sealed_token: vec![1, 2, number],
        mail,
    }
}

async fn write(place: &Place, stored: &StoredInvitation, number: u8) {
    let mut tx = place.store.begin().await.unwrap();
    invitations::insert(&mut tx, &place.permit(), stored).await.unwrap();
    place.commit(tx, number).await;
}

async fn invitations_read_back_as_written_and_are_found_by_their_link(place: Place) {
    let failed = InvitationMail {
        state: DeliveryState::Failed,
        attempts: 3,
        next_at: place.f.at,
        error: Some("no".into()),
    };
    let (one, two) = (invitation(&place, 1, "a%@x", None), invitation(&place, 2, "b@x", Some(failed)));
    write(&place, &one, 81).await;
    write(&place, &two, 82).await;
    let shown = |stored: &dyn std::fmt::Debug| format!("{stored:?}");
    let organization = place.f.organization.id;
    let all = invitations::list(&place.store, organization).await.unwrap();
    assert_eq!(shown(&all), shown(&[&one, &two]));
    let found = invitations::find_by_token(&place.store, &[2; 32]).await.unwrap();
    assert_eq!(shown(&found), shown(&Some(&two)));
    assert!(invitations::find_by_token(&place.store, &[3; 32]).await.unwrap().is_none());
    let page = async |email: &str, offset, limit| {
        let filter = Filter { email: email.into(), offset, limit };
        let (found, total) = invitations::page(&place.store, organization, &filter).await.unwrap();
        (found.into_iter().map(|stored| stored.invitation.email).collect::<Vec<_>>(), total)
    };
    assert_eq!(page("", 1, 5).await, (vec!["b@x".into()], 2));
    assert_eq!(page("%", 0, 5).await, (vec!["a%@x".into()], 1));
    assert_eq!(page("", 0, 0).await, (vec![], 2));
    let mut tx = place.store.begin().await.unwrap();
    let again = invitations::insert(&mut tx, &place.permit(), &invitation(&place, 3, "b@x", None)).await;
    assert!(again.is_err(), "one for each address");
}

async fn a_mail_is_claimed_once_and_the_word_on_an_older_link_does_not_count(place: Place) {
    let now = place.f.at;
    let due = invitation(&place, 1, "a@x", Some(InvitationMail::due(now)));
    write(&place, &due, 83).await;
    write(&place, &invitation(&place, 2, "b@x", None), 84).await;
    let (one, two) =
        tokio::join!(invitations::claim(&place.store, now, 9), invitations::claim(&place.other, now, 9));
    let claimed = [one.unwrap(), two.unwrap()].concat();
    assert_eq!(claimed.len(), 1, "by one of the nodes");
    assert_eq!(claimed[0].mail.as_ref().unwrap().attempts, 1);
    assert!(invitations::claim(&place.store, now.plus_seconds(59), 9).await.unwrap().is_empty());
    let second = invitations::claim(&place.store, now.plus_seconds(60), 9).await.unwrap();
    assert_eq!(second[0].mail.as_ref().unwrap().attempts, 2, "the first node died");
    let state =
        async || invitations::list(&place.store, place.f.organization.id).await.unwrap()[0].mail.clone();
    let next = |state, at: Timestamp| Next { state, at };
    invitations::finish(&place.store, &claimed[0], next(DeliveryState::Failed, now), Some("late"))
        .await
        .unwrap();
    assert_eq!(state().await.unwrap().error, None, "the word of the attempt that outlived its lease");

    let mut tx = place.store.begin().await.unwrap();
    invitations::delete(&mut tx, &place.permit(), due.invitation.id).await.unwrap();
    let mut newer = due.clone();
    newer.invitation.fingerprint = [9; 32];
    newer.mail = Some(InvitationMail { attempts: 2, ..InvitationMail::due(now) });
    invitations::insert(&mut tx, &place.permit(), &newer).await.unwrap();
    place.commit(tx, 85).await;
    invitations::finish(&place.store, &second[0], next(DeliveryState::Delivered, now), None).await.unwrap();
    assert_eq!(state().await.unwrap().state, DeliveryState::Pending, "another link was sent");
    let third = invitations::claim(&place.store, now, 9).await.unwrap();
    invitations::finish(&place.store, &third[0], next(DeliveryState::Delivered, now), None).await.unwrap();
    assert_eq!(state().await.unwrap().state, DeliveryState::Delivered);
    assert!(invitations::claim(&place.store, now.plus_seconds(999), 9).await.unwrap().is_empty());
}

/// Six admins, each of whom removes all the others, on two nodes at once: one stays.
async fn the_last_admin_stays(setup: Setup) {
    let system = System::with(setup).await;
    let other = system.second_node().await;
    let people: Vec<_> = (0..6)
        .map(|n| json!({"email": format!("a{n}@x"), "first_name": "", "last_name": "", "role": "A"}))
        .collect();
    let made = system.deed("POST", "/v1/admin/users", json!(people)).await;
    let control = offline(&system.store, &system.clock);
    let organization = organizations::list(&system.store).await.unwrap()[0].id;
    let context = Context::system(organization, system.clock.now());
    let mut admins = vec![];
    for id in made["email_to_user_id"].as_object().unwrap().values() {
        let id = id.as_str().unwrap().to_owned();
        let holder = AdminHolder::User(UserId::parse(&id).unwrap());
        let made = admin_key_actions::create_for(&control, &context, holder, "own", None).await.unwrap();
        admins.push((id, made.1.secret.expose().clone()));
    }
    let mut removals = JoinSet::new();
    for (number, (own, key)) in admins.iter().enumerate() {
        for (id, _) in admins.iter().filter(|(id, _)| id != own) {
            let (path, key) = (format!("/v1/admin/users/{id}"), key.clone());
            let address = if number % 2 == 0 { system.address } else { other.address };
            removals.spawn(async move {
                send(address, request("DELETE", &path, &key, None)).await.status.as_u16()
            });
        }
    }
    let statuses = removals.join_all().await;
    let done = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.iter().all(|status| [200, 401, 404, 409].contains(status)), "{statuses:?}");
    let left = system.admin("GET", "/v1/gateway/users", None).await.json();
    let left = left["data"].as_array().unwrap();
    assert!(!left.is_empty() && left.len() + done == 6, "{statuses:?}");
    // The organization's own key removes the rest, all at once: again one stays.
    let mut removals = JoinSet::new();
    for (id, _) in &admins {
        let (path, key, address) =
            (format!("/v1/admin/users/{id}"), system.admin_key.clone(), system.address);
        removals
            .spawn(async move { send(address, request("DELETE", &path, &key, None)).await.status.as_u16() });
    }
    let statuses = removals.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
    let left = system.admin("GET", "/v1/gateway/users", None).await.json();
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
    other.stop().await;
}

#[tokio::test]
async fn the_last_admin_stays_on_sqlite() {
    the_last_admin_stays(Setup::default()).await;
}

#[tokio::test]
async fn the_last_admin_stays_on_postgres() {
    the_last_admin_stays(Setup { postgres: true, ..Setup::default() }).await;
}

/// Six admins of the organization, three of them by groups only; what takes each of them that away.
async fn admins_in_every_way(system: &System, ids: &[String]) -> Vec<(&'static str, String, Option<Value>)> {
    let groups = "/v1/admin/user-groups";
    let mut made = vec![];
    for name in ["named", "outer", "left"] {
        let group =
            system.deed("POST", groups, json!({"name": name})).await["uuid"].as_str().unwrap().to_owned();
        let role = json!({"organization_role": "A"});
        let path = format!("{groups}/{group}/organization-role");
        assert_eq!(system.admin("PATCH", &path, Some(role)).await.status, 204);
        made.push(group);
    }
    let inner = json!({"name": "inner", "parent_group_ids": [made[1]]});
    let inner = system.deed("POST", groups, inner).await["uuid"].as_str().unwrap().to_owned();
    for (group, id) in [&made[0], &inner, &made[2]].into_iter().zip(&ids[3..]) {
        let path = format!("{groups}/{group}/members");
        let added = system.admin("POST", &path, Some(json!({"user_uuids": [id]}))).await;
        assert_eq!(added.status, 204);
        let user = format!("/v1/admin/users/{id}");
        assert_eq!(system.admin("PATCH", &user, Some(json!({"roles": ["M"]}))).await.status, 200);
    }
    vec![
        ("DELETE", format!("/v1/admin/users/{}", ids[0]), None),
        ("PATCH", format!("/v1/admin/users/{}", ids[1]), Some(json!({"roles": ["M"]}))),
        ("PATCH", format!("/v1/admin/users/{}", ids[2]), Some(json!({"roles": ["B"]}))),
        ("DELETE", format!("{groups}/{}", made[0]), None),
        ("PATCH", format!("{groups}/{}/nested", made[1]), Some(json!({"child_group_uuids": []}))),
        ("DELETE", format!("{groups}/{}/members", made[2]), Some(json!({"user_uuids": [ids[5]]}))),
        // The same admins by another way.
        ("PATCH", format!("{groups}/{}/organization-role", made[0]), Some(json!({"organization_role": "M"}))),
        ("PATCH", format!("{groups}/{inner}"), Some(json!({"parent_group_ids": []}))),
        ("DELETE", format!("/v1/admin/users/{}", ids[5]), None),
    ]
}

/// Removals, demotions, deleted groups and groups taken out of each other, on two nodes at once: one admin stays.
async fn the_last_admin_stays_whatever_is_done(setup: Setup) {
    let system = System::with(setup).await;
    let other = system.second_node().await;
    let people: Vec<_> = (0..6)
        .map(|n| json!({"email": format!("a{n}@x"), "first_name": "", "last_name": "", "role": "A"}))
        .collect();
    let made = system.deed("POST", "/v1/admin/users", json!(people)).await;
    let ids: Vec<String> =
        (0..6).map(|n| made["email_to_user_id"][format!("a{n}@x")].as_str().unwrap().to_owned()).collect();
    let control = offline(&system.store, &system.clock);
    let organization = organizations::list(&system.store).await.unwrap()[0].id;
    let context = Context::system(organization, system.clock.now());
    let mut keys = vec![];
    for id in &ids {
        let holder = AdminHolder::User(UserId::parse(id).unwrap());
        let made = admin_key_actions::create_for(&control, &context, holder, "own", None).await.unwrap();
        keys.push(made.1.secret.expose().clone());
    }
    let deeds = admins_in_every_way(&system, &ids).await;
    let mut running = JoinSet::new();
    for (method, path, body) in deeds {
        for address in [system.address, other.address] {
            let body = body.as_ref().map(|body| body.to_string().into_bytes());
            let (path, key) = (path.clone(), system.admin_key.clone());
            running.spawn(async move {
                let answer = send(address, request(method, &path, &key, body.as_deref())).await;
                (method, path, answer.status.as_u16())
            });
        }
    }
    let done = running.join_all().await;
    assert!(done.iter().all(|(_, _, status)| [200, 204, 404, 409].contains(status)), "{done:?}");
    assert!(done.iter().any(|(_, _, status)| *status == 409), "{done:?}");
    let mut left = 0;
    for key in &keys {
        let me = send(system.address, request("GET", "/v1/gateway/me", key, None)).await;
        let all = me.status == 200 && me.text().contains("organization.update");
        left += usize::from(all);
    }
    assert_eq!(left, 1, "{done:?}");
    other.stop().await;
}

#[tokio::test]
async fn the_last_admin_stays_whatever_is_done_on_sqlite() {
    the_last_admin_stays_whatever_is_done(Setup::default()).await;
}

#[tokio::test]
async fn the_last_admin_stays_whatever_is_done_on_postgres() {
    the_last_admin_stays_whatever_is_done(Setup { postgres: true, ..Setup::default() }).await;
}
