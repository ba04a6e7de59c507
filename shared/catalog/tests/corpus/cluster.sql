-- Roles, which all databases of a test server share. Schemas use them; mutations do not change them.
CREATE ROLE app_owner;
CREATE ROLE app_reader;
CREATE ROLE app_writer;
CREATE ROLE auditor;
CREATE ROLE "Odd Role";
CREATE ROLE admin_group;
GRANT app_reader TO admin_group;
