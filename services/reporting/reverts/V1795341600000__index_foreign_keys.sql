-- migration: no-transaction
--
-- IF EXISTS, so that an interrupted revert can be run again.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_report_schedules_report_template_id";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_reports_template_id";
