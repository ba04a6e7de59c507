-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE webhook_events;
DROP TABLE webhook_endpoints;
DROP TABLE sync_jobs;
DROP TABLE sync_schedules;
DROP TABLE integration_logs;
DROP TABLE integration_credentials;
DROP TABLE integrations;

DROP FUNCTION update_updated_at_column();

DROP TYPE webhook_event_status;
DROP TYPE webhook_status;
DROP TYPE sync_status;
DROP TYPE log_level;
DROP TYPE integration_status;
DROP TYPE auth_type;
DROP TYPE integration_type;
