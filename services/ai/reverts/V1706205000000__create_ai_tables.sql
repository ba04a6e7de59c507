-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE remediations;
DROP TABLE framework_mappings;
DROP TABLE predictions;
DROP TABLE compliance_analyses;
DROP TABLE ai_training_jobs;
DROP TABLE ai_models;

DROP FUNCTION update_updated_at_column();

DROP TYPE remediation_status;
DROP TYPE remediation_priority;
DROP TYPE mapping_status;
DROP TYPE prediction_status;
DROP TYPE prediction_type;
DROP TYPE analysis_status;
DROP TYPE analysis_type;
DROP TYPE model_status;
