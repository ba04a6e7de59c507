-- migration: lock-timeout 2s
-- migration: allow column-type-change "client_documents is written anew once, for parentDocumentId, whose ids synchronisation lost"
-- migration: allow mixed-schema-and-data "no audit may be written between filling its dates and requiring them; reads go on while they are filled"
-- migration: allow not-null-steps "one of five steps to a state that is adopted as a whole; writes are locked out from the first statement"
-- migration: allow unbatched-data-change "only audits without a date are written, and no new ones may come until it is required"
-- migration: allow scans-under-lock "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
-- migration: allow rewrites-table "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
-- migration: allow lock-held-over-data-change "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
--
-- Lets columns be empty again: a scheduled date of 9999-12-31 and a "fileUrl" of '' become NULL, as
-- they were before the migration; other values stay, also those that the migration filled in.
--
-- A "parentDocumentId" that is no uuid has no place in the former schema: with one of them the revert
-- stops before anything is changed. An empty one becomes NULL.
--
-- client_documents is rewritten, with its indexes, under ACCESS EXCLUSIVE.

DO $$
DECLARE
    odd bigint;
BEGIN
    SELECT count(*) INTO odd
    FROM client_documents
    WHERE "parentDocumentId" !~* '^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$';

    IF odd > 0 THEN
        RAISE EXCEPTION '% row(s) of client_documents have a "parentDocumentId" that is no uuid', odd
            USING ERRCODE = 'invalid_text_representation',
                  HINT = 'Write the id of a document or NULL, and revert again: SELECT id, '
                         '"parentDocumentId" FROM client_documents '
                         'WHERE length("parentDocumentId") <> 36';
    END IF;
END;
$$;

ALTER TABLE client_documents
    ALTER COLUMN "parentDocumentId" TYPE uuid USING nullif("parentDocumentId", '')::uuid,
    ALTER COLUMN "versionNumber" DROP NOT NULL,
    ALTER COLUMN "fileUrl" DROP NOT NULL,
    ALTER COLUMN "fileUrl" TYPE varchar USING nullif("fileUrl", '');

ALTER TABLE client_audits
    ALTER COLUMN "scheduledEndDate" DROP NOT NULL,
    ALTER COLUMN "scheduledStartDate" DROP NOT NULL;

UPDATE client_audits
SET "scheduledStartDate" = nullif("scheduledStartDate", '9999-12-31'),
    "scheduledEndDate"   = nullif("scheduledEndDate", '9999-12-31')
WHERE '9999-12-31' IN ("scheduledStartDate", "scheduledEndDate");
