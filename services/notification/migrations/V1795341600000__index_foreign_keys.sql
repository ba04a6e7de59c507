-- migration: no-transaction
--
-- Indexes for the foreign keys that have none on the referencing side. Without one, deleting a
-- referenced row reads the whole referencing table, and holds its locks meanwhile.
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE INDEX CONCURRENTLY "IDX_event_notification_mapping_ruleId"
    ON event_notification_mapping ("ruleId");
CREATE INDEX CONCURRENTLY "IDX_event_notification_mapping_templateId"
    ON event_notification_mapping ("templateId");
