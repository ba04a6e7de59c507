-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE audit_logs;
DROP TABLE sessions;
DROP TABLE users;
