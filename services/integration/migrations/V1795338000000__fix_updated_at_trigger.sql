-- migration: requires workflow@1795338000000
-- migration: requires audit@1795338000000
--
-- Lets rows be updated again. update_updated_at_column() assigned NEW.updatedAt without quotes,
-- which PL/pgSQL folds to "updatedat", a column that no table has: every UPDATE of the six tables
-- with a trigger (all but integration_logs) failed with 42703 (record "new" has no field
-- "updatedat").
--
-- Workflow and audit first: as soon as sync jobs can be updated they run to their end again, and then
-- start workflows and feed audits, whose rows must be updatable by then.
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
