#!/usr/bin/env bash
# Builds an organization from an empty directory by curl alone: every operation of Mistral's Admin API, as its guides
# show them. Runs a `louver serve` of its own.
# usage: admin_guides.sh LOUVER_BINARY
set -euo pipefail
louver=$1
folder=$(mktemp -d)
pid=
stop() {
  if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" || true; fi
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM

settings=(
  env -i PATH="$PATH" HOME="$folder" LOUVER_LISTEN=127.0.0.1:0 LOUVER_DATABASE_URL="sqlite:$folder/louver.db"
  LOUVER_MASTER_KEY_FILE="$folder/master.key" LOUVER_UPSTREAM_URL=http://127.0.0.1:9 LOUVER_UPSTREAM_KEY=none
)
ADMIN_API_KEY=$("${settings[@]}" "$louver" init --name "Example Inc" | grep -oE 'lva_[A-Za-z0-9_]+')
mkfifo "$folder/log"
"${settings[@]}" "$louver" serve 2>"$folder/log" &
pid=$!
exec {log}<"$folder/log"
until [[ ${said:-} == *"louver serves"* ]]; do
  IFS= read -r -t 60 -u "$log" said || { echo "not ok  guides: louver serve says no address"; exit 1; }
done
cat <&"$log" >/dev/null &
MISTRAL=http://$(grep -oE '127\.0\.0\.1:[0-9]+' <<<"$said" | head -n 1)
NOBODY=00000000-0000-4000-8000-000000000000
failed=0

# step NAME STATUS JQ_PROGRAM curl…: runs the curl line as it stands; its status must be this one, and the program true
# of the body, which is then in $body. An empty program: there must be no body.
step() {
  local name=$1 status=$2 program=$3 got reason=
  shift 3
  got=$("$@" -sS -w '\n%{http_code}' 2>&1) || reason="curl ended with $?"
  body=${got%$'\n'*}
  if [ "${got##*$'\n'}" != "$status" ]; then reason="status ${got##*$'\n'}, wanted $status"; fi
  if [ -z "$reason" ]; then
    if [ -z "$program" ]; then
      [ -z "$body" ] || reason="a body, wanted none"
    elif ! jq -e "$program" <<<"$body" >/dev/null 2>&1; then
      reason="not true: $program"
    fi
  fi
  if [ -z "$reason" ]; then
    echo "ok      guides: $name"
  else
    failed=1
    echo "not ok  guides: $name: $reason"
    printf '%s\n' "$*" "$body" | sed 's/^/        /'
  fi
}

# id JQ_PROGRAM: something out of the last body; a name that no object has when it is not there.
id() { jq -er "$1 // empty" <<<"$body" 2>/dev/null || echo "$NOBODY"; }

# Who is there
step "an empty organization has no users" 200 '.members == [] and .invites == [] and .total == 0 and .page == 1' \
  curl "$MISTRAL/v1/admin/users?page=1&page_size=25" \
  -H "x-api-key: $ADMIN_API_KEY"
step "roles, with their UUIDs" 200 '
  (.workspace_roles | any(.name == "workspace_contributor" and .uuid == "b23cd6e0-91cd-4a8a-9869-b30366bf3966"))
  and (.organization_roles | map(.name) | index("organization_admin") and index("billing_manager") and index("member"))' \
  curl "$MISTRAL/v1/admin/roles" \
  -H "x-api-key: $ADMIN_API_KEY"
step "create users" 200 '.invalid_emails == [] and (.email_to_user_id | keys == ["alice@example.com", "bob@example.com"])' \
  curl -X POST "$MISTRAL/v1/admin/users" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '[
    {"email": "alice@example.com", "first_name": "Alice", "last_name": "Martin", "role_names": ["organization_admin"]},
    {"email": "bob@example.com", "first_name": "Bob", "last_name": "Smith", "role_names": ["member"]}
  ]'
alice=$(id '.email_to_user_id["alice@example.com"]')
bob=$(id '.email_to_user_id["bob@example.com"]')
step "list users, by address" 200 ".total == 1 and .members[0].uuid == \"$bob\" and .members[0].name == \"Bob Smith\"" \
  curl "$MISTRAL/v1/admin/users?email=bob@example.com" \
  -H "x-api-key: $ADMIN_API_KEY"
step "a user" 200 '.first_name == "Alice" and .last_name == "Martin" and has("oid_id") and (.raw_roles | length) == 1' \
  curl "$MISTRAL/v1/admin/users/$alice" \
  -H "x-api-key: $ADMIN_API_KEY"
step "make a user billing manager" 200 ".uuid == \"$bob\" and (.raw_role == .raw_roles[0])" \
  curl -X PATCH "$MISTRAL/v1/admin/users/$bob" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"role_names": ["billing_manager"]}'
step "invite users" 200 '.invited_members_count == 2 and .invalid_emails == ["nobody"] and .already_members == []' \
  curl -X POST "$MISTRAL/v1/admin/users-invite" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"email": "carol@example.com,dave@example.com,nobody", "role_names": ["member"]}'
step "list invitations" 200 'map(.email) | sort == ["carol@example.com", "dave@example.com"]' \
  curl "$MISTRAL/v1/admin/users-invite" \
  -H "x-api-key: $ADMIN_API_KEY"
dave=$(id '.[] | select(.email == "dave@example.com").invite_uuid')
step "revoke an invitation" 200 '.message | length > 0' \
  curl -X DELETE "$MISTRAL/v1/admin/users-invite/$dave" \
  -H "x-api-key: $ADMIN_API_KEY"
step "one invitation is left, on the users' page too" 200 '(.invites | map(.email)) == ["carol@example.com"]' \
  curl "$MISTRAL/v1/admin/users" \
  -H "x-api-key: $ADMIN_API_KEY"

# Workspaces and their members
step "create a workspace" 200 '.name == "Product Team" and .icon == "★" and .is_default == false and .raw_role' \
  curl -X POST "$MISTRAL/v1/admin/workspaces" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"name\": \"Product Team\", \"description\": \"Product and design\", \"icon\": \"★\", \"admin_user_id\": \"$alice\"}"
product=$(id .uuid)
step "create a workspace with everybody in it" 200 '.name == "Research" and .description == ""' \
  curl -X POST "$MISTRAL/v1/admin/workspaces" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"name\": \"Research\", \"add_all_org_members\": true, \"admin_user_id\": \"$alice\"}"
research=$(id .uuid)
step "list workspaces" 200 '.object == "list" and .total == 3 and (.items | map(.name) | index("Product Team"))' \
  curl "$MISTRAL/v1/admin/workspaces?page=1&page_size=25" \
  -H "x-api-key: $ADMIN_API_KEY"
step "search workspaces" 200 ".total == 1 and .items[0].uuid == \"$research\" and .items[0].members_count == 2" \
  curl "$MISTRAL/v1/admin/workspaces?search=resea" \
  -H "x-api-key: $ADMIN_API_KEY"
step "rename a workspace" 200 '.name == "Products" and .description == "Product and design"' \
  curl -X PATCH "$MISTRAL/v1/admin/workspaces/$product" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "Products"}'
step "add a member to a workspace" 200 '. == {added_members_count: 1}' \
  curl -X POST "$MISTRAL/v1/admin/workspaces/$product/add-users" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"members\": [{\"user_uuid\": \"$bob\", \"role_names\": [\"dev\"]}]}"
step "change a member's role" 200 '. == {added_members_count: 0, updated_members_count: 1}' \
  curl -X PATCH "$MISTRAL/v1/admin/workspaces/$product/users" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"members\": [{\"user_uuid\": \"$bob\", \"role_names\": [\"workspace_admin\"]}]}"
step "remove members, one of whom is none" 200 ".deleted_members_count == 1 and .not_deleted_members == [\"$NOBODY\"]" \
  curl -X DELETE "$MISTRAL/v1/admin/workspaces/$product/remove-users" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"members\": [{\"user_uuid\": \"$bob\"}, {\"user_uuid\": \"$NOBODY\"}]}"

# Groups
step "create a group" 200 '.name == "Engineering" and .description == null and .parent_group_ids == []' \
  curl -X POST "$MISTRAL/v1/admin/user-groups" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "Engineering"}'
engineering=$(id .uuid)
step "create a group inside of it" 200 ".parent_group_ids == [\"$engineering\"]" \
  curl -X POST "$MISTRAL/v1/admin/user-groups" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"name\": \"Backend\", \"description\": \"All of backend\", \"parent_group_ids\": [\"$engineering\"]}"
backend=$(id .uuid)
step "list groups" 200 '.total == 2 and .page_size == 25 and (.items | map(.name) | sort == ["Backend", "Engineering"])' \
  curl "$MISTRAL/v1/admin/user-groups?page=1&page_size=25" \
  -H "x-api-key: $ADMIN_API_KEY"
step "a group" 200 ".uuid == \"$backend\" and .description == \"All of backend\"" \
  curl "$MISTRAL/v1/admin/user-groups/$backend" \
  -H "x-api-key: $ADMIN_API_KEY"
step "rename a group" 200 '.name == "Platform"' \
  curl -X PATCH "$MISTRAL/v1/admin/user-groups/$backend" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "Platform"}'
step "groups inside of a group" 200 ".children == [{uuid: \"$backend\", name: \"Platform\"}]" \
  curl "$MISTRAL/v1/admin/user-groups/$engineering/nested" \
  -H "x-api-key: $ADMIN_API_KEY"
step "no group inside of itself" 409 '.detail' \
  curl -X PATCH "$MISTRAL/v1/admin/user-groups/$backend/nested" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"child_group_uuids\": [\"$engineering\"]}"
step "take the groups out of a group" 204 '' \
  curl -X PATCH "$MISTRAL/v1/admin/user-groups/$engineering/nested" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"child_group_uuids": []}'
step "add members to a group" 204 '' \
  curl -X POST "$MISTRAL/v1/admin/user-groups/$backend/members" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"user_uuids\": [\"$alice\", \"$bob\"]}"
step "remove a member of a group" 204 '' \
  curl -X DELETE "$MISTRAL/v1/admin/user-groups/$backend/members" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"user_uuids\": [\"$alice\"]}"
step "list the members of a group" 200 ".total == 1 and .members[0].user_uuid == \"$bob\" and .page == 1" \
  curl "$MISTRAL/v1/admin/user-groups/$backend/members?page=1&page_size=25" \
  -H "x-api-key: $ADMIN_API_KEY"
step "give a group a role in a workspace" 201 '' \
  curl -X POST "$MISTRAL/v1/admin/user-groups/$backend/workspaces" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"workspace_uuid\": \"$product\", \"role_names\": [\"dev\"]}"
step "provision a group to a workspace" 204 '' \
  curl -X POST "$MISTRAL/v1/admin/user-groups/provision-workspace" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"user_group_uuid\": \"$backend\", \"workspace_uuid\": \"$research\", \"workspace_role_name\": \"user\"}"
step "list the workspaces of a group" 200 '
  .total == 2 and (.items | map({(.workspace_name): [.roles[].name]}) | add == {Products: ["dev"], Research: ["user"]})' \
  curl "$MISTRAL/v1/admin/user-groups/$backend/workspaces" \
  -H "x-api-key: $ADMIN_API_KEY"
step "change a group's role in a workspace" 204 '' \
  curl -X PATCH "$MISTRAL/v1/admin/user-groups/$backend/workspaces/$product" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"role_names": ["workspace_admin"]}'
step "take a group out of a workspace" 204 '' \
  curl -X DELETE "$MISTRAL/v1/admin/user-groups/$backend/workspaces/$research" \
  -H "x-api-key: $ADMIN_API_KEY"
step "give a group a role in the organization, by name as the guide does" 204 '' \
  curl -X PATCH "$MISTRAL/v1/admin/user-groups/$backend/organization-role" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"organization_role": "member"}'

# Keys
step "create a key" 200 '
  .name == "Production API Key" and .expiration_date == "2099-12-31" and (.key | length > 20)
  and .hidden_key != .key and .key[-4:] == .hidden_key[-4:]' \
  curl -X POST "$MISTRAL/v1/admin/api-keys" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"name\": \"Production API Key\", \"expiration\": \"2099-12-31\", \"workspace_uuid\": \"$product\", \"user_id\": \"$bob\"}"
key=$(id .key_id)
MISTRAL_API_KEY=$(id .key)
step "list keys" 200 ".keys | length == 1 and .[0].key_id == \"$key\" and .[0].key == null and .[0].workspace_name == \"Products\"" \
  curl "$MISTRAL/v1/admin/api-keys?limit=100&offset=0" \
  -H "x-api-key: $ADMIN_API_KEY"
step "find a key by its last four letters" 200 ".keys | map(.key_id) == [\"$key\"]" \
  curl -G "$MISTRAL/v1/admin/api-keys" --data-urlencode "name=${MISTRAL_API_KEY: -4}" \
  -H "x-api-key: $ADMIN_API_KEY"
step "who a key is" 200 ".id == \"$bob\" and .email == \"bob@example.com\" and .workspace.id == \"$product\"" \
  curl "$MISTRAL/v1/users/me" \
  -H "x-api-key: $MISTRAL_API_KEY"
step "the organizations of a key" 200 '.organizations | map(.name) == ["Example Inc"]' \
  curl "$MISTRAL/v1/users/me/organizations" \
  -H "x-api-key: $MISTRAL_API_KEY"
step "the workspaces of a key" 200 '.workspaces | map(.name) | index("Products")' \
  curl "$MISTRAL/v1/users/me/workspaces?limit=10" \
  -H "x-api-key: $MISTRAL_API_KEY"
step "an admin key is nobody" 401 '. == {detail: "Unauthorized"}' \
  curl "$MISTRAL/v1/users/me" \
  -H "x-api-key: $ADMIN_API_KEY"

# Limits, usage, analytics
step "set the spend limit" 200 '.limits.completion.usage_limit == 5000 and .limits.completion.no_monthly_limit == false' \
  curl -X POST "$MISTRAL/v1/admin/spend-limit" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"amount": 5000}'
step "the spend limit" 200 '.limits | .completion.usage_limit == 5000 and .currency == "USD" and .last_payment_failure == false' \
  curl "$MISTRAL/v1/admin/spend-limit" \
  -H "x-api-key: $ADMIN_API_KEY"
step "the rate limits" 200 '(.requests_per_second | type) == "number" and (.tokens_limits_by_model | length > 0)' \
  curl "$MISTRAL/v1/admin/rate-limit" \
  -H "x-api-key: $ADMIN_API_KEY"
step "the usage of a month" 200 '.start_date < .end_date and .vibe_usage == 0 and (.completion.models | type) == "object"' \
  curl "$MISTRAL/v1/admin/usage?month=5&year=2026" \
  -H "x-api-key: $ADMIN_API_KEY"
for by in work/usage/by_user_stats work/usage/by_agent_stats work/usage/by_time_stats code/usage/by_organization \
  code/usage/by_workspace; do
  step "analytics: $by" 200 'type == "object"' \
    curl "$MISTRAL/v1/admin/analytics/vibe/$by?start_time=1777593600&end_time=1780271999" \
    -H "x-api-key: $ADMIN_API_KEY"
done

# SCIM: nothing is connected
step "no SCIM sync without a directory" 404 '.detail' \
  curl -X POST "$MISTRAL/v1/admin/scim/sync" \
  -H "x-api-key: $ADMIN_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"dry_run": true}'
step "no such SCIM run" 404 '.detail' \
  curl "$MISTRAL/v1/admin/scim/sync/$NOBODY" \
  -H "x-api-key: $ADMIN_API_KEY"

# What goes
step "delete a key" 200 '.detail | length > 0' \
  curl -X DELETE "$MISTRAL/v1/admin/api-keys/$key" \
  -H "x-api-key: $ADMIN_API_KEY"
step "a deleted key is nobody at once" 401 '. == {detail: "Unauthorized"}' \
  curl "$MISTRAL/v1/users/me" \
  -H "x-api-key: $MISTRAL_API_KEY"
step "delete a group" 204 '' \
  curl -X DELETE "$MISTRAL/v1/admin/user-groups/$backend" \
  -H "x-api-key: $ADMIN_API_KEY"
step "archive a workspace" 204 '' \
  curl -X DELETE "$MISTRAL/v1/admin/workspaces/$research" \
  -H "x-api-key: $ADMIN_API_KEY"
step "archived workspaces can be listed" 200 ".items | any(.uuid == \"$research\")" \
  curl "$MISTRAL/v1/admin/workspaces?is_archived=true" \
  -H "x-api-key: $ADMIN_API_KEY"
step "remove a user" 200 '.message | length > 0' \
  curl -X DELETE "$MISTRAL/v1/admin/users/$bob" \
  -H "x-api-key: $ADMIN_API_KEY"
step "a removed user is gone" 404 '.detail' \
  curl "$MISTRAL/v1/admin/users/$bob" \
  -H "x-api-key: $ADMIN_API_KEY"

# The audit log has it all
step "the newest events" 200 'length == 20 and (map(.log_id) | . == (sort | reverse)) and all(.[]; .actor_type and .created_at)' \
  curl "$MISTRAL/v1/admin/audit-logs?limit=20" \
  -H "x-api-key: $ADMIN_API_KEY"
step "events by kind and by who did it" 200 '
  map(.event_type) == ["workspace.create", "workspace.create", "user_group.create", "user_group.create"]' \
  curl "$MISTRAL/v1/admin/audit-logs?actor_type=API_KEY&event_type=workspace.create&event_type=user_group.create&sort=ascending" \
  -H "x-api-key: $ADMIN_API_KEY"
step "no events before there was one" 200 '. == []' \
  curl "$MISTRAL/v1/admin/audit-logs?before=2020-01-01T00:00:00Z" \
  -H "x-api-key: $ADMIN_API_KEY"

exit "$failed"
