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
