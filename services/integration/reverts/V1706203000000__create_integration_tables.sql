-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
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
