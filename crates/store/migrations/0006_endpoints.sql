-- What all of the provider's endpoints need: units beside tokens with their prices, the owners of objects that the
-- provider keeps, corrections of what was charged, and what the provider's list of models said.

ALTER TABLE usage_records ADD COLUMN pages {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN annotated_pages {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN audio_seconds {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN characters {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_records ADD COLUMN tool_calls {int} NOT NULL DEFAULT 0;

ALTER TABLE usage_hourly ADD COLUMN pages {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_hourly ADD COLUMN annotated_pages {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_hourly ADD COLUMN audio_seconds {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_hourly ADD COLUMN characters {int} NOT NULL DEFAULT 0;
ALTER TABLE usage_hourly ADD COLUMN tool_calls {int} NOT NULL DEFAULT 0;

CREATE TABLE prices_of_units (
  model_id TEXT NOT NULL REFERENCES models (id),
  effective_from {int} NOT NULL,
  input_nanos_per_mtok {int},
  cached_nanos_per_mtok {int},
  output_nanos_per_mtok {int},
  nanos_per_1000_pages {int},
  nanos_per_1000_annotated_pages {int},
  nanos_per_audio_minute {int},
  nanos_per_mchar {int},
  nanos_per_month_kept {int},
  priority_percent {int} NOT NULL,
  batch_percent {int} NOT NULL,
  regional_percent {int} NOT NULL,
  PRIMARY KEY (model_id, effective_from)
) {strict};

INSERT INTO prices_of_units (model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok,
  output_nanos_per_mtok, priority_percent, batch_percent, regional_percent)
  SELECT model_id, effective_from, input_nanos_per_mtok, cached_nanos_per_mtok, output_nanos_per_mtok, 175, 50, 110
  FROM prices;
DROP TABLE prices;
ALTER TABLE prices_of_units RENAME TO prices;

CREATE TABLE tool_prices (
  tool TEXT NOT NULL,
  effective_from {int} NOT NULL,
  nanos_per_call {int} NOT NULL,
  PRIMARY KEY (tool, effective_from)
) {strict};

-- The endpoints of a key stand among its limits, as those of all other levels do.
UPDATE api_keys SET limits = substr(limits, 1, length(limits) - 1) || ',"allowed_endpoints":' || allowed_endpoints || '}'
  WHERE allowed_endpoints IS NOT NULL;
ALTER TABLE api_keys DROP COLUMN allowed_endpoints;

ALTER TABLE model_roles ADD COLUMN allowed_endpoints TEXT;
ALTER TABLE model_roles ADD COLUMN allowed_tools TEXT;
ALTER TABLE model_roles ADD COLUMN allowed_service_tiers TEXT;
ALTER TABLE model_roles ADD COLUMN max_signed_url_hours {int};

-- The named upstream that a credential is for; without a name, the first one.
ALTER TABLE upstreams ADD COLUMN server TEXT;

CREATE TABLE objects (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL,
  workspace_id {bytes} NOT NULL,
  key_id {bytes} NOT NULL,
  user_id {bytes},
  kind TEXT NOT NULL,
  upstream_id TEXT,
  parent TEXT NOT NULL,
  credential_id {bytes},
  server TEXT,
  state TEXT NOT NULL,
  attributes TEXT NOT NULL,
  tokens {int} NOT NULL,
  claimed_until {int} NOT NULL,
  created_at {int} NOT NULL,
  changed_at {int} NOT NULL,
  UNIQUE (organization_id, kind, parent, upstream_id)
) {strict};

CREATE INDEX objects_by_workspace ON objects (workspace_id, kind, parent, id);

CREATE INDEX objects_by_state ON objects (kind, state, claimed_until);

CREATE TABLE adjustments (
  id {bytes} NOT NULL PRIMARY KEY,
  of_request {bytes},
  at {int} NOT NULL,
  posted_at {int} NOT NULL,
  organization_id {bytes} NOT NULL,
  workspace_id {bytes} NOT NULL,
  key_id {bytes} NOT NULL,
  user_id {bytes},
  role TEXT,
  endpoint TEXT NOT NULL,
  model TEXT NOT NULL,
  input_tokens {int} NOT NULL,
  cached_tokens {int} NOT NULL,
  output_tokens {int} NOT NULL,
  pages {int} NOT NULL,
  annotated_pages {int} NOT NULL,
  audio_seconds {int} NOT NULL,
  characters {int} NOT NULL,
  tool_calls {int} NOT NULL,
  cost_nanos {int} NOT NULL,
  reason TEXT NOT NULL,
  note TEXT NOT NULL
) {strict};

CREATE INDEX adjustments_by_time ON adjustments (organization_id, at);

CREATE TABLE model_sightings (
  server TEXT NOT NULL,
  name TEXT NOT NULL,
  finding TEXT NOT NULL,
  billing_name TEXT,
  same_as TEXT,
  first_seen {int} NOT NULL,
  last_seen {int} NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (server, name)
) {strict}
