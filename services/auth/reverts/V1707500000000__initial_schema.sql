-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.

DROP TABLE audit_logs;
DROP TABLE sessions;
DROP TABLE users;
