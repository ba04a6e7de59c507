-- Lets rows be updated again. update_updated_at_column() assigned NEW.updatedAt without quotes,
-- which PL/pgSQL folds to "updatedat", a column that no table has: every UPDATE of policies,
-- compliance_frameworks, compliance_controls and risks failed with 42703 (record "new" has no field
-- "updatedat").
--
-- Replacing the function keeps its triggers and locks no table.

CREATE OR REPLACE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;
