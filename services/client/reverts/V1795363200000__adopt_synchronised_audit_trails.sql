-- migration: lock-timeout 2s
--
-- Lets "userName" be empty again, and empties it where it only repeats the "userId". Exact for every row
-- from before the migration.

ALTER TABLE audit_trails
    ALTER COLUMN description TYPE varchar,
    ALTER COLUMN "userName" DROP NOT NULL;

UPDATE audit_trails SET "userName" = NULL WHERE "userName" = "userId"::text;
