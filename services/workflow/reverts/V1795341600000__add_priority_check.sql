-- migration: lock-timeout 2s

ALTER TABLE workflow_instances DROP CONSTRAINT "CHK_workflow_instances_priority";
