-- migration: lock-timeout 2s
--
-- Fourth of five steps to the application's synchronised schema: client_audits and client_documents.
--
-- What is there is kept. What may no longer be empty gets a value:
--   * client_audits."scheduledStartDate": the day on which it started, else 9999-12-31, not scheduled;
--     but not after the end;
--   * client_audits."scheduledEndDate": the day on which it ended, else 9999-12-31; but not before the
--     start;
--   * client_documents."fileUrl": '', no file. The revert empties it again, and 9999-12-31 as well;
--   * client_documents."versionNumber": 1, the default it had.
-- LOST is which of the other values were empty.
--
-- client_documents."parentDocumentId", uuid to varchar, was dropped and added anew, empty, by the
-- synchronisation; here the ids are kept as text.
--
-- client_documents is rewritten, with its indexes, under ACCESS EXCLUSIVE; client_audits is read once.

LOCK TABLE client_audits IN SHARE ROW EXCLUSIVE MODE;

-- least() and greatest() pass over what is NULL.
UPDATE client_audits
SET "scheduledStartDate" = coalesce(
        "scheduledStartDate",
        least(coalesce("actualStartDate", '9999-12-31'), "scheduledEndDate", "actualEndDate")
    ),
    "scheduledEndDate"   = coalesce(
        "scheduledEndDate",
        greatest(coalesce("actualEndDate", '9999-12-31'), "scheduledStartDate", "actualStartDate")
    )
WHERE num_nulls("scheduledStartDate", "scheduledEndDate") > 0;

ALTER TABLE client_audits
    ALTER COLUMN "scheduledStartDate" SET NOT NULL,
    ALTER COLUMN "scheduledEndDate" SET NOT NULL;

-- USING fills the gaps in the rewrite that the type of "parentDocumentId" needs anyway.
ALTER TABLE client_documents
    ALTER COLUMN "fileUrl" TYPE varchar USING coalesce("fileUrl", ''),
    ALTER COLUMN "fileUrl" SET NOT NULL,
    ALTER COLUMN "versionNumber" TYPE integer USING coalesce("versionNumber", 1),
    ALTER COLUMN "versionNumber" SET NOT NULL,
    ALTER COLUMN "parentDocumentId" TYPE varchar;
