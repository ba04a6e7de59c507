-- Second of two steps: checks the existing rows, while they can be read and written (SHARE UPDATE
-- EXCLUSIVE). Rows that break the rule make it fail and are found with
--
--     SELECT id, priority FROM workflow_instances WHERE priority NOT BETWEEN 1 AND 10;

ALTER TABLE workflow_instances VALIDATE CONSTRAINT "CHK_workflow_instances_priority";
