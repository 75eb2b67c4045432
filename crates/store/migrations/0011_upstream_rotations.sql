-- The keys that Louver holds for upstream are rotated through upstream's own admin API: with an admin key of it, sealed beside
-- the key. Which of the keys of an upstream credential was used last when is told by their fingerprints.

ALTER TABLE upstreams ADD COLUMN sealed_admin_key {bytes};

ALTER TABLE upstreams ADD COLUMN admin_user_id TEXT;

CREATE TABLE upstream_rotations (
  rotation_id {bytes} NOT NULL PRIMARY KEY,
  old_key_id TEXT NOT NULL,
  new_key_id TEXT NOT NULL
) {strict};

CREATE TABLE upstream_uses (
  upstream_id {bytes} NOT NULL,
  fingerprint {bytes} NOT NULL,
  last_used_at {int} NOT NULL,
  PRIMARY KEY (upstream_id, fingerprint)
) {strict}
