ALTER TABLE clients ALTER COLUMN status SET DEFAULT 'active';
