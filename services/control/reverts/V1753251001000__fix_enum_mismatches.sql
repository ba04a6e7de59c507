-- migration: no-transaction
-- migration: lock-timeout 2s
-- migration: allow column-type-change "a second column would end up last, and its UPDATE would run into the broken trigger; one rewrite for all actions"
-- migration: allow rewrites-table "one rewrite for all; a new column would move to the end of the table"
--
-- NOT_TESTED becomes ERROR: exact for the results from before the migration, whose NOT_TESTED all come
-- from ERROR. Results entered as NOT_TESTED since then become ERROR too: the old type has no label for
-- them, and ERROR at least asks for another test, where NOT_APPLICABLE would excuse the control from it.
-- What was entered in the ten columns is lost with them.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_implementations_org_status";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_test_results_test_date_desc";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_test_results_result";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_controls_org_status_category";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_controls_automation_level";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_controls_compensating_gin";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_controls_related_gin";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_controls_frameworks_gin";

BEGIN;

ALTER TABLE controls
    DROP COLUMN effectiveness,
    DROP COLUMN priority,
    DROP COLUMN "automationLevel";

DROP TYPE automation_level;

COMMIT;

-- Columns and types go together: neither can be there without the other.
BEGIN;

ALTER TABLE control_test_results
    DROP COLUMN metrics,
    DROP COLUMN "previousTestId",
    DROP COLUMN "isRetest",
    DROP COLUMN "managementComments",
    DROP COLUMN "sampleData",
    DROP COLUMN "testProcedures",
    DROP COLUMN "testMethod",
    ALTER COLUMN result DROP DEFAULT,
    ALTER COLUMN result TYPE test_result USING (
        CASE result
            WHEN 'PASSED'           THEN 'PASS'
            WHEN 'FAILED'           THEN 'FAIL'
            WHEN 'PARTIALLY_PASSED' THEN 'PARTIAL'
            WHEN 'NOT_APPLICABLE'   THEN 'NOT_APPLICABLE'
            WHEN 'NOT_TESTED'       THEN 'ERROR'
        END::test_result
    ),
    ALTER COLUMN result SET DEFAULT 'NOT_APPLICABLE';

DROP TYPE test_method;
DROP TYPE test_result_status;

COMMIT;
