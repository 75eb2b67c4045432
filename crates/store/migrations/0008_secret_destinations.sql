-- Where secrets of keys are written to. Settings hold no secret; credentials are sealed, and their names are shown.

CREATE TABLE secret_destinations (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  workspace_id {bytes} REFERENCES workspaces (id),
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  credential_names TEXT NOT NULL,
  sealed_credentials {bytes},
  enabled {int} NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, name)
) {strict}
