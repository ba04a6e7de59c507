-- A new client is pending until its onboarding is done. Only the default changes; existing rows keep
-- their status.

ALTER TABLE clients ALTER COLUMN status SET DEFAULT 'pending';
