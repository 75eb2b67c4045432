//! Groups and members: the store's contract on both engines, and what calls meet when somebody leaves.

use crate::fixtures::{Fixture, permit};
use crate::store::open;
use louver_domain::access::Action;
use louver_domain::groups::{Group, GroupTarget};
use louver_domain::id::{GroupId, RoleId, UserId, WorkspaceId};
use louver_domain::roles::{MEMBER, ORGANIZATION_ADMIN, WORKSPACE_ADMIN};
use louver_domain::users::{Membership, User};
use louver_domain::workspaces::Workspace;
use louver_proving::system::System;
use louver_store::groups::GroupWorkspace;
use louver_store::{Store, StoreError, Tx, grants, groups, members, snapshot, users, workspaces};
use serde_json::{Value, json};

contract! {
    groups_read_back_as_written
    who_belongs_is_counted_once_however_they_come_there
    members_are_paged_in_the_order_of_their_ids
    what_groups_give_reaches_everybody_within
    workspaces_are_paged_for_who_sees_few
    what_is_searched_for_is_text
}

async fn fresh(url: &str) -> Store {
    let store = open(url).await;
    store.migrate().await.unwrap();
    store
}

fn group(f: &Fixture, number: u8, name: &str) -> Group {
    Group {
        id: GroupId::from_bytes([number; 16]),
        organization_id: f.organization.id,
        name: name.into(),
        description: None,
        target: None,
        organization_role: None,
        externally_managed: false,
        created_at: f.at,
    }
}

fn person(f: &Fixture, number: u8) -> User {
    let email = format!("p{number}@example.com");
    User { id: UserId::from_bytes([number; 16]), email, ..f.user.clone() }
}

fn place(f: &Fixture, group: u8, workspace: WorkspaceId, model_role: Option<&str>) -> GroupWorkspace {
    GroupWorkspace {
        group_id: GroupId::from_bytes([group; 16]),
        workspace_id: workspace,
        roles: vec![WORKSPACE_ADMIN],
        model_role: model_role.map(str::to_owned),
        created_at: f.at,
    }
}

/// Groups 1 ⊃ 2 ⊃ 3 and 4, of which 1 and 4 have roles in the workspace; people 20 to 25: 20 is a member, 21 in 3,
/// 22 in 3 and 4, 23 in 1 and a member, 24 nowhere, and 25 in a group 5 that has nothing.
async fn populate(store: &Store) -> Fixture {
    let f = Fixture::write(store).await;
    let permit = permit(f.organization.id, Action::CreateGroup);
    let mut tx = store.begin().await.unwrap();
    for (number, name) in [(1, "Été"), (2, "two"), (3, "three"), (4, "50%"), (5, "five")] {
        groups::insert(&mut tx, &permit, &group(&f, number, name)).await.unwrap();
    }
    for (child, parent) in [(2, 1), (3, 2), (3, 2)] {
        let [child, parent] = [child, parent].map(|n| GroupId::from_bytes([n; 16]));
        groups::nest(&mut tx, &permit, child, parent).await.unwrap();
    }
    for number in 20..=25 {
        users::insert(&mut tx, &permit, &person(&f, number)).await.unwrap();
    }
    for (group, user, new) in
        [(3, 21, true), (3, 22, true), (4, 22, true), (1, 23, true), (5, 25, true), (3, 21, false)]
    {
        let (group, user) = (GroupId::from_bytes([group; 16]), UserId::from_bytes([user; 16]));
        assert_eq!(groups::add_member(&mut tx, &permit, group, user).await.unwrap(), new);
    }
    for number in [20, 23] {
        let user_id = UserId::from_bytes([number; 16]);
        users::save_membership(&mut tx, &permit, &Membership { user_id, ..f.membership(None) })
            .await
            .unwrap();
    }
    for group in [1, 4] {
        groups::save_workspace(&mut tx, &permit, &place(&f, group, f.workspace.id, None)).await.unwrap();
    }
    tx.commit(&f.event(permit, 40)).await.unwrap();
    f
}

async fn groups_read_back_as_written(store: Store) {
    let f = populate(&store).await;
    let organization = f.organization.id;
    let names = async |search: &str, offset, limit| {
        let (page, total) = groups::page(&store, organization, search, offset, limit).await.unwrap();
        (page.into_iter().map(|group| group.name).collect::<Vec<_>>(), total)
    };
    assert_eq!(names("ETE", 0, 10).await, (vec!["Été".to_owned()], 1));
    assert_eq!(names("%", 0, 10).await, (vec!["50%".to_owned()], 1), "what is searched for is text");
    assert_eq!((names("", 4, 10).await.0.len(), names("", 9, 10).await), (1, (vec![], 5)));
    let permit = permit(organization, Action::UpdateGroup);
    let mut tx = store.begin().await.unwrap();
    let twin = groups::insert(&mut tx, &permit, &group(&f, 9, "two")).await;
    assert!(matches!(twin, Err(StoreError::Conflict)));
    drop(tx);
    let changed = Group {
        name: "eins".into(),
        description: Some("d".into()),
        target: Some(GroupTarget::Organization),
        organization_role: Some(MEMBER),
        ..group(&f, 1, "")
    };
    let mut tx = store.begin().await.unwrap();
    groups::save(&mut tx, &permit, &changed).await.unwrap();
    tx.commit(&f.event(permit, 41)).await.unwrap();
    assert_eq!(groups::get(&store, organization, changed.id).await.unwrap(), Some(changed.clone()));
    let foreign = louver_domain::id::OrganizationId::from_bytes([9; 16]);
    assert_eq!(groups::get(&store, foreign, changed.id).await.unwrap(), None);
    let two = GroupId::from_bytes([2; 16]);
    assert_eq!(groups::children(&store, changed.id).await.unwrap(), [(two, "two".to_owned())]);
    assert_eq!(groups::parents(&store, organization).await.unwrap().len(), 2);
    let (page, total) = groups::members(&store, GroupId::from_bytes([3; 16]), 1, 5).await.unwrap();
    assert_eq!((page.len(), page[0].2.as_str(), total), (1, "p22@example.com", 2));

    // The fixture's workspace is archived: it is left out.
    assert_eq!(groups::workspaces(&store, changed.id, 0, 10).await.unwrap(), (vec![], 0));
    let mut tx = store.begin().await.unwrap();
    let open = Workspace { archived_at: None, ..f.workspace.clone() };
    workspaces::save(&mut tx, &permit, &open).await.unwrap();
    let other = place(&f, 1, f.workspace.id, Some("analyst"));
    groups::save_workspace(&mut tx, &permit, &other).await.unwrap();
    tx.commit(&f.event(permit, 42)).await.unwrap();
    let page = groups::workspaces(&store, changed.id, 0, 10).await.unwrap();
    assert_eq!(page, (vec![(other, "default".to_owned())], 1));
    assert_eq!(groups::workspaces(&store, changed.id, 1, 10).await.unwrap(), (vec![], 1));
    let there = async |after: Option<GroupId>, limit: u64| {
        let found = groups::in_workspace(&store, f.workspace.id, after, limit).await.unwrap();
        found.into_iter().map(|(place, name)| (place.group_id, name, place.model_role)).collect::<Vec<_>>()
    };
    let all = there(None, 10).await;
    assert_eq!(all[0], (changed.id, changed.name.clone(), Some("analyst".to_owned())));
    assert_eq!(
        (there(None, 1).await, there(Some(changed.id), 10).await),
        (all[..1].to_vec(), all[1..].to_vec())
    );

    let mut tx = store.begin().await.unwrap();
    groups::delete(&mut tx, &permit, two).await.unwrap();
    tx.commit(&f.event(permit, 43)).await.unwrap();
    assert_eq!(groups::parents(&store, organization).await.unwrap(), []);
}

async fn who_belongs_is_counted_once_however_they_come_there(store: Store) {
    let f = populate(&store).await;
    let empty = WorkspaceId::from_bytes([66; 16]);
    let counts = members::count(&store, &[f.workspace.id, empty]).await.unwrap();
    // The fixture's own person, 20 and 23 by themselves; 21 and 22 through groups.
    assert_eq!((counts[&f.workspace.id], counts[&empty]), (5, 0));
    assert!(members::count(&store, &[]).await.unwrap().is_empty());
}

async fn members_are_paged_in_the_order_of_their_ids(store: Store) {
    let f = populate(&store).await;
    let page = members::page(&store, f.workspace.id, None, 3).await.unwrap();
    let ids = |page: &[members::Member]| page.iter().map(|m| m.user_id.bytes()[0]).collect::<Vec<_>>();
    assert_eq!(ids(&page), [3, 20, 21]);
    assert_eq!((page[0].model_role.as_deref(), page[0].via_groups.len()), (Some("analyst"), 0));
    assert_eq!((page[2].roles.len(), page[2].via_groups.clone()), (0, vec![GroupId::from_bytes([1; 16])]));
    let rest = members::page(&store, f.workspace.id, Some(page[2].user_id), 9).await.unwrap();
    assert_eq!(ids(&rest), [22, 23]);
    assert_eq!(rest[0].via_groups, [1, 4].map(|n| GroupId::from_bytes([n; 16])));
    assert_eq!((rest[1].roles.len(), rest[1].via_groups.len()), (1, 1));
    assert_eq!(members::page(&store, f.workspace.id, Some(rest[1].user_id), 9).await.unwrap(), []);
}

async fn admins(tx: &mut Tx, f: &Fixture) -> u64 {
    grants::count_admins(tx, f.organization.id).await.unwrap()
}

async fn what_groups_give_reaches_everybody_within(store: Store) {
    let f = populate(&store).await;
    let permit = permit(f.organization.id, Action::UpdateGroup);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(admins(&mut tx, &f).await, 0);
    let given = Group { organization_role: Some(ORGANIZATION_ADMIN), ..group(&f, 1, "one") };
    groups::save(&mut tx, &permit, &given).await.unwrap();
    assert_eq!(admins(&mut tx, &f).await, 3, "21, 22 and 23");
    let of = grants::of(&mut tx, &person(&f, 21)).await.unwrap();
    assert_eq!(of.organization, [MEMBER, ORGANIZATION_ADMIN]);
    assert_eq!(of.workspaces, [(f.workspace.id, vec![WORKSPACE_ADMIN])]);
    groups::save_workspace(&mut tx, &permit, &place(&f, 4, f.workspace.id, Some("senior"))).await.unwrap();
    groups::save_workspace(&mut tx, &permit, &place(&f, 1, f.workspace.id, Some("analyst"))).await.unwrap();
    tx.commit(&f.event(permit, 41)).await.unwrap();
    let rules = snapshot::load(&store).await.unwrap();
    let role = |number: u8| {
        rules.member_roles.get(&(f.workspace.id, UserId::from_bytes([number; 16]))).map(String::as_str)
    };
    assert_eq!((role(21), role(22), role(20), role(25)), (Some("analyst"), Some("analyst"), None, None));
    let mut tx = store.begin().await.unwrap();
    groups::take_out(&mut tx, &permit, GroupId::from_bytes([2; 16])).await.unwrap();
    assert_eq!(admins(&mut tx, &f).await, 1);
    let none: Vec<(WorkspaceId, Vec<RoleId>)> = vec![];
    assert_eq!(grants::of(&mut tx, &person(&f, 21)).await.unwrap().workspaces, none);
}

async fn workspaces_are_paged_for_who_sees_few(store: Store) {
    let f = Fixture::write(&store).await;
    let permit = permit(f.organization.id, Action::CreateWorkspace);
    let mut tx = store.begin().await.unwrap();
    for (number, name) in [(70, "Équipe"), (71, "100%"), (72, "zoo")] {
        let id = WorkspaceId::from_bytes([number; 16]);
        let workspace =
            Workspace { id, name: name.into(), is_default: false, archived_at: None, ..f.workspace.clone() };
        workspaces::insert(&mut tx, &permit, &workspace).await.unwrap();
    }
    tx.commit(&f.event(permit, 40)).await.unwrap();
    let names = async |among: Option<Vec<u8>>, search: &str, archived, offset| {
        let among = among.map(|all| all.into_iter().map(|n| WorkspaceId::from_bytes([n; 16])).collect());
        let filter = workspaces::Filter { archived, search: search.into(), among, offset, limit: 2 };
        let (page, total) = workspaces::page(&store, f.organization.id, &filter).await.unwrap();
        let mut names: Vec<String> = page.into_iter().map(|workspace| workspace.name).collect();
        names.sort();
        (names, total)
    };
    for among in [None, Some(vec![2, 70, 71, 72])] {
        assert_eq!(names(among.clone(), "equipe", false, 0).await, (vec!["Équipe".into()], 1));
        assert_eq!(names(among.clone(), "%", false, 0).await, (vec!["100%".into()], 1));
        assert_eq!(names(among.clone(), "", false, 2).await.0.len(), 1);
        assert_eq!(names(among, "", true, 0).await.1, 4);
    }
    assert_eq!(names(Some(vec![72]), "", true, 0).await, (vec!["zoo".into()], 1));
    assert_eq!(names(Some(vec![]), "", true, 0).await, (vec![], 0));
}

async fn what_is_searched_for_is_text(store: Store) {
    let f = Fixture::write(&store).await;
    let id = f.organization.id;
    let permit = permit(id, Action::CreateGroup);
    let mut tx = store.begin().await.unwrap();
    for (number, name) in [(70, "a%b"), (71, "a_b"), (72, "a\\b"), (73, "axb")] {
        groups::insert(&mut tx, &permit, &group(&f, number, name)).await.unwrap();
        let workspace = WorkspaceId::from_bytes([number; 16]);
        let workspace = Workspace {
            id: workspace,
            name: name.into(),
            is_default: false,
            archived_at: None,
            ..f.workspace.clone()
        };
        workspaces::insert(&mut tx, &permit, &workspace).await.unwrap();
        let email = format!("{name}@example.com");
        users::insert(&mut tx, &permit, &User { email, ..person(&f, number) }).await.unwrap();
    }
    tx.commit(&f.event(permit, 40)).await.unwrap();
    for (word, wanted) in [
        ("%", "a%b"),
        ("A%B", "a%b"),
        ("_", "a_b"),
        ("\\", "a\\b"),
        ("a\\b", "a\\b"),
        ("%%", ""),
        ("\\%", ""),
    ] {
        let wanted: Vec<String> =
            Some(wanted.to_owned()).filter(|name| !name.is_empty()).into_iter().collect();
        let (found, total) = groups::page(&store, id, word, 0, 9).await.unwrap();
        assert_eq!(found.into_iter().map(|group| group.name).collect::<Vec<_>>(), wanted, "{word}");
        assert_eq!(total, wanted.len() as u64);
        let filter =
            workspaces::Filter { archived: false, search: word.into(), among: None, offset: 0, limit: 9 };
        let (found, _) = workspaces::page(&store, id, &filter).await.unwrap();
        assert_eq!(found.into_iter().map(|place| place.name).collect::<Vec<_>>(), wanted, "{word}");
        let filter = users::Filter { email: word.to_lowercase(), offset: 0, limit: 9 };
        let (found, _) = users::page(&store, id, &filter).await.unwrap();
        let names = found.into_iter().map(|user| user.email.replace("@example.com", ""));
        assert_eq!(names.collect::<Vec<_>>(), wanted, "{word}");
    }
}

async fn user(system: &System, name: &str) -> String {
    let email = format!("{name}@example.com");
    let body = json!([{"email": email, "first_name": name, "last_name": ""}]);
    let made = system.deed("POST", "/v1/admin/users", body).await;
    made["email_to_user_id"][&email].as_str().unwrap().to_owned()
}

async fn made(system: &System, path: &str, body: Value) -> String {
    system.deed("POST", path, body).await["uuid"].as_str().unwrap().to_owned()
}

async fn empty(system: &System, method: &str, path: &str, body: Value) {
    let answer = system.admin(method, path, Some(body)).await;
    assert!(matches!(answer.status.as_u16(), 201 | 204), "{method} {path}: {}", answer.text());
}

async fn asked(system: &System, key: &str, model: &str) -> (u16, String) {
    system.chat(key, model).await.verdict()
}

#[tokio::test]
async fn the_key_of_a_person_is_refused_at_once_after_they_were_taken_out() {
    let system = System::start().await;
    let (ann, ben) = (user(&system, "ann").await, user(&system, "ben").await);
    let team = made(&system, "/v1/admin/workspaces", json!({"name": "team", "admin_user_id": ann})).await;
    let path = format!("/v1/admin/workspaces/{team}");
    let people = json!({"members": [{"user_uuid": ben}]});
    system.deed("POST", &format!("{path}/add-users"), people.clone()).await;
    let owned = json!({"workspace_id": team, "owner_user_id": ben});
    let (key, _) = system.key(owned.clone()).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    system.deed("DELETE", &format!("{path}/remove-users"), people.clone()).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 401);

    let group = made(&system, "/v1/admin/user-groups", json!({"name": "g"})).await;
    let groups = format!("/v1/admin/user-groups/{group}");
    empty(&system, "POST", &format!("{groups}/workspaces"), json!({"workspace_uuid": team})).await;
    empty(&system, "POST", &format!("{groups}/members"), json!({"user_uuids": [ben]})).await;
    system.deed("POST", &format!("{path}/add-users"), people.clone()).await;
    let (key, _) = system.key(owned).await;
    system.deed("DELETE", &format!("{path}/remove-users"), people).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200, "a group still leads there");
    empty(&system, "DELETE", &format!("{groups}/members"), json!({"user_uuids": [ben]})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 401);
}

#[tokio::test]
async fn the_keys_of_a_workspace_are_refused_at_once_after_it_was_archived() {
    let system = System::start().await;
    let ann = user(&system, "ann").await;
    let team = made(&system, "/v1/admin/workspaces", json!({"name": "team", "admin_user_id": ann})).await;
    let (key, _) = system.key(json!({"workspace_id": team})).await;
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    empty(&system, "DELETE", &format!("/v1/admin/workspaces/{team}"), json!({})).await;
    assert_eq!(asked(&system, &key, "mistral-small-latest").await, (403, "workspace_archived".into()));
}

#[tokio::test]
async fn the_model_role_of_a_group_limits_the_calls_of_its_members() {
    let system = System::start().await;
    let ann = user(&system, "ann").await;
    let (top, low) = (
        made(&system, "/v1/admin/user-groups", json!({"name": "top"})).await,
        made(&system, "/v1/admin/user-groups", json!({"name": "low"})).await,
    );
    let groups = |id: &str, rest: &str| format!("/v1/admin/user-groups/{id}/{rest}");
    empty(&system, "PATCH", &groups(&top, "nested"), json!({"child_group_uuids": [low]})).await;
    empty(&system, "POST", &groups(&low, "members"), json!({"user_uuids": [ann]})).await;
    empty(&system, "POST", &groups(&top, "workspaces"), json!({"workspace_uuid": system.workspace})).await;
    let (key, _) = system.key(json!({"owner_user_id": ann})).await;
    assert_eq!(system.chat(&key, "mistral-large-latest").await.status, 200);
    let path = format!("/v1/gateway/workspaces/{}/groups/{top}/model-role", system.workspace);
    system.deed("PUT", &path, json!({"role": "analyst"})).await;
    assert_eq!(asked(&system, &key, "mistral-large-latest").await, (403, "model_not_allowed".into()));
    assert_eq!(system.chat(&key, "mistral-small-latest").await.status, 200);
    system.deed("PUT", &path, json!({"role": null})).await;
    assert_eq!(system.chat(&key, "mistral-large-latest").await.status, 200);
}
