-- People with roles, groups, custom roles, invitations, and admin keys that carry somebody's rights.
-- Lists of role ids are JSON text. `folded` columns hold what a search looks through: small letters without accents.

ALTER TABLE users ADD COLUMN first_name TEXT;
ALTER TABLE users ADD COLUMN last_name TEXT;
ALTER TABLE users ADD COLUMN roles TEXT NOT NULL DEFAULT '["0d48f530-095c-43fe-8aea-6673bcacabe6"]';
ALTER TABLE users ADD COLUMN removed_at {int};

ALTER TABLE workspaces ADD COLUMN icon TEXT;
ALTER TABLE workspaces ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE workspaces SET folded = lower(name);

ALTER TABLE service_accounts ADD COLUMN roles TEXT NOT NULL DEFAULT '[]';
ALTER TABLE service_accounts ADD COLUMN removed_at {int};

ALTER TABLE memberships RENAME COLUMN role TO model_role;
ALTER TABLE memberships ADD COLUMN roles TEXT NOT NULL DEFAULT '["b23cd6e0-91cd-4a8a-9869-b30366bf3966"]';
CREATE INDEX memberships_by_user ON memberships (user_id, workspace_id);

ALTER TABLE api_keys ADD COLUMN created_by TEXT;
ALTER TABLE api_keys ADD COLUMN folded TEXT NOT NULL DEFAULT '';
UPDATE api_keys SET folded = lower(name);
-- Each list walks one of these in the order of ids and reads nothing else until it has its page: so a search without a
-- match, a far page and what nobody uses cost little. The planner must have no shorter one to prefer.
DROP INDEX api_keys_by_organization;
CREATE INDEX api_keys_by_search ON api_keys (organization_id, id, folded, last_used_at, created_at)
  WHERE status <> 'revoked';
CREATE INDEX api_keys_by_end ON api_keys (organization_id, lower(last_four), id) WHERE status <> 'revoked';
CREATE INDEX api_keys_by_name ON api_keys (organization_id, name, id);
CREATE INDEX api_keys_by_user ON api_keys (organization_id, user_id, id);
CREATE INDEX api_keys_by_workspace ON api_keys (organization_id, workspace_id, id);
CREATE INDEX api_keys_by_status ON api_keys (organization_id, status, id, expires_at, last_used_at, created_at);

ALTER TABLE admin_keys ADD COLUMN user_id {bytes} REFERENCES users (id);
ALTER TABLE admin_keys ADD COLUMN service_account_id {bytes} REFERENCES service_accounts (id);

CREATE TABLE custom_roles (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  level TEXT NOT NULL,
  permissions TEXT NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, name)
) {strict};

CREATE TABLE user_groups (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  folded TEXT NOT NULL,
  description TEXT,
  target TEXT,
  organization_role {bytes},
  externally_managed {int} NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, name)
) {strict};

CREATE TABLE user_group_parents (
  child_id {bytes} NOT NULL REFERENCES user_groups (id),
  parent_id {bytes} NOT NULL REFERENCES user_groups (id),
  PRIMARY KEY (child_id, parent_id)
) {clustered};

CREATE INDEX user_group_parents_by_parent ON user_group_parents (parent_id);

CREATE TABLE user_group_members (
  group_id {bytes} NOT NULL REFERENCES user_groups (id),
  user_id {bytes} NOT NULL REFERENCES users (id),
  PRIMARY KEY (group_id, user_id)
) {clustered};

CREATE INDEX user_group_members_by_user ON user_group_members (user_id);

CREATE TABLE user_group_workspaces (
  group_id {bytes} NOT NULL REFERENCES user_groups (id),
  workspace_id {bytes} NOT NULL REFERENCES workspaces (id),
  roles TEXT NOT NULL,
  model_role TEXT,
  created_at {int} NOT NULL,
  PRIMARY KEY (group_id, workspace_id)
) {clustered};

CREATE INDEX user_group_workspaces_by_workspace ON user_group_workspaces (workspace_id);

CREATE TABLE invitations (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  email TEXT NOT NULL,
  roles TEXT NOT NULL,
  workspaces TEXT NOT NULL,
  fingerprint {bytes} NOT NULL UNIQUE,
  sealed_token {bytes} NOT NULL,
  invited_by {bytes} REFERENCES users (id),
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL,
  mail_state TEXT,
  mail_attempts {int} NOT NULL,
  mail_next_at {int} NOT NULL,
  mail_error TEXT,
  UNIQUE (organization_id, email)
) {strict};

CREATE INDEX invitations_by_mail ON invitations (mail_state, mail_next_at);
