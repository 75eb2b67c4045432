-- A bait is a key that nobody may use. A key that is exempt stays although nobody uses it.

ALTER TABLE api_keys ADD COLUMN canary {int} NOT NULL DEFAULT 0;

ALTER TABLE api_keys ADD COLUMN enabled_at {int};

CREATE TABLE key_exemptions (
  key_id {bytes} NOT NULL PRIMARY KEY REFERENCES api_keys (id),
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  reason TEXT NOT NULL,
  until {int} NOT NULL,
  granted_by TEXT NOT NULL
) {strict}
