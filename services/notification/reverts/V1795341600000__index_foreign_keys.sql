-- migration: no-transaction
--
-- IF EXISTS, so that an interrupted revert can be run again.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_event_notification_mapping_templateId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_event_notification_mapping_ruleId";
