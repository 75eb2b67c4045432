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

CREATE INDEX old_secrets_by_key ON old_secrets (key_id)
