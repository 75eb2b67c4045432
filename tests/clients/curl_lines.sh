#!/usr/bin/env bash
# The curl and jq lines of the product's first documents, as a person would paste them.
# usage: curl_lines.sh FILE   (FILE: what `louver dev --json` printed)
set -euo pipefail

GATEWAY_URL=$(jq -r .api_url "$1")
MISTRAL_ADMIN_KEY=$(jq -r .admin_key "$1")
WORKSPACE_ID=$(jq -r '.workspaces["dev-workspace"].uuid' "$1")
failed=0

# check NAME COMMAND…: the command must succeed; what it prints is shown when it does not.
check() {
  local name=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "ok      curl: $name"
  else
    failed=1
    echo "not ok  curl: $name"
    printf '%s\n' "$*" "$said" | sed 's/^/        /'
  fi
}

# holds JSON JQ_PROGRAM: the program must say true.
holds() { jq -e "$2" <<<"$1" || { echo "got: $1"; return 1; }; }
is() { [ "$1" = "$2" ] || { echo "got: $1, wanted: $2"; return 1; }; }

keys_named() {
  curl -sS "$GATEWAY_URL/v1/api-keys" \
    -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" | jq -c "[.data[] | select(.name == \"$1\")] | length"
}

created=$(curl -sS -X POST "$GATEWAY_URL/v1/api-keys" \
  -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" \
  -d '{
    "name": "dev-team-small-only",
    "allowed_models": ["mistral-small-latest", "codestral-latest"],
    "rate_limit_rpm": 100
  }')
check "create a key, with curl's own content type" holds "$created" '
  .object == "api_key" and .name == "dev-team-small-only" and .rate_limit_rpm == 100 and .last_used_at == null
  and .allowed_models == ["mistral-small-latest", "codestral-latest"] and .key == .api_key
  and (.key | startswith("lvr_"))'
id=$(jq -r .id <<<"$created")
secret=$(jq -r .key <<<"$created")

in_workspace=$(curl -sS -X POST "$GATEWAY_URL/v1/api-keys" \
  -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" \
  -H "Content-Type: application/json" \
  -d "{
    \"name\": \"dev-team-key\",
    \"description\": \"Dev team — small models only\",
    \"workspace_id\": \"$WORKSPACE_ID\"
  }")
check "create a key in a workspace, with a description" holds "$in_workspace" "
  .description == \"Dev team — small models only\" and .workspace_id == \"ws_${WORKSPACE_ID//-/}\""

listed=$(curl -sS "$GATEWAY_URL/v1/api-keys" \
  -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" | jq '.data[] | {name, id, created_at, last_used_at}' | jq -s .)
check "list the keys" holds "$listed" "
  any(.[]; .id == \"$id\" and .name == \"dev-team-small-only\" and .last_used_at == null
    and (.created_at | test(\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\$\")))"
check "no secret in the list" holds "$(jq -Rs . <<<"$listed")" "contains(\"$secret\") | not"

unused=$(curl -sS "$GATEWAY_URL/v1/api-keys" \
  -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" |
  jq '.data[] | select(.last_used_at < (now - 2592000 | todate)) | {name, id, last_used_at}' | jq -s .)
check "find the keys unused for 30 days" holds "$unused" "any(.[]; .id == \"$id\")"

# The comment makes it no JSON: nothing may be made of it.
commented=$(curl -sS -w '\n%{http_code}' -X POST "$GATEWAY_URL/v1/api-keys" \
  -H "Authorization: Bearer $MISTRAL_ADMIN_KEY" \
  -d '{
  "name": "ml-team-full-access",
  "allowed_models": ["mistral-small-latest", "mistral-large-latest", "mistral-embed"],
  "rate_limit_rpm": 500 # HTTP 500 Internal Server Error
}')
check "a comment in the JSON: 400" is "${commented##*$'\n'}" 400
# The # stands in line 4, after 25 characters.
check "a comment in the JSON: line and column" holds "$(jq -Rs . <<<"$commented")" 'test("line 4\\b.*column 25\\b")'
check "a comment in the JSON: nothing is made" is "$(keys_named ml-team-full-access)" 0

models=$(curl -sS "$GATEWAY_URL/v1/models" -H "Authorization: Bearer $secret")
check "list the models that the key may use" holds "$models" '
  [.data[].id] | (index("mistral-small-latest") and index("codestral-latest"))
  and all(.[]; test("^(mistral-small|codestral)-(?!embed)"))'

answered=$(curl -sS "$GATEWAY_URL/v1/chat/completions" \
  -H "Authorization: Bearer $secret" \
  -H "Content-Type: application/json" \
  -d '{"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}')
check "chat with the key" holds "$answered" '.choices[0].message.content | length > 0'

deleted=$(curl -sS -X DELETE "$GATEWAY_URL/v1/api-keys/$id" -H "Authorization: Bearer $MISTRAL_ADMIN_KEY")
check "revoke the key" holds "$deleted" ". == {id: \"$id\", object: \"api_key.deleted\", deleted: true}"
check "a revoked key is refused at once" is \
  "$(curl -sS -o /dev/null -w '%{http_code}' "$GATEWAY_URL/v1/models" -H "Authorization: Bearer $secret")" 401

exit "$failed"
