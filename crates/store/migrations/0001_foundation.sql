-- Organizations, workspaces, people, keys, models, roles, upstream credentials, usage and audit.
-- Ids are the 16 bytes of a UUID; times are microseconds UTC; money is nano-dollars; lists and limits are JSON text.

CREATE TABLE revision (
  only_row {int} NOT NULL PRIMARY KEY CHECK (only_row = 1),
  value {int} NOT NULL
) {strict};

INSERT INTO revision (only_row, value) VALUES (1, 0);

CREATE TABLE organizations (
  id {bytes} NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  billing_active {int} NOT NULL,
  limits TEXT NOT NULL,
  created_at {int} NOT NULL
) {strict};

CREATE TABLE workspaces (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  description TEXT,
  is_default {int} NOT NULL,
  limits TEXT NOT NULL,
  created_at {int} NOT NULL,
  archived_at {int},
  UNIQUE (organization_id, name)
) {strict};

CREATE TABLE users (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  email TEXT NOT NULL,
  name TEXT,
  limits TEXT NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, email)
) {strict};

CREATE TABLE service_accounts (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  workspace_id {bytes} NOT NULL REFERENCES workspaces (id),
  name TEXT NOT NULL,
  role TEXT,
  created_at {int} NOT NULL,
  UNIQUE (workspace_id, name)
) {strict};

CREATE TABLE model_roles (
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  allowed_models TEXT NOT NULL,
  max_tokens_per_request {int},
  daily_token_budget {int},
  builtin {int} NOT NULL,
  PRIMARY KEY (organization_id, name)
) {strict};

CREATE TABLE memberships (
  workspace_id {bytes} NOT NULL REFERENCES workspaces (id),
  user_id {bytes} NOT NULL REFERENCES users (id),
  role TEXT,
  PRIMARY KEY (workspace_id, user_id)
) {strict};

CREATE TABLE api_keys (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  workspace_id {bytes} NOT NULL REFERENCES workspaces (id),
  user_id {bytes} REFERENCES users (id),
  service_account_id {bytes} REFERENCES service_accounts (id),
  name TEXT NOT NULL,
  description TEXT,
  public_id TEXT NOT NULL UNIQUE,
  fingerprint {bytes} NOT NULL,
  last_four TEXT NOT NULL,
  limits TEXT NOT NULL,
  role TEXT,
  allowed_endpoints TEXT,
  allowed_cidrs TEXT,
  created_at {int} NOT NULL,
  expires_at {int},
  last_used_at {int},
  status TEXT NOT NULL
) {strict};

CREATE INDEX api_keys_by_organization ON api_keys (organization_id, id);

CREATE TABLE admin_keys (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  public_id TEXT NOT NULL UNIQUE,
  fingerprint {bytes} NOT NULL,
  last_four TEXT NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int},
  status TEXT NOT NULL
) {strict};

CREATE TABLE models (
  id TEXT NOT NULL PRIMARY KEY,
  position {int} NOT NULL,
  model TEXT NOT NULL
) {strict};

CREATE TABLE prices (
  model_id TEXT NOT NULL REFERENCES models (id),
  effective_from {int} NOT NULL,
  input_nanos_per_mtok {int} NOT NULL,
  cached_nanos_per_mtok {int} NOT NULL,
  output_nanos_per_mtok {int} NOT NULL,
  PRIMARY KEY (model_id, effective_from)
) {strict};

CREATE TABLE upstreams (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  workspace_id {bytes} REFERENCES workspaces (id),
  name TEXT NOT NULL,
  sealed_key {bytes} NOT NULL,
  enabled {int} NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, name)
) {strict};

CREATE TABLE usage_records (
  request_id {bytes} NOT NULL PRIMARY KEY,
  at {int} NOT NULL,
  organization_id {bytes} NOT NULL,
  workspace_id {bytes} NOT NULL,
  key_id {bytes} NOT NULL,
  user_id {bytes},
  role TEXT,
  endpoint TEXT NOT NULL,
  model_asked TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens {int} NOT NULL,
  cached_tokens {int} NOT NULL,
  output_tokens {int} NOT NULL,
  cost_nanos {int} NOT NULL,
  price_version {int} NOT NULL,
  status {int} NOT NULL,
  first_byte_micros {int} NOT NULL,
  total_micros {int} NOT NULL,
  flags {int} NOT NULL
) {clustered};

CREATE TABLE usage_hourly (
  hour {int} NOT NULL,
  organization_id {bytes} NOT NULL,
  workspace_id {bytes} NOT NULL,
  key_id {bytes} NOT NULL,
  user_id {bytes} NOT NULL,
  role TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  requests {int} NOT NULL,
  input_tokens {int} NOT NULL,
  cached_tokens {int} NOT NULL,
  output_tokens {int} NOT NULL,
  cost_nanos {int} NOT NULL,
  estimated {int} NOT NULL,
  PRIMARY KEY (hour, organization_id, workspace_id, key_id, user_id, role, endpoint, model)
) {clustered};

CREATE TABLE audit_events (
  sequence {sequence},
  id {bytes} NOT NULL UNIQUE,
  organization_id {bytes} NOT NULL,
  at {int} NOT NULL,
  actor_kind TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  action TEXT NOT NULL,
  target_id TEXT NOT NULL,
  target_name TEXT NOT NULL,
  before_state TEXT,
  after_state TEXT,
  request_id TEXT,
  address TEXT
) {strict};

CREATE INDEX audit_events_by_organization ON audit_events (organization_id, sequence);
