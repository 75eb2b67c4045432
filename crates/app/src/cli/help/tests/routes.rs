//! Every route of the admin API has a command, or a reason why it has none; and no command is named that is not there.

use clap::Command;
use std::collections::BTreeSet;

/// Why a route has no command. Rows of [`ROUTES`] that begin so have none.
const MISTRALS: &str = "- the same in Mistral's shape; ";
const ELSEWHERE: &str = "- ";

/// Each route and the command that asks it.
const ROUTES: &[(&str, &str)] = &[
    ("GET /invitations/{token}", "- a page for the browser of who is invited"),
    ("POST /invitations/{token}", "- a page for the browser of who is invited"),
    ("POST /v1/gateway/invitations/accept", "- for who is invited and has no admin key yet"),
    ("GET /v1/users/me", "- an API key asks it about itself"),
    ("GET /v1/users/me/organizations", "- an API key asks it about itself"),
    ("GET /v1/users/me/workspaces", "- an API key asks it about itself"),
    ("GET /v1/admin/analytics/vibe/code/usage/by_organization", "- always empty here"),
    ("GET /v1/admin/analytics/vibe/code/usage/by_workspace", "- always empty here"),
    ("GET /v1/admin/analytics/vibe/work/usage/by_agent_stats", "- always empty here"),
    ("GET /v1/admin/analytics/vibe/work/usage/by_time_stats", "- always empty here"),
    ("GET /v1/admin/analytics/vibe/work/usage/by_user_stats", "- always empty here"),
    ("GET /v1/admin/api-keys", "- the same in Mistral's shape; keys list"),
    ("POST /v1/admin/api-keys", "- the same in Mistral's shape; keys create"),
    ("DELETE /v1/admin/api-keys/{key_id}", "- the same in Mistral's shape; keys revoke"),
    ("GET /v1/admin/audit-logs", "- the same in Mistral's shape; audit export"),
    ("GET /v1/admin/rate-limit", "- the same in Mistral's shape; limits show"),
    ("GET /v1/admin/roles", "roles available"),
    ("POST /v1/admin/scim/sync", "- for the identity provider's own tool"),
    ("GET /v1/admin/scim/sync/{run_id}", "- for the identity provider's own tool"),
    ("GET /v1/admin/spend-limit", "- the same in Mistral's shape; limits show"),
    ("POST /v1/admin/spend-limit", "- the same in Mistral's shape; limits set"),
    ("GET /v1/admin/usage", "- the same in Mistral's shape; usage"),
    ("GET /v1/admin/user-groups", "groups list"),
    ("POST /v1/admin/user-groups", "groups create"),
    ("POST /v1/admin/user-groups/provision-workspace", "- the same in Mistral's shape; groups workspace"),
    ("GET /v1/admin/user-groups/{group_uuid}", "groups show"),
    ("PATCH /v1/admin/user-groups/{group_uuid}", "groups update"),
    ("DELETE /v1/admin/user-groups/{group_uuid}", "groups delete"),
    ("GET /v1/admin/user-groups/{group_uuid}/members", "groups show"),
    ("POST /v1/admin/user-groups/{group_uuid}/members", "groups add"),
    ("DELETE /v1/admin/user-groups/{group_uuid}/members", "groups remove"),
    ("GET /v1/admin/user-groups/{group_uuid}/nested", "groups show"),
    ("PATCH /v1/admin/user-groups/{group_uuid}/nested", "groups nest"),
    ("PATCH /v1/admin/user-groups/{group_uuid}/organization-role", "groups role"),
    ("GET /v1/admin/user-groups/{group_uuid}/workspaces", "groups show"),
    ("POST /v1/admin/user-groups/{group_uuid}/workspaces", "groups workspace"),
    ("PATCH /v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}", "groups workspace"),
    ("DELETE /v1/admin/user-groups/{group_uuid}/workspaces/{workspace_uuid}", "groups leave"),
    ("GET /v1/admin/users", "- the same in Mistral's shape; members list"),
    ("POST /v1/admin/users", "members create"),
    ("GET /v1/admin/users/{user_id}", "- the same in Mistral's shape; members show"),
    ("PATCH /v1/admin/users/{user_id}", "members role"),
    ("DELETE /v1/admin/users/{user_id}", "members remove"),
    ("GET /v1/admin/users-invite", "- the same in Mistral's shape; members invitations"),
    ("POST /v1/admin/users-invite", "members invite"),
    ("DELETE /v1/admin/users-invite/{invite_uuid}", "members uninvite"),
    ("GET /v1/admin/workspaces", "- the same in Mistral's shape; workspaces list"),
    ("POST /v1/admin/workspaces", "workspaces create"),
    ("PATCH /v1/admin/workspaces/{workspace_uuid}", "workspaces update"),
    ("DELETE /v1/admin/workspaces/{workspace_uuid}", "workspaces archive"),
    ("POST /v1/admin/workspaces/{workspace_uuid}/add-users", "members add"),
    ("DELETE /v1/admin/workspaces/{workspace_uuid}/remove-users", "members remove"),
    ("PATCH /v1/admin/workspaces/{workspace_uuid}/users", "members role"),
    ("GET /v1/api-keys", "keys list"),
    ("POST /v1/api-keys", "keys create"),
    ("GET /v1/api-keys/{id}", "keys show"),
    ("PATCH /v1/api-keys/{id}", "keys update"),
    ("DELETE /v1/api-keys/{id}", "keys revoke"),
    ("POST /v1/api-keys/{id}/disable", "keys disable"),
    ("POST /v1/api-keys/{id}/enable", "keys enable"),
    (
        "GET /v1/gateway/adjustments",
        "- reconcile shows what is to be posted; what was posted is in the audit log",
    ),
    ("POST /v1/gateway/adjustments", "reconcile"),
    ("GET /v1/gateway/alert-channels", "alerts channels list"),
    ("POST /v1/gateway/alert-channels", "alerts channels create"),
    ("GET /v1/gateway/alert-channels/{id}", "alerts channels show"),
    ("PATCH /v1/gateway/alert-channels/{id}", "alerts channels update"),
    ("DELETE /v1/gateway/alert-channels/{id}", "alerts channels delete"),
    ("POST /v1/gateway/alert-channels/{id}/test", "alerts channels test"),
    ("GET /v1/gateway/alerts", "alerts list"),
    ("GET /v1/gateway/audit", "- the audit log is proved and taken out offline: audit export"),
    ("GET /v1/gateway/audit/checkpoint", "doctor"),
    ("GET /v1/gateway/audit/export", "- the audit log is proved and taken out offline: audit export"),
    ("GET /v1/gateway/budgets", "budgets list"),
    ("POST /v1/gateway/budgets/release", "budgets release"),
    ("GET /v1/gateway/budgets/{id}", "budgets show"),
    ("POST /v1/gateway/budgets/{id}/unblock", "budgets unblock"),
    ("GET /v1/gateway/custom-roles", "roles custom list"),
    ("POST /v1/gateway/custom-roles", "roles custom create"),
    ("GET /v1/gateway/custom-roles/{role}", "roles custom show"),
    ("PATCH /v1/gateway/custom-roles/{role}", "roles custom update"),
    ("DELETE /v1/gateway/custom-roles/{role}", "roles custom delete"),
    ("POST /v1/gateway/explain", "explain"),
    ("GET /v1/gateway/invitations", "members invitations"),
    ("GET /v1/gateway/keys/{id}/limits", "limits show"),
    ("PATCH /v1/gateway/keys/{id}/limits", "limits set"),
    ("GET /v1/gateway/me", "whoami"),
    ("GET /v1/gateway/models", "prices show"),
    ("PUT /v1/gateway/models", "prices set"),
    (
        "GET /v1/gateway/models/sightings",
        "- what is new at the provider is looked at with its page beside it",
    ),
    ("POST /v1/gateway/models/sightings/{name}/dismiss", "- as above"),
    ("GET /v1/gateway/models/{id}", "- a part of prices show"),
    ("GET /v1/gateway/objects", "- what the provider keeps is taken over once, by a script"),
    ("POST /v1/gateway/objects", "- what the provider keeps is taken over once, by a script"),
    ("DELETE /v1/gateway/objects/{id}", "- what the provider keeps is taken over once, by a script"),
    ("GET /v1/gateway/organization", "organization show"),
    ("PATCH /v1/gateway/organization", "organization update"),
    ("GET /v1/gateway/permissions", "roles permissions"),
    ("GET /v1/gateway/roles", "roles list"),
    ("POST /v1/gateway/roles", "roles create"),
    ("GET /v1/gateway/roles/{name}", "roles show"),
    ("PATCH /v1/gateway/roles/{name}", "roles update"),
    ("DELETE /v1/gateway/roles/{name}", "roles delete"),
    ("POST /v1/gateway/roles/{name}/restore", "roles restore"),
    ("GET /v1/gateway/service-accounts", "service-accounts list"),
    ("POST /v1/gateway/service-accounts", "service-accounts create"),
    ("GET /v1/gateway/service-accounts/{account}", "service-accounts show"),
    ("PATCH /v1/gateway/service-accounts/{account}", "service-accounts update"),
    ("DELETE /v1/gateway/service-accounts/{account}", "service-accounts delete"),
    ("POST /v1/gateway/simulate", "- a draft of limits is a document: it is sent as one, by a script"),
    ("GET /v1/gateway/upstreams", "upstreams list"),
    ("POST /v1/gateway/upstreams", "upstreams create"),
    ("PATCH /v1/gateway/upstreams/{id}", "upstreams update"),
    ("DELETE /v1/gateway/upstreams/{id}", "upstreams delete"),
    ("GET /v1/gateway/usage", "usage"),
    ("GET /v1/gateway/users", "members list"),
    ("GET /v1/gateway/users/{user}", "members show"),
    ("GET /v1/gateway/users/{user}/limits", "limits show"),
    ("PATCH /v1/gateway/users/{user}/limits", "limits set"),
    ("GET /v1/gateway/workspaces", "workspaces list"),
    ("GET /v1/gateway/workspaces/{workspace}/groups", "- a part of groups show; apply reads it"),
    ("PUT /v1/gateway/workspaces/{workspace}/groups/{group}/model-role", "groups model-role"),
    ("GET /v1/gateway/workspaces/{workspace}/limits", "limits show"),
    ("PATCH /v1/gateway/workspaces/{workspace}/limits", "limits set"),
    ("GET /v1/gateway/workspaces/{workspace}/members", "workspaces members"),
    ("PUT /v1/gateway/workspaces/{workspace}/members/{user}/model-role", "members model-role"),
    (
        "PUT /v1/gateway/workspaces/{workspace}/service-accounts/{account}/model-role",
        "- service-accounts update sets it",
    ),
    ("POST /v1/api-keys/{id}/rotate", "keys rotate"),
    ("GET /v1/gateway/keys/{id}/secrets", "keys secrets"),
    ("GET /v1/gateway/keys/audit", "keys audit"),
    ("POST /v1/gateway/keys/report-leak", "keys report-leak"),
    ("PUT /v1/gateway/keys/{id}/unused-exemption", "keys exempt"),
    ("DELETE /v1/gateway/keys/{id}/unused-exemption", "keys exempt"),
    ("GET /v1/gateway/admin-keys", "rotation admin-keys list"),
    ("POST /v1/gateway/admin-keys/{id}/rotate", "rotation admin-keys rotate"),
    ("GET /v1/gateway/rotation-policies", "rotation policies list"),
    ("GET /v1/gateway/rotation-policies/keys/{key}", "rotation policies set"),
    ("GET /v1/gateway/rotation-policies/organization", "rotation policies set"),
    ("GET /v1/gateway/rotation-policies/workspaces/{workspace}", "rotation policies set"),
    ("PUT /v1/gateway/rotation-policies", "rotation policies set"),
    ("GET /v1/gateway/rotations", "rotation list"),
    ("POST /v1/gateway/rotations", "rotation start"),
    ("GET /v1/gateway/rotations/{id}", "rotation show"),
    ("POST /v1/gateway/rotations/{id}/retry", "rotation retry"),
    ("POST /v1/gateway/rotations/{id}/cancel", "rotation cancel"),
    ("GET /v1/gateway/secret-destinations", "rotation destinations list"),
    ("POST /v1/gateway/secret-destinations", "rotation destinations create"),
    ("GET /v1/gateway/secret-destinations/{id}", "rotation destinations show"),
    ("PATCH /v1/gateway/secret-destinations/{id}", "rotation destinations update"),
    ("DELETE /v1/gateway/secret-destinations/{id}", "rotation destinations delete"),
    ("POST /v1/gateway/secret-destinations/{id}/test", "rotation destinations test"),
];

#[test]
fn every_route_has_a_command_or_a_reason() {
    let operations = louver_control::operations();
    let served: BTreeSet<String> =
        operations.iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
    let named: BTreeSet<String> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(named.len(), ROUTES.len(), "a route stands twice");
    let missing: Vec<&String> = served.difference(&named).collect();
    assert!(missing.is_empty(), "routes that no command asks: {missing:#?}");
    let gone: Vec<&String> = named.difference(&served).collect();
    assert!(gone.is_empty(), "routes that are not served: {gone:#?}");
}

#[test]
fn every_command_of_that_table_is_there() {
    let tree = super::tree();
    let find =
        |way: &str| way.split(' ').try_fold(&tree, |command: &Command, name| command.find_subcommand(name));
    for (route, way) in ROUTES {
        let way = way.strip_prefix(MISTRALS).unwrap_or(way);
        if way.starts_with(ELSEWHERE) {
            continue;
        }
        let command = find(way);
        assert!(
            command.is_some_and(|command| !command.has_subcommands()),
            "{route}: there is no louver {way}"
        );
    }
}
