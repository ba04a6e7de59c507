-- migration: allow timestamp-without-zone "as the application's entities declare them; another type would write the tables anew under it"
--
-- Drops all tables of the service with their rows. The extension stays: it may be used by others,
-- and creating the schema again asks for it only when it is absent.
-- migration: allow revert-leaves-extension "other schemas of the database may use uuid-ossp"

DROP TABLE audit_trails;
DROP TABLE client_documents;
DROP TABLE client_audits;
DROP TABLE contract_line_items;
DROP TABLE contracts;
DROP TABLE client_users;
DROP TABLE clients;

DROP TYPE audit_resource_type;
DROP TYPE audit_action;
DROP TYPE document_confidentiality;
DROP TYPE document_status;
DROP TYPE document_type;
DROP TYPE compliance_framework;
DROP TYPE audit_scope;
DROP TYPE audit_result;
DROP TYPE audit_status;
DROP TYPE audit_type;
DROP TYPE line_item_billing_cycle;
DROP TYPE line_item_type;
DROP TYPE payment_terms;
DROP TYPE billing_frequency;
DROP TYPE contract_status;
DROP TYPE contract_type;
DROP TYPE client_user_status;
DROP TYPE client_user_role;
DROP TYPE risk_level;
DROP TYPE compliance_status;
DROP TYPE client_status;
DROP TYPE company_size;
DROP TYPE industry;
DROP TYPE client_type;
