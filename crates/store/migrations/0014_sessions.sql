-- People who sign in to the console: their passwords, second factors and sessions, and links that sign in once. Tokens are
-- kept as fingerprints, passwords as argon2id, the shared secret of a second factor sealed.

CREATE TABLE passwords (
  user_id {bytes} PRIMARY KEY REFERENCES users (id),
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  hash TEXT NOT NULL,
  changed_at {int} NOT NULL
) {strict};

-- One that was begun and not proved has no confirmed_at, and does not count.
CREATE TABLE second_factors (
  user_id {bytes} PRIMARY KEY REFERENCES users (id),
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  sealed_secret {bytes} NOT NULL,
  confirmed_at {int},
  last_step {int} NOT NULL,
  recovery TEXT NOT NULL
) {strict};

CREATE TABLE sessions (
  id {bytes} PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  user_id {bytes} NOT NULL REFERENCES users (id),
  fingerprint {bytes} NOT NULL UNIQUE,
  created_at {int} NOT NULL,
  seen_at {int} NOT NULL,
  confirmed_at {int} NOT NULL,
  needs_code {int} NOT NULL,
  address TEXT,
  client TEXT
) {strict};

CREATE INDEX sessions_by_user ON sessions (organization_id, user_id);
CREATE INDEX sessions_by_age ON sessions (created_at);

-- Without a user: it makes the organization's first person.
CREATE TABLE sign_in_links (
  id {bytes} PRIMARY KEY,
  organization_id {bytes} NOT NULL REFERENCES organizations (id),
  user_id {bytes} REFERENCES users (id),
  fingerprint {bytes} NOT NULL UNIQUE,
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {strict};

CREATE INDEX sign_in_links_by_end ON sign_in_links (expires_at);

-- Attempts to sign in, by keyed hashes of accounts and sources.
CREATE TABLE sign_in_attempts (
  subject {bytes} PRIMARY KEY,
  attempts {int} NOT NULL,
  since {int} NOT NULL
) {strict};

CREATE INDEX sign_in_attempts_by_age ON sign_in_attempts (since)
