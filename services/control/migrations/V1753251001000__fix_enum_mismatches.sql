-- migration: no-transaction
-- migration: lock-timeout 2s
--
-- Brings the enums, columns and indexes that the control service expects.
--
-- The legacy migration ran CREATE INDEX CONCURRENTLY inside a transaction and so never got through
-- (25001). Here each statement is a step of its own: interrupted anywhere, the next run goes on with the
-- first step that is not done. What must not be seen half done is in one BEGIN ... COMMIT block.
--
-- DATA LOSS: the new results know no ERROR. Every result ERROR becomes NOT_TESTED, as it did with the
-- legacy migration: a test that broke off says nothing about the control. The revert makes ERROR of
-- NOT_TESTED again, which is exact for all rows that were there before.

-- The results. Changing the type rewrites control_test_results under ACCESS EXCLUSIVE; adding a column
-- beside it and swapping the names would not, but would move "result" to the end of the table. All
-- actions share one rewrite. ALTER TYPE fires no trigger, which matters: until it is repaired,
-- update_updated_at_column() lets no UPDATE through.
BEGIN;

CREATE TYPE test_result_status AS ENUM (
    'PASSED', 'FAILED', 'PARTIALLY_PASSED', 'NOT_TESTED', 'NOT_APPLICABLE'
);
CREATE TYPE test_method AS ENUM ('MANUAL', 'AUTOMATED', 'HYBRID');

ALTER TABLE control_test_results
    ALTER COLUMN result DROP DEFAULT,
    ALTER COLUMN result TYPE test_result_status USING (
        CASE result
            WHEN 'PASS'           THEN 'PASSED'
            WHEN 'FAIL'           THEN 'FAILED'
            WHEN 'PARTIAL'        THEN 'PARTIALLY_PASSED'
            WHEN 'NOT_APPLICABLE' THEN 'NOT_APPLICABLE'
            WHEN 'ERROR'          THEN 'NOT_TESTED'
        END::test_result_status
    ),
    ALTER COLUMN result SET DEFAULT 'NOT_TESTED',
    ADD COLUMN "testMethod"         test_method DEFAULT 'MANUAL',
    ADD COLUMN "testProcedures"     jsonb       DEFAULT '[]',
    ADD COLUMN "sampleData"         jsonb       DEFAULT '{}',
    ADD COLUMN "managementComments" text,
    ADD COLUMN "isRetest"           boolean     DEFAULT false,
    ADD COLUMN "previousTestId"     uuid,
    ADD COLUMN metrics              jsonb       DEFAULT '{}';

COMMIT;

-- The type test_result stays, without a column that uses it, as the legacy migration left it.

-- The controls. Constant defaults: no rewrite.
CREATE TYPE automation_level AS ENUM ('MANUAL', 'SEMI_AUTOMATED', 'AUTOMATED', 'FULLY_AUTOMATED');

ALTER TABLE controls
    ADD COLUMN "automationLevel" automation_level DEFAULT 'MANUAL',
    ADD COLUMN priority          varchar          DEFAULT 'medium',
    ADD COLUMN effectiveness     jsonb            DEFAULT '{}';

-- The indexes, built while the tables are in use. No IF NOT EXISTS: it would take the INVALID index that
-- an interrupted build leaves for a finished one.
CREATE INDEX CONCURRENTLY "IDX_controls_frameworks_gin" ON controls USING gin (frameworks);
CREATE INDEX CONCURRENTLY "IDX_controls_related_gin" ON controls USING gin ("relatedControls");
CREATE INDEX CONCURRENTLY "IDX_controls_compensating_gin"
    ON controls USING gin ("compensatingControls");
CREATE INDEX CONCURRENTLY "IDX_controls_automation_level" ON controls ("automationLevel");
CREATE INDEX CONCURRENTLY "IDX_controls_org_status_category"
    ON controls ("organizationId", status, category);
CREATE INDEX CONCURRENTLY "IDX_test_results_result" ON control_test_results (result);
CREATE INDEX CONCURRENTLY "IDX_test_results_test_date_desc"
    ON control_test_results ("testDate" DESC);
CREATE INDEX CONCURRENTLY "IDX_implementations_org_status"
    ON control_implementations ("organizationId", status);
