-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE risk_controls;
DROP TABLE policy_control_mapping;
DROP TABLE risks;
DROP TABLE compliance_controls;
DROP TABLE compliance_frameworks;
DROP TABLE policies;

DROP FUNCTION update_updated_at_column();

DROP TYPE risk_level;
DROP TYPE evidence_status;
DROP TYPE risk_treatment;
DROP TYPE risk_status;
DROP TYPE risk_category;
DROP TYPE implementation_status;
DROP TYPE control_priority;
DROP TYPE control_category;
DROP TYPE framework_status;
DROP TYPE framework_type;
DROP TYPE workflow_state;
DROP TYPE policy_scope;
DROP TYPE policy_priority;
DROP TYPE policy_status;
DROP TYPE policy_type;
