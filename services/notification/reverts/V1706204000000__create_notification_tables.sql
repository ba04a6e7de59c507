-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE notification_logs;
DROP TABLE notification_batches;
DROP TABLE notifications;
DROP TABLE notification_preferences;
DROP TABLE notification_templates;

DROP FUNCTION update_updated_at_column();

DROP TYPE preference_status;
DROP TYPE notification_status;
DROP TYPE notification_priority;
DROP TYPE delivery_method;
DROP TYPE template_status;
DROP TYPE notification_category;
DROP TYPE notification_type;
DROP TYPE notification_channel;
