-- The ledger: how much of each budget is given out in a period, and to whom.
-- Amounts are in the unit of the budget: nano-dollars or tokens.

CREATE TABLE budget_periods (
  budget_id {bytes} NOT NULL,
  starts {int} NOT NULL,
  ends {int} NOT NULL,
  organization_id {bytes} NOT NULL,
  level TEXT NOT NULL,
  scope_id {bytes} NOT NULL,
  role TEXT NOT NULL,
  kind TEXT NOT NULL,
  allocated {int} NOT NULL CHECK (allocated >= 0),
  carried {int} NOT NULL,
  granted_under {int} NOT NULL,
  overrun {int} NOT NULL,
  blocked {int} NOT NULL,
  refused {int} NOT NULL,
  stale {int} NOT NULL,
  PRIMARY KEY (budget_id, starts)
) {clustered};

CREATE INDEX budget_periods_by_organization ON budget_periods (organization_id, ends);

CREATE TABLE leases (
  id {bytes} NOT NULL PRIMARY KEY,
  budget_id {bytes} NOT NULL,
  starts {int} NOT NULL,
  node_id {bytes} NOT NULL,
  epoch {int} NOT NULL,
  amount {int} NOT NULL CHECK (amount >= 0),
  used {int} NOT NULL CHECK (used >= 0),
  sequence {int} NOT NULL,
  state TEXT NOT NULL
) {clustered};

CREATE INDEX leases_by_budget ON leases (budget_id, starts);

CREATE INDEX leases_by_node ON leases (node_id, state);

ALTER TABLE usage_records ADD COLUMN bound_nanos {int} NOT NULL DEFAULT 0;

ALTER TABLE usage_records ADD COLUMN bound_tokens {int} NOT NULL DEFAULT 0;

ALTER TABLE usage_hourly ADD COLUMN would_refuse {int} NOT NULL DEFAULT 0
