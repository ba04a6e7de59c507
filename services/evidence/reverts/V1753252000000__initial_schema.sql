-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE validation_rules;
DROP TABLE evidence_templates;
DROP TABLE evidence_requests;
DROP TABLE evidence;

DROP FUNCTION update_updated_at_column();

DROP TYPE request_priority;
DROP TYPE request_status;
DROP TYPE request_type;
DROP TYPE confidentiality_level;
DROP TYPE evidence_source;
DROP TYPE evidence_status;
DROP TYPE evidence_type;
