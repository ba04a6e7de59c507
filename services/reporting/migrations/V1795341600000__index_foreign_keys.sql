-- migration: no-transaction
--
-- Indexes for the foreign keys that have none on the referencing side. Without one, deleting a
-- referenced row reads the whole referencing table, and holds its locks meanwhile.
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE INDEX CONCURRENTLY "IDX_reports_template_id" ON reports (template_id);
CREATE INDEX CONCURRENTLY "IDX_report_schedules_report_template_id"
    ON report_schedules (report_template_id);
