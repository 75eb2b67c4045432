//! What requests take, fill in and refuse.

use crate::admin::api_keys::{APIKeyProduct, AdminCreateAPIKeyIN};
use crate::admin::invites::{EmailLanguage, OrganizationInviteIN};
use crate::admin::limits::NewUsageLimitIN;
use crate::admin::roles::{RoleRef, RolesFault, UserRole, WorkspaceRoleName};
use crate::admin::scim::AdminScimSyncTriggerIN;
use crate::admin::user_groups::*;
use crate::admin::users::{AdminOrganizationMemberUpdate, OrganizationMembersCreate};
use crate::admin::workspaces::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::{Uuid, uuid};

const ID: Uuid = uuid!("7f8e9d0c-1b2a-4c3d-8e9f-0a1b2c3d4e5f");

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str(&body.to_string())
}

#[track_caller]
fn takes<T: DeserializeOwned>(body: Value) -> T {
    read(&body).unwrap_or_else(|error| panic!("{body}: {error}"))
}

/// A body that is taken, but not with each of the changes, nor with an unknown field, nor when one of the
/// fields in `without` is absent or `null`.
#[track_caller]
fn refuses<T: DeserializeOwned>(good: &Value, changes: &[(&str, Value)], without: &[&str]) {
    assert!(read::<T>(good).is_ok(), "{good}");
    let (unknown, null) = (("unknown", json!(1)), json!(null));
    for (field, value) in changes.iter().chain([&unknown]) {
        let mut body = good.clone();
        body[field] = value.clone();
        assert!(read::<T>(&body).is_err(), "{body}");
    }
    for field in without {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(*field);
        assert!(read::<T>(&body).is_err(), "{body}");
        body[field] = null.clone();
        assert!(read::<T>(&body).is_err(), "{body}");
    }
}

#[test]
fn words_are_read_as_they_are_written_and_from_strings_only() {
    for role in WorkspaceRoleName::ALL {
        assert_eq!(takes::<WorkspaceRoleName>(json!(role)), *role);
        assert_eq!(json!(role), role.word());
    }
    assert_eq!(json!(APIKeyProduct::ALL), json!(["API", "Mistral Code", "Vibe"]));
    for bad in [json!("Dev"), json!(""), json!({ "dev": null }), json!(["dev"]), json!(3), json!(null)] {
        assert!(read::<WorkspaceRoleName>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn users_to_make_come_as_a_list_of_objects() {
    let one = json!({ "email": "a@b.c", "first_name": "A", "last_name": "B" });
    let OrganizationMembersCreate(users) = takes(json!([one]));
    assert_eq!(users[0].email.as_str(), "a@b.c");
    assert_eq!(users[0].asked_roles(), Ok(None));
    assert_eq!(takes::<OrganizationMembersCreate>(json!([])).0, []);
    let long = "x".repeat(256);
    for bad in [json!([null, null, null, null, "a@b.c", "A", "B", null]), json!("a"), json!(null)] {
        assert!(read::<OrganizationMembersCreate>(&json!([bad])).is_err(), "{bad}");
    }
    assert!(read::<OrganizationMembersCreate>(&one).is_err());
    refuses::<crate::admin::users::OrganizationMemberCreate>(
        &one,
        &[
            ("email", json!(long)),
            ("first_name", json!(1)),
            ("subscription_types", json!(["SEAT"])),
            ("subscription_types", json!([{ "CHAT": null }])),
            ("roles", json!(["Z"])),
            ("roles", json!("A")),
            ("roles", json!([{ "A": null }])),
            ("roles", json!([ID.simple().to_string()])),
            ("role", json!("member")),
            ("role", json!(["A"])),
            ("role_names", json!([1])),
            ("role_name", json!(true)),
        ],
        &["email", "first_name", "last_name"],
    );
    refuses::<AdminOrganizationMemberUpdate>(&json!({}), &[("subscription_types", json!(["API"]))], &[]);
    takes::<AdminOrganizationMemberUpdate>(json!({ "subscription_types": null, "roles": null }));
}

#[test]
fn roles_are_asked_for_in_one_way_only() {
    let all = |body: Value| takes::<AdminOrganizationMemberUpdate>(body).asked_roles();
    let asked = |body: Value| all(body).map(|asked| asked.map(|asked| asked.chosen));
    let id = RoleRef::Id(ID);
    assert_eq!(asked(json!({})), Ok(None));
    assert_eq!(asked(json!({ "role": null, "role_names": null })), Ok(None));
    let letters = [RoleRef::Letter(UserRole::Billing), id.clone(), id];
    assert_eq!(asked(json!({ "roles": ["B", ID, ID] })), Ok(Some(letters.to_vec())));
    let name = |name: &str| RoleRef::Name(name.to_owned());
    let names = vec![name("member"), name("night-shift")];
    assert_eq!(asked(json!({ "role_names": ["member", "night-shift"] })), Ok(Some(names)));
    assert_eq!(asked(json!({ "role_name": "member" })), Ok(Some(vec![name("member")])));
    assert_eq!(asked(json!({ "role": "A" })), Ok(Some(vec![RoleRef::Letter(UserRole::Admin)])));
    assert_eq!(asked(json!({ "roles": [] })), Err(RolesFault::Empty { field: "roles" }));
    assert_eq!(asked(json!({ "role_names": [] })), Err(RolesFault::Empty { field: "role_names" }));
    let (names, letters) = (json!(["member"]), json!(["A"]));
    for (other, field, one, two) in
        [("role_names", "roles", &names, &letters), ("role_name", "role", &names[0], &letters[0])]
    {
        let fault = asked(json!({ other: one, field: two })).unwrap_err();
        assert_eq!((fault, fault.field()), (RolesFault::Both { field, other }, field));
    }
    let member = vec![name("member")];
    let both = json!({ "role_names": names, "role": "A" });
    assert_eq!(asked(both.clone()), Ok(Some(member)), "a list wins");
    assert_eq!(all(both).unwrap().unwrap().passed_over, [RoleRef::Letter(UserRole::Admin)]);
}

#[test]
fn roles_of_workspaces_have_no_letter_of_billing() {
    let member = json!({ "user_uuid": ID, "roles": ["A", "M", WorkspaceRoleName::Dev.uuid()] });
    let asked = takes::<WorkspaceMemberSingleIN>(member.clone()).asked_roles().unwrap().unwrap().chosen;
    assert_eq!(asked[1], RoleRef::Letter(UserRole::Member));
    assert_eq!(asked[2], RoleRef::Id(uuid!("578584f1-4319-4c88-9948-38a5184483b6")));
    refuses::<WorkspaceMemberSingleIN>(
        &member,
        &[("roles", json!(["B"])), ("role", json!("B")), ("user_uuid", json!("me"))],
        &["user_uuid"],
    );
    let both = json!({ "workspace_uuid": ID, "role": "A", "role_names": ["dev"] });
    let dev = RoleRef::Name("dev".into());
    let asked = takes::<AssignGroupToWorkspaceIn>(both.clone()).asked_roles().unwrap().unwrap();
    assert_eq!((asked.chosen, asked.passed_over), (vec![dev], vec![RoleRef::Letter(UserRole::Admin)]));
    refuses::<AssignGroupToWorkspaceIn>(&both, &[("role_name", json!("dev"))], &["workspace_uuid"]);
    let role = json!({ "roles": [ID] });
    assert!(takes::<UpdateGroupWorkspaceAssignmentIn>(role).asked_roles().unwrap().is_some());
    let group = json!({ "user_group_uuid": ID, "workspace_uuid": ID, "workspace_role": "M" });
    assert!(takes::<AdminProvisionGroupToWorkspaceIn>(group.clone()).asked_roles().unwrap().is_some());
    let mut both = group.clone();
    both["workspace_role_name"] = json!("dev");
    let fault = takes::<AdminProvisionGroupToWorkspaceIn>(both).asked_roles().unwrap_err();
    assert_eq!(fault.to_string(), "`workspace_role_name` cannot be given together with `workspace_role`");
    refuses::<AdminProvisionGroupToWorkspaceIn>(&group, &[], &["user_group_uuid", "workspace_uuid"]);
}

#[test]
fn the_role_of_a_group_in_the_organization_is_a_letter_an_id_or_a_name() {
    let role = |value: Value| {
        takes::<UpdateUserGroupOrganizationRoleIn>(json!({ "organization_role": value })).organization_role
    };
    assert_eq!(role(json!("B")), RoleRef::Letter(UserRole::Billing));
    assert_eq!(role(json!(ID)), RoleRef::Id(ID));
    assert_eq!(role(json!("member")), RoleRef::Name("member".to_owned()));
    refuses::<UpdateUserGroupOrganizationRoleIn>(
        &json!({ "organization_role": "A" }),
        &[("organization_role", json!(["A"])), ("organization_role", json!(1))],
        &["organization_role"],
    );
}

#[test]
fn invites() {
    let invite: OrganizationInviteIN =
        takes(json!({ "email": " a@b.c, d@e.f\r\n\ng@h.i,", "email_language": "pt_br" }));
    assert_eq!(invite.emails().collect::<Vec<_>>(), ["a@b.c", "d@e.f", "g@h.i"]);
    assert_eq!(invite.email_language, Some(EmailLanguage::PtBr));
    assert!(!invite.subscription_seat_automatic_granting);
    refuses::<OrganizationInviteIN>(
        &json!({ "email": "a@b.c", "workspace_uuids": null, "subscription_type": null }),
        &[
            ("subscription_seat_automatic_granting", json!(null)),
            ("subscription_seat_automatic_granting", json!("false")),
            ("subscription_seat_automatic_granting", json!(0)),
            ("email_language", json!("EN")),
            ("workspace_uuids", json!(["x"])),
            ("workspace_uuids", json!(ID)),
            ("subscription_type", json!("SEAT")),
        ],
        &["email"],
    );
}

#[test]
fn workspaces() {
    let least = json!({ "name": "Product", "admin_user_id": ID });
    let workspace: AdminWorkspaceIn = takes(least.clone());
    assert_eq!((workspace.description.as_str(), workspace.icon.as_str()), ("", ""));
    assert!(!workspace.add_all_org_members);
    refuses::<AdminWorkspaceIn>(
        &least,
        &[
            ("description", json!(null)),
            ("icon", json!(null)),
            ("icon", json!("abc")),
            ("add_all_org_members", json!(null)),
            ("add_all_org_members", json!("yes")),
            ("name", json!("x".repeat(256))),
        ],
        &["name", "admin_user_id"],
    );
    let change: UpdateWorkspaceIN = takes(json!({ "name": null, "icon": "🦊" }));
    assert_eq!((change.name, change.description), (None, None));
    assert_eq!(change.icon.unwrap().into_string(), "🦊");
    refuses::<UpdateWorkspaceIN>(&json!({}), &[("icon", json!("abc")), ("name", json!(1))], &[]);
}

#[test]
fn members_of_workspaces_are_objects() {
    assert_eq!(takes::<WorkspaceMemberIN>(json!({})).members, None);
    assert_eq!(takes::<WorkspaceMemberIN>(json!({ "members": null })).members, None);
    let members = takes::<WorkspaceMemberIN>(json!({ "members": [{ "user_uuid": ID }] })).members;
    assert_eq!(members.unwrap()[0].user_uuid, ID);
    let list = json!([null, null, null, null, ID]);
    refuses::<WorkspaceMemberIN>(&json!({}), &[("members", json!([list])), ("members", json!({}))], &[]);
    let gone = json!({ "members": [{ "user_uuid": ID }] });
    assert_eq!(takes::<RemoveWorkspaceMembersIN>(gone.clone()).members[0].user_uuid, ID);
    refuses::<RemoveWorkspaceMembersIN>(
        &gone,
        &[
            ("members", json!([[ID]])),
            ("members", json!([ID])),
            ("members", json!([{ "user_uuid": ID, "role": "A" }])),
        ],
        &["members"],
    );
}

#[test]
fn user_groups() {
    let least = json!({ "name": "Engineering" });
    assert!(takes::<AdminUserGroupIn>(least.clone()).parent_group_ids.is_empty());
    let full = json!({ "name": "E", "description": "d", "target_type": "O", "parent_group_ids": [ID] });
    let group: AdminUserGroupIn = takes(full);
    assert_eq!(group.target_type, Some(UserGroupTargetType::Organization));
    refuses::<AdminUserGroupIn>(
        &least,
        &[
            ("parent_group_ids", json!(null)),
            ("target_type", json!("w")),
            ("description", json!("x".repeat(256))),
        ],
        &["name"],
    );
    let change: AdminUpdateUserGroupIn = takes(json!({ "parent_group_ids": [] }));
    assert_eq!(change.parent_group_ids, Some(Vec::new()));
    assert_eq!(takes::<AdminUpdateUserGroupIn>(json!({ "parent_group_ids": null })).parent_group_ids, None);
    refuses::<AdminUpdateUserGroupIn>(&json!({}), &[("name", json!([]))], &[]);
    refuses::<AdminAssignUsersToGroupIn>(
        &json!({ "user_uuids": [ID] }),
        &[("user_uuids", json!([1])), ("user_uuids", json!(ID))],
        &["user_uuids"],
    );
    refuses::<SetNestedGroupsIn>(&json!({ "child_group_uuids": [] }), &[], &["child_group_uuids"]);
}

#[test]
fn api_keys() {
    let least = json!({ "workspace_uuid": ID, "user_id": ID });
    let key: AdminCreateAPIKeyIN = takes(least.clone());
    assert_eq!((key.name, key.expiration), (None, None));
    let mut dated = least.clone();
    dated["expiration"] = json!("2028-02-29");
    assert_eq!(takes::<AdminCreateAPIKeyIN>(dated).expiration.unwrap().as_str(), "2028-02-29");
    refuses::<AdminCreateAPIKeyIN>(
        &least,
        &[
            ("expiration", json!("2027-02-29")),
            ("expiration", json!("2027-02-01T00:00:00Z")),
            ("expiration", json!(20_270_201)),
            ("name", json!(1)),
        ],
        &["workspace_uuid", "user_id"],
    );
}

#[test]
fn spend_limits() {
    let limit: NewUsageLimitIN = takes(json!({ "amount": 150 }));
    assert_eq!((limit.amount, limit.no_monthly_limit), (150, false));
    for (large, read) in [(json!(u64::MAX), i64::MAX), (json!(1e30), i64::MAX), (json!(-1e30), i64::MIN)] {
        assert_eq!(takes::<NewUsageLimitIN>(json!({ "amount": large })).amount, read, "{large}");
    }
    refuses::<NewUsageLimitIN>(
        &json!({ "amount": 150 }),
        &[
            ("amount", json!("150")),
            ("amount", json!(150.5)),
            ("amount", json!(150.0)),
            ("amount", json!(true)),
            ("no_monthly_limit", json!(null)),
            ("no_monthly_limit", json!(1)),
        ],
        &["amount"],
    );
}

#[test]
fn scim_runs_are_dry_unless_asked_otherwise() {
    let run: AdminScimSyncTriggerIN = takes(json!({}));
    assert!(run.dry_run && run.sync_config.is_none());
    let config = json!({ "sync_users": true, "sync_groups": false, "sync_memberships": true });
    let run: AdminScimSyncTriggerIN = takes(json!({ "dry_run": false, "sync_config": config }));
    let read = run.sync_config.unwrap();
    assert!(!read.delete_missing_groups && !read.deprovision_users && read.sync_memberships);
    let with = |field: &str, value: Value| {
        let mut config = config.clone();
        config[field] = value;
        ("sync_config", config)
    };
    refuses::<AdminScimSyncTriggerIN>(
        &json!({ "sync_config": null }),
        &[
            ("dry_run", json!(null)),
            ("dry_run", json!("true")),
            ("sync_config", json!({})),
            ("sync_config", json!([false, false, true, true, true])),
            with("sync_users", json!(null)),
            with("deprovision_users", json!(null)),
            with("unknown", json!(true)),
        ],
        &[],
    );
}
