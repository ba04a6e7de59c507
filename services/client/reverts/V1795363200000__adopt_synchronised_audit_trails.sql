-- migration: lock-timeout 2s
-- migration: allow mixed-schema-and-data "no entry may be written between filling userName and requiring it; the header says how to count the rows"
-- migration: allow not-null-steps "the last step to a state that is adopted as a whole; a migration of its own, since the table grows"
-- migration: allow unbatched-data-change "only entries without a userName are written, and no new ones may come until it is required"
-- migration: allow scans-under-lock "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
-- migration: allow lock-held-over-data-change "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
--
-- Lets "userName" be empty again, and empties it where it only repeats the "userId". Exact for every row
-- from before the migration.

ALTER TABLE audit_trails
    ALTER COLUMN description TYPE varchar,
    ALTER COLUMN "userName" DROP NOT NULL;

UPDATE audit_trails SET "userName" = NULL WHERE "userName" = "userId"::text;
