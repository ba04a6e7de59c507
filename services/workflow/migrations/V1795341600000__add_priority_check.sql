-- migration: lock-timeout 2s
--
-- A priority is between 1 and 10, as the comment of the column has always said; NULL stays allowed.
--
-- First of two steps. NOT VALID holds for what is written from now on and does not read the table, so
-- the ACCESS EXCLUSIVE lock is over at once; the next migration checks the rows that are there.

ALTER TABLE workflow_instances
    ADD CONSTRAINT "CHK_workflow_instances_priority" CHECK (priority BETWEEN 1 AND 10) NOT VALID;
