-- migration: no-transaction
--
-- Indexes for the foreign keys that have none on the referencing side. Without one, deleting a
-- referenced row reads the whole referencing table, and holds its locks meanwhile. The unique indexes of
-- role_permissions, roles and user_roles begin with another column and do not serve.
--
-- The application does not know these indexes: while it still synchronises, each of its starts drops
-- them. Switch synchronize off first.
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE INDEX CONCURRENTLY "IDX_organizations_parentOrganizationId"
    ON organizations ("parentOrganizationId");
CREATE INDEX CONCURRENTLY "IDX_organizations_primaryContactId"
    ON organizations ("primaryContactId");
CREATE INDEX CONCURRENTLY "IDX_role_permissions_permissionId" ON role_permissions ("permissionId");
CREATE INDEX CONCURRENTLY "IDX_roles_organizationId" ON roles ("organizationId");
CREATE INDEX CONCURRENTLY "IDX_user_roles_roleId" ON user_roles ("roleId");
