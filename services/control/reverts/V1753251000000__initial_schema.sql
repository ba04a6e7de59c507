-- migration: allow unquoted-mixed-case "a fault of the legacy migration, which is frozen; V1795338000000 mends the function"
-- migration: allow timestamp-without-zone "one column, as the application's entity declares it; another type would write its table anew"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE control_mappings;
DROP TABLE control_exceptions;
DROP TABLE control_assessments;
DROP TABLE control_test_results;
DROP TABLE control_tests;
DROP TABLE control_implementations;
DROP TABLE controls;

DROP FUNCTION update_updated_at_column();

DROP TYPE exception_status;
DROP TYPE assessment_result;
DROP TYPE test_result;
DROP TYPE test_status;
DROP TYPE implementation_status;
DROP TYPE control_status;
DROP TYPE control_frequency;
DROP TYPE control_category;
DROP TYPE control_type;
