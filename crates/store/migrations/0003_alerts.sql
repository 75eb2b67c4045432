-- Channels for alerts, alerts, and their deliveries: the outbox, written in the same transaction as its alert.

CREATE TABLE alert_channels (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  destination TEXT NOT NULL,
  sealed_target {bytes},
  enabled {int} NOT NULL,
  created_at {int} NOT NULL,
  UNIQUE (organization_id, name)
) {strict};

CREATE TABLE alerts (
  id {bytes} NOT NULL PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  raised_at {int} NOT NULL,
  kind TEXT NOT NULL,
  threshold {int} NOT NULL,
  superseded {int} NOT NULL,
  subject_id {bytes} NOT NULL,
  scope TEXT NOT NULL,
  scope_id TEXT NOT NULL,
  name TEXT NOT NULL,
  budget_window TEXT NOT NULL,
  unit TEXT NOT NULL,
  period_starts {int} NOT NULL,
  period_ends {int} NOT NULL,
  limit_amount {int} NOT NULL,
  spent {int} NOT NULL,
  forecast_at {int},
  UNIQUE (subject_id, budget_window, unit, period_starts, kind, threshold, limit_amount)
) {strict};

CREATE INDEX alerts_by_organization ON alerts (organization_id, id);

CREATE INDEX alerts_by_period ON alerts (period_starts);

CREATE TABLE deliveries (
  alert_id {bytes} NOT NULL REFERENCES alerts (id),
  channel_id {bytes} NOT NULL REFERENCES alert_channels (id),
  state TEXT NOT NULL,
  attempts {int} NOT NULL,
  next_at {int} NOT NULL,
  last_error TEXT,
  delivered_at {int},
  PRIMARY KEY (alert_id, channel_id)
) {clustered};

CREATE INDEX deliveries_by_time ON deliveries (state, next_at);

CREATE INDEX deliveries_by_channel ON deliveries (channel_id);
