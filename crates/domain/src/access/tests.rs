//! Rights in tables, and compared with a second reader of the rules.

use super::*;
use crate::roles::{BUILTIN, Builtin, RoleLevel, WORKSPACE_ADMIN, WORKSPACE_CONTRIBUTOR};

const OWN: OrganizationId = OrganizationId::from_bytes([1; 16]);
const FOREIGN: OrganizationId = OrganizationId::from_bytes([2; 16]);
const HERE: WorkspaceId = WorkspaceId::from_bytes([3; 16]);
const THERE: WorkspaceId = WorkspaceId::from_bytes([4; 16]);
const ANN: UserId = UserId::from_bytes([5; 16]);
const BOB: UserId = UserId::from_bytes([6; 16]);

fn person(organization: &[RoleId], here: &[RoleId]) -> Actor {
    let workspaces = if here.is_empty() { vec![] } else { vec![(HERE, here.to_vec())] };
    let grants = Grants { organization: organization.to_vec(), workspaces };
    let identity = Identity::Person { id: ANN, email: "ann@example.org".into() };
    Actor::new(identity, OWN, Rights::of(Some(ANN), &grants, &Roles::default()))
}

fn role(name: &str) -> RoleId {
    BUILTIN.iter().find(|role| role.name == name).map(Builtin::id).unwrap()
}

#[test]
fn nobody_acts_outside_his_organization() {
    let actor = Actor::system(OWN);
    assert!(decide(&actor, Action::RevokeApiKey, OWN).is_ok());
    assert_eq!(decide(&actor, Action::RevokeApiKey, FOREIGN).unwrap_err(), Denied::Unseen);
}

#[test]
fn rights_in_one_workspace_end_at_its_border() {
    let admin = person(&[role("member")], &[WORKSPACE_ADMIN]);
    let (here, there) = (Resource::workspace(OWN, HERE), Resource::workspace(OWN, THERE));
    assert!(decide(&admin, Action::CreateApiKey, here).is_ok());
    assert_eq!(decide(&admin, Action::CreateApiKey, there).unwrap_err(), Denied::Unseen);
    assert_eq!(decide(&admin, Action::CreateUser, OWN).unwrap_err(), Denied::Lacks(Action::CreateUser));
    let lacks = Denied::Lacks(Action::UpdateWorkspaceLimits);
    assert_eq!(decide(&admin, Action::UpdateWorkspaceLimits, here).unwrap_err(), lacks);
    assert_eq!(admin.workspaces_with(Action::ReadApiKeys), Some(vec![HERE]));
}

#[test]
fn own_things_are_own_while_one_belongs_to_their_workspace() {
    let dev = person(&[role("member")], &[WORKSPACE_CONTRIBUTOR]);
    let key = |workspace, owner| Resource::workspace(OWN, workspace).owned_by(owner);
    assert!(decide(&dev, Action::RevokeApiKey, key(HERE, Some(ANN))).is_ok());
    let lacks = Denied::Lacks(Action::RevokeApiKey);
    assert_eq!(decide(&dev, Action::RevokeApiKey, key(HERE, Some(BOB))).unwrap_err(), lacks);
    assert_eq!(decide(&dev, Action::RevokeApiKey, key(HERE, None)).unwrap_err(), lacks);
    assert_eq!(decide(&dev, Action::RevokeApiKey, key(THERE, Some(ANN))).unwrap_err(), Denied::Unseen);
    let lacks = Denied::Lacks(Action::EnableApiKey);
    assert_eq!(decide(&dev, Action::EnableApiKey, key(HERE, Some(ANN))).unwrap_err(), lacks);
}

#[test]
fn nobody_gives_what_he_does_not_hold_and_nobody_to_himself() {
    let admin = person(&[role("member")], &[WORKSPACE_ADMIN]);
    let of = |id: RoleId| Builtin::find(id).unwrap().actions();
    assert_eq!(may_grant(&admin, Some(BOB), of(WORKSPACE_ADMIN), Some(HERE)), Ok(()));
    assert_eq!(may_grant(&admin, Some(ANN), of(WORKSPACE_CONTRIBUTOR), Some(HERE)), Err(Denied::OwnRights));
    let there = may_grant(&admin, Some(BOB), of(WORKSPACE_CONTRIBUTOR), Some(THERE));
    assert!(matches!(there, Err(Denied::NotHeld(_))));
    let above = may_grant(&admin, Some(BOB), of(role("organization_admin")), None);
    assert!(matches!(above, Err(Denied::NotHeld(_))));
    assert_eq!(may_grant(&Actor::system(OWN), Some(BOB), of(role("organization_admin")), None), Ok(()));
}

/// The rules once more, read off the words of the table and not off sets.
fn reference(organization: &str, workspace: Option<&str>, action: Action, own: bool, here: bool) -> bool {
    let actions = |level, name: &str| Builtin::named(level, name).unwrap().actions();
    let from_org = actions(RoleLevel::Organization, organization).iter().any(|a| a == action);
    let member = workspace.is_some() && here;
    let from_workspace = member
        && workspace.is_some_and(|name| actions(RoleLevel::Workspace, name).iter().any(|a| a == action));
    let own = own && member && action.holders().own();
    // What nobody can hold is still a person's to do to what is their own.
    let from_all = organization == "organization_admin" && action.can_be_held();
    from_all || from_org || from_workspace || own
}

#[test]
fn every_pair_of_roles_decides_as_the_reference_does() {
    let names = |level| BUILTIN.iter().filter(move |role| role.level == level).map(|role| role.name);
    for organization in names(RoleLevel::Organization) {
        for workspace in names(RoleLevel::Workspace).map(Some).chain([None]) {
            let roles: Vec<RoleId> = workspace.map(role).into_iter().collect();
            let actor = person(&[role(organization)], &roles);
            for action in Action::ALL {
                for (own, here) in [(false, false), (false, true), (true, false), (true, true)] {
                    let place = if here { HERE } else { THERE };
                    let resource = Resource::workspace(OWN, place).owned_by(own.then_some(ANN));
                    let decided = decide(&actor, *action, resource).is_ok();
                    let expected = reference(organization, workspace, *action, own, here);
                    assert_eq!(
                        decided, expected,
                        "{organization} {workspace:?} {action:?} own={own} here={here}"
                    );
                }
            }
        }
    }
}
