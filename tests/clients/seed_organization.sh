#!/usr/bin/env bash
# Builds an organization of three workspaces (developers, machine learning, production) with its people, keys, limits and
# alerts from an empty directory, by curl alone, and tries it out.
# usage: seed_organization.sh LOUVER_BINARY
set -euo pipefail
louver=$(realpath "${1:?usage: seed_organization.sh LOUVER_BINARY}")
folder=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 1' INT TERM
failed=0

# check NAME COMMAND…: the command must succeed; what it prints is shown when it does not.
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok      seed organization: $name"
  else
    failed=1
    echo "not ok  seed organization: $name"
    printf '%s\n' "$*" "$said" | sed 's/^/        /'
  fi
}
holds() { jq -e "$2" <<<"$1" || { echo "got: $1"; return 1; }; }
is() { [ "$1" = "$2" ] || { echo "got: $1, wanted: $2"; return 1; }; }

# listening FILE PATTERN: waits until the program has written where it listens, and answers that.
listening() {
  local tries=600 found
  while [ $((tries--)) -gt 0 ]; do
    found=$(grep -aoE "$2" "$1" 2>/dev/null | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 || true)
    if [ -n "$found" ]; then echo "http://$found"; return; fi
    read -rt 0.1 <> <(:) || true
  done
  cat "$1" >&2
  return 1
}

"$louver" simulator --listen 127.0.0.1:0 >"$folder/simulator" 2>&1 &
pids+=($!)
upstream=$(listening "$folder/simulator" 'listens on http://127\.0\.0\.1:[0-9]+')
settings=(env -i "PATH=$PATH" "HOME=$folder" "LOUVER_DATABASE_URL=sqlite:$folder/louver.db" LOUVER_LISTEN=127.0.0.1:0
  "LOUVER_MASTER_KEY_FILE=$folder/master.key" "LOUVER_UPSTREAM_URL=$upstream" LOUVER_UPSTREAM_KEY=simulated LOUVER_LOG=info)
"${settings[@]}" "$louver" init --name Acme >"$folder/init" 2>&1
ADMIN_API_KEY=$(grep -oE 'lva_[0-9A-Za-z_]+' "$folder/init")
"${settings[@]}" "$louver" serve >"$folder/serve" 2>&1 &
pids+=($!)
URL=$(listening "$folder/serve" 'address=127\.0\.0\.1:[0-9]+')

# admin METHOD PATH [BODY]: one admin request; prints the answer, and fails on anything but success.
admin() {
  curl -sS --fail-with-body -X "$1" "$URL$2" -H "x-api-key: $ADMIN_API_KEY" ${3:+-d "$3"} || { echo "$1 $2 failed" >&2; return 1; }
}

people=$(admin POST /v1/admin/users '[
  {"email": "lead@acme.example", "first_name": "Lea", "last_name": "Lead", "role_names": ["organization_admin"]},
  {"email": "dev@acme.example", "first_name": "Dee", "last_name": "Dev"},
  {"email": "ml@acme.example", "first_name": "Mel", "last_name": "Lin"}]')
user() { jq -r ".email_to_user_id[\"$1@acme.example\"]" <<<"$people"; }
check "three people" holds "$people" '(.email_to_user_id | length) == 3 and .invalid_emails == []'

# workspace NAME DESCRIPTION ICON LIMITS: makes a workspace with its limits, and prints its id.
workspace() {
  local id
  id=$(admin POST /v1/admin/workspaces "$(jq -cn --arg n "$1" --arg d "$2" --arg i "$3" --arg u "$(user lead)" \
    '{name: $n, description: $d, icon: $i, admin_user_id: $u}')" | jq -r .uuid)
  admin PATCH "/v1/gateway/workspaces/$id/limits" "$4" >/dev/null
  echo "$id"
}
dev=$(workspace dev-workspace "All developers" 🛠 '{"allowed_models": ["mistral-small", "codestral"], "requests_per_minute": 60,
  "monthly_budget_usd": 50, "alert_thresholds": [50, 80, 95], "key_creation": "members"}')
ml=$(workspace ml-workspace "ML engineers" 🧪 '{"requests_per_minute": 200, "monthly_budget_usd": 500}')
prod=$(workspace prod-workspace "CI/CD only" 🚀 '{"requests_per_minute": 500, "monthly_budget_usd": 2000}')
check "three workspaces beside the default one" holds "$(admin GET /v1/admin/workspaces)" '.total == 4
  and (.items | map({key: .name, value: .spend_limit.value}) | from_entries)
    == {default: null, "dev-workspace": 50, "ml-workspace": 500, "prod-workspace": 2000}'

added=$(admin POST "/v1/admin/workspaces/$dev/add-users" "{\"members\": [{\"user_uuid\": \"$(user dev)\", \"role\": \"M\"}]}")
check "a member of the developers' workspace" is "$(jq .added_members_count <<<"$added")" 1
admin POST "/v1/admin/workspaces/$ml/add-users" \
  "{\"members\": [{\"user_uuid\": \"$(user ml)\", \"role_names\": [\"workspace_admin\"]}]}" >/dev/null
members=$(admin GET "/v1/gateway/workspaces/$ml/members")
check "an admin of the other" holds "$members" 'any(.data[]; .email == "ml@acme.example" and .role_names == ["workspace_admin"])'
admin PUT "/v1/gateway/workspaces/$dev/members/$(user dev)/model-role" '{"role": "developer"}' >/dev/null
admin PUT "/v1/gateway/workspaces/$ml/members/$(user ml)/model-role" '{"role": "senior"}' >/dev/null

admin POST /v1/admin/spend-limit '{"amount": 2500}' >/dev/null
check "the organization's monthly limit" holds "$(admin GET /v1/admin/spend-limit)" '
  .limits.completion.usage_limit == 2500 and .limits.completion.monthly_limit_reached == false'
above=$(curl -sS -o /dev/null -w '%{http_code}' -X PATCH "$URL/v1/gateway/workspaces/$prod/limits" \
  -H "x-api-key: $ADMIN_API_KEY" -d '{"monthly_budget_usd": 3000}')
check "a workspace's limit above it is refused" is "$above" 422

backend=$(admin POST /v1/api-keys "{\"name\": \"prod-backend\", \"workspace_id\": \"$prod\",
  \"allowed_models\": [\"mistral-small-latest\", \"mistral-embed\"], \"rate_limit_rpm\": 100, \"monthly_budget_usd\": 200}")
mine=$(admin POST /v1/admin/api-keys "{\"name\": \"dee\", \"workspace_uuid\": \"$dev\", \"user_id\": \"$(user dev)\"}")
chat() {
  curl -sS -o "$folder/answer" -w '%{http_code}' "$URL/v1/chat/completions" -H "Authorization: Bearer $1" \
    -H 'Content-Type: application/json' -d "{\"model\": \"$2\", \"max_tokens\": 20, \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}"
}
check "the service calls its model" is "$(chat "$(jq -r .key <<<"$backend")" mistral-small-latest)" 200
check "and no other" is "$(chat "$(jq -r .key <<<"$backend")" mistral-large-latest)" 403
check "the developer calls a small model" is "$(chat "$(jq -r .key <<<"$mine")" codestral-latest)" 200
check "the developer calls no large one" is "$(chat "$(jq -r .key <<<"$mine")" mistral-large-latest)" 403
check "the key's list has both" holds "$(admin GET /v1/admin/api-keys)" '[.keys[].name] | sort == ["dee", "prod-backend"]'
check "the log has it all" holds "$(admin GET '/v1/admin/audit-logs?limit=100')" '
  [.[].event_type] | (index("workspace.create") and index("api_key.create") and index("billing.monthly_limit.updated"))'
exit $failed
