-- migration: no-transaction
--
-- IF EXISTS, so that an interrupted revert can be run again.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_risk_controls_controlId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_policy_control_mapping_controlId";
