-- A key keeps its id while its secret changes. The key's own row has the secret that is new; old ones that still work
-- beside it stand in old_secrets, of API keys and admin keys alike, until they are retired.

ALTER TABLE api_keys ADD COLUMN secret_created_at {int};

ALTER TABLE api_keys ADD COLUMN secret_last_used_at {int};

ALTER TABLE api_keys ADD COLUMN last_used_address TEXT;

ALTER TABLE api_keys ADD COLUMN last_used_client TEXT;

UPDATE api_keys SET secret_created_at = created_at, secret_last_used_at = last_used_at;

ALTER TABLE admin_keys ADD COLUMN secret_created_at {int};

ALTER TABLE admin_keys ADD COLUMN secret_last_used_at {int};

ALTER TABLE admin_keys ADD COLUMN last_used_address TEXT;

ALTER TABLE admin_keys ADD COLUMN last_used_client TEXT;

UPDATE admin_keys SET secret_created_at = created_at;

CREATE TABLE old_secrets (
  public_id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  key_id {bytes} NOT NULL,
  fingerprint {bytes} NOT NULL,
  last_four TEXT NOT NULL,
  created_at {int} NOT NULL,
  retires_at {int},
  last_used_at {int},
  last_used_address TEXT,
  last_used_client TEXT
) {strict};

CREATE INDEX old_secrets_by_key ON old_secrets (key_id);

CREATE INDEX old_secrets_by_end ON old_secrets (retires_at);

CREATE TABLE rotation_policies (
  scope_id {bytes} NOT NULL PRIMARY KEY,
  scope TEXT NOT NULL,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  period_days {int},
  overlap_hours {int},
  destinations TEXT,
  propagation_seconds {int},
  on_old_use TEXT,
  window_start {int},
  window_end {int},
  jitter_hours {int},
  remind_days {int}
) {strict};

CREATE INDEX rotation_policies_by_organization ON rotation_policies (organization_id);

CREATE TABLE rotations (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  workspace_id {bytes},
  subject TEXT NOT NULL,
  subject_id {bytes} NOT NULL,
  name TEXT NOT NULL,
  workspace TEXT NOT NULL,
  live {int},
  step TEXT NOT NULL,
  since {int} NOT NULL,
  next_at {int} NOT NULL,
  attempts {int} NOT NULL,
  written {int} NOT NULL,
  verified_at {int},
  ends_at {int},
  looked {int} NOT NULL,
  overlap_seconds {int} NOT NULL,
  propagation_seconds {int} NOT NULL,
  on_old_use TEXT NOT NULL,
  destinations TEXT NOT NULL,
  emergency {int} NOT NULL,
  started_by TEXT NOT NULL,
  created_at {int} NOT NULL,
  old_public_id TEXT,
  new_public_id TEXT,
  sealed_old {bytes},
  sealed_new {bytes},
  last_error TEXT,
  UNIQUE (subject_id, live)
) {strict};

CREATE INDEX rotations_by_organization ON rotations (organization_id, id);

CREATE INDEX rotations_by_time ON rotations (live, next_at)
