-- A key whose secret was reported cannot be enabled while that secret would work again. What is over goes by its age.

ALTER TABLE api_keys ADD COLUMN leaked_public_id TEXT;

CREATE INDEX rotations_by_end ON rotations (live, since)
