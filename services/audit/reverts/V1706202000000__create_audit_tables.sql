-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE audit_entries;
DROP TABLE audit_sessions;
DROP TABLE audit_findings;
DROP TABLE control_tests;
DROP TABLE audit_programs;
DROP TABLE soc_audits;

DROP FUNCTION update_updated_at_column();

DROP TYPE finding_status;
DROP TYPE finding_severity;
DROP TYPE finding_type;
DROP TYPE test_result;
DROP TYPE test_method;
DROP TYPE risk_rating;
DROP TYPE audit_phase;
DROP TYPE audit_status;
DROP TYPE audit_type;
