-- migration: lock-timeout 2s
--
-- Last of five steps to the application's synchronised schema: audit_trails. A synchronised database is
-- at this version.
--
-- description becomes text. The synchronisation dropped it and added it anew, empty; here it is kept, and
-- since varchar and text are stored alike, nothing is rewritten. "userName" may no longer be empty: where
-- it was, it now repeats the "userId", which is nobody's name, so that the revert can tell. Nothing is
-- lost.
--
-- A step of its own, because this is the table that grows: while the names are filled in it can be
-- read, not written, and then it is locked for a scan that looks for what is still NULL. How many rows
-- there are to fill in:
--
--     SELECT count(*) FROM audit_trails WHERE "userName" IS NULL;

LOCK TABLE audit_trails IN SHARE ROW EXCLUSIVE MODE;

UPDATE audit_trails SET "userName" = "userId" WHERE "userName" IS NULL;

ALTER TABLE audit_trails
    ALTER COLUMN "userName" SET NOT NULL,
    ALTER COLUMN description TYPE text;
