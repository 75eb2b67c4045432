-- When the new secret of a rotation was first used by somebody.

ALTER TABLE rotations ADD COLUMN observed_at {int}
