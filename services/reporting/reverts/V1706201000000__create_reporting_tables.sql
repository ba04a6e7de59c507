-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE report_schedules;
DROP TABLE reports;
DROP TABLE report_templates;

DROP FUNCTION update_updated_at_column();

DROP TYPE delivery_method;
DROP TYPE report_format;
DROP TYPE report_status;
