-- migration: no-transaction
--
-- Indexes for the foreign keys that have none on the referencing side. Without one, deleting a
-- referenced row reads the whole referencing table, and holds its locks meanwhile.
-- The unique indexes of both tables begin with the other column and do not serve.
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE INDEX CONCURRENTLY "IDX_policy_control_mapping_controlId"
    ON policy_control_mapping ("controlId");
CREATE INDEX CONCURRENTLY "IDX_risk_controls_controlId" ON risk_controls ("controlId");
