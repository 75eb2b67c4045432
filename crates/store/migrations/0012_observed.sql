-- When the new secret of a rotation was first used by somebody. And the outbox, built anew: a row of it goes to a channel, or
-- to a person, whose key an alert is about.

ALTER TABLE rotations ADD COLUMN observed_at {int};

CREATE TABLE outbox (
  alert_id {bytes} NOT NULL REFERENCES alerts (id),
  receiver_id {bytes} NOT NULL,
  channel_id {bytes} REFERENCES alert_channels (id),
  user_id {bytes} REFERENCES users (id),
  state TEXT NOT NULL,
  attempts {int} NOT NULL,
  next_at {int} NOT NULL,
  last_error TEXT,
  delivered_at {int},
  PRIMARY KEY (alert_id, receiver_id)
) {clustered};

INSERT INTO outbox (alert_id, receiver_id, channel_id, state, attempts, next_at, last_error, delivered_at)
  SELECT alert_id, channel_id, channel_id, state, attempts, next_at, last_error, delivered_at FROM deliveries;

DROP TABLE deliveries;

ALTER TABLE outbox RENAME TO deliveries;

CREATE INDEX deliveries_by_time ON deliveries (state, next_at);

CREATE INDEX deliveries_by_channel ON deliveries (channel_id)
