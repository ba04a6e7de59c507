-- What is the same in every database of a test server: roles. Schemas use them, mutations leave them alone.
CREATE ROLE app_owner;
CREATE ROLE app_reader;
CREATE ROLE app_writer;
CREATE ROLE auditor;
CREATE ROLE "Odd Role";
CREATE ROLE admin_group;
GRANT app_reader TO admin_group;
