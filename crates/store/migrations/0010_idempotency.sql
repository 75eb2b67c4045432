-- POSTs that came with an idempotency key, so that each is carried out once. The key and the request are kept as keyed hashes;
-- an answer may hold a new secret and is sealed.

CREATE TABLE idempotency_keys (
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  holder {bytes} NOT NULL,
  key_hash {bytes} NOT NULL,
  request_hash {bytes} NOT NULL,
  run_id {bytes} NOT NULL,
  state TEXT NOT NULL,
  rights_hash {bytes},
  sealed_answer {bytes},
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL,
  PRIMARY KEY (organization_id, holder, key_hash)
) {strict};

CREATE INDEX idempotency_keys_by_end ON idempotency_keys (expires_at)
