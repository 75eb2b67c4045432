-- The audit log as one chain for each organization.
-- What was written before there was a chain cannot be proved by one: it is kept beside it, as it was.

ALTER TABLE audit_events RENAME TO audit_events_before_chain;
DROP INDEX audit_events_by_organization;

CREATE TABLE audit_events (
  organization_id {bytes} NOT NULL,
  place {int} NOT NULL,
  id {bytes} NOT NULL UNIQUE,
  at {int} NOT NULL,
  actor_kind TEXT NOT NULL,
  identity TEXT NOT NULL,
  actor_id TEXT NOT NULL,
  actor_name TEXT NOT NULL,
  event TEXT NOT NULL,
  permission TEXT NOT NULL,
  target_type TEXT NOT NULL,
  target_id TEXT NOT NULL,
  target_name TEXT NOT NULL,
  workspace_id {bytes},
  outcome TEXT NOT NULL,
  before_state TEXT,
  after_state TEXT,
  request_id TEXT,
  address TEXT,
  hash {bytes} NOT NULL,
  PRIMARY KEY (organization_id, place)
) {strict};

-- Each is read in the order of time, so that a page costs what it shows, however long the log is.
CREATE INDEX audit_events_by_time ON audit_events (organization_id, at, place);
CREATE INDEX audit_events_by_event ON audit_events (organization_id, event, at, place);
CREATE INDEX audit_events_by_kind ON audit_events (organization_id, event, actor_kind, at, place);
CREATE INDEX audit_events_by_actor ON audit_events (organization_id, actor_id, at, place);
CREATE INDEX audit_events_by_deed ON audit_events (organization_id, actor_id, actor_kind, event, at, place);
CREATE INDEX audit_events_by_target ON audit_events (organization_id, target_id, at, place);
CREATE INDEX audit_events_by_workspace ON audit_events (organization_id, workspace_id, at, place);
CREATE INDEX audit_events_by_outcome ON audit_events (organization_id, outcome, at, place);

-- The end of each chain; its row is the lock under which the chain grows.
CREATE TABLE audit_heads (
  organization_id {bytes} NOT NULL PRIMARY KEY,
  place {int} NOT NULL,
  hash {bytes} NOT NULL
) {strict};

CREATE TABLE audit_checkpoints (
  organization_id {bytes} NOT NULL,
  place {int} NOT NULL,
  hash {bytes} NOT NULL,
  at {int} NOT NULL,
  signature {bytes} NOT NULL,
  PRIMARY KEY (organization_id, place)
) {strict};

CREATE INDEX audit_checkpoints_by_time ON audit_checkpoints (organization_id, at, place);

-- Where the oldest part was cut off.
CREATE TABLE audit_cuts (
  organization_id {bytes} NOT NULL,
  place {int} NOT NULL,
  hash {bytes} NOT NULL,
  at {int} NOT NULL,
  signature {bytes} NOT NULL,
  PRIMARY KEY (organization_id, place)
) {strict};
