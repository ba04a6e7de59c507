-- migration: no-transaction
--
-- IF EXISTS, so that an interrupted revert can be run again.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_user_roles_roleId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_roles_organizationId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_role_permissions_permissionId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_organizations_primaryContactId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_organizations_parentOrganizationId";
