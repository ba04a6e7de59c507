-- migration: lock-timeout 2s
--
-- A constraint cannot be made unvalidated; it is dropped and added again as the first step had left it.

ALTER TABLE workflow_instances
    DROP CONSTRAINT "CHK_workflow_instances_priority",
    ADD CONSTRAINT "CHK_workflow_instances_priority" CHECK (priority BETWEEN 1 AND 10) NOT VALID;
