-- migration: allow merged-migration-edited "not released yet: the table user_sessions moved to a migration of its own"
-- migration: allow column-rename "releases before it know only the old names, releases after it only the new ones: the application is stopped meanwhile"
-- migration: allow column-type-change "audit_logs is written anew once, while the application is stopped; text and varchar of users are stored alike"
-- migration: allow drop-column "the application has no column for emailVerificationToken; a verification under way is asked for again"
-- migration: allow foreign-key-not-valid "users is locked from the first statement to the last, and organizations is made from its rows"
-- migration: allow index-not-concurrent "both tables are locked from the first statement to the last; a step apart would leave half a schema"
-- migration: allow index-drop-not-concurrent "both tables are locked from the first statement to the last"
-- migration: allow mixed-schema-and-data "values move from old columns to new ones, which must not be seen half moved: both tables are locked"
-- migration: allow unbatched-data-change "both tables are locked, and the application is stopped: slices would free nobody"
-- migration: allow timestamp-without-zone "the state of synchronised databases is adopted exactly, with the types of the application's entities"
-- migration: allow loses-data "a token of a verification under way has no place in the new schema; whoever waits for one asks again"
-- migration: allow scans-under-lock "users and audit_logs move together while the application is stopped"
-- migration: allow rewrites-table "users and audit_logs move together while the application is stopped"
-- migration: allow lock-held-over-data-change "users and audit_logs move together while the application is stopped"
--
-- Back to the three tables of the migrations, exactly as they were. Of rows from before the migration all
-- comes back that it kept: roles, reset tokens, last sign-in, and the log with its actions, details
-- and user ids as they were written. "emailVerificationToken" is empty.
--
-- LOST, of what came since, or what a synchronised database holds:
--   * the rows of organizations, roles, permissions, role_permissions, user_roles,
--     refresh_tokens, login_events, sso_providers, sso_sessions, api_keys and api_key_usage: save
--     them before (orchestrator backup, pg_dump) where they matter;
--   * in users all added columns. Who was inactive, suspended, deleted or disabled may not
--     sign in afterwards ("isActive" is false); who had no role is a user; several roles stay
--     one text with commas;
--   * in audit_logs "organizationId", "targetUserId", "sessionId", location, status and
--     "errorMessage". metadata that is no JSON becomes a JSON string; an entry without a resource
--     gets the resource unknown.
--
-- HAZARD: users and audit_logs are locked against everything (ACCESS EXCLUSIVE) to the end; audit_logs is
-- rewritten.

LOCK TABLE users, audit_logs IN ACCESS EXCLUSIVE MODE;

-- The log.
ALTER TABLE audit_logs RENAME COLUMN "targetResourceType" TO resource;
ALTER TABLE audit_logs RENAME COLUMN "targetResourceId" TO "resourceId";
ALTER TABLE audit_logs RENAME COLUMN metadata TO details;

UPDATE audit_logs SET resource = 'unknown' WHERE resource IS NULL;

-- The application may have written any text there.
CREATE FUNCTION pg_temp.parsed(document text)
RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN document::jsonb;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN to_jsonb(document);
END;
$$;

-- The indexes of the dropped columns go with them; so does the type of the action with its last column,
-- below.
ALTER TABLE audit_logs
    DROP CONSTRAINT "FK_cfa83f61e4d27a87fcae1e025ab",
    DROP COLUMN "organizationId",
    DROP COLUMN "targetUserId",
    DROP COLUMN "sessionId",
    DROP COLUMN location,
    DROP COLUMN status,
    DROP COLUMN "errorMessage",
    ALTER COLUMN action TYPE varchar USING action::text,
    ALTER COLUMN details TYPE jsonb USING pg_temp.parsed(details),
    ALTER COLUMN "userAgent" TYPE text,
    ALTER COLUMN resource SET NOT NULL,
    ALTER COLUMN "createdAt" SET DEFAULT CURRENT_TIMESTAMP;

DROP FUNCTION pg_temp.parsed(text);
DROP TYPE audit_logs_action_enum;

DROP INDEX "IDX_8ddc86298ac7fadad468b28d83";
ALTER INDEX "IDX_cfa83f61e4d27a87fcae1e025a" RENAME TO "IDX_AUDIT_USER";
ALTER INDEX "IDX_c69efb19bf127c97e6740ad530" RENAME TO "IDX_AUDIT_CREATED";
ALTER INDEX "IDX_cee5459245f652b75eb2759b4c" RENAME TO "IDX_AUDIT_ACTION";

-- Details with no other keys than these were written by the migration.
UPDATE audit_logs
SET action   = coalesce(details ->> 'legacyAction', action),
    "userId" = coalesce((details ->> 'legacyUserId')::uuid, "userId"),
    details  = details -> 'legacyDetails'
WHERE CASE WHEN jsonb_typeof(details) = 'object' THEN
          details <> '{}'
          AND details - ARRAY['legacyAction', 'legacyUserId', 'legacyDetails'] = '{}'
          AND coalesce(
              details ->> 'legacyUserId' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true)
      END;

-- The users.
ALTER TABLE users RENAME COLUMN roles TO role;
ALTER TABLE users RENAME COLUMN "resetPasswordToken" TO "passwordResetToken";
ALTER TABLE users RENAME COLUMN "resetPasswordExpires" TO "passwordResetExpires";
ALTER TABLE users RENAME COLUMN "lastLoginAt" TO "lastLogin";

UPDATE users
SET role       = coalesce(role, 'user'),
    "isActive" = "isActive"
        AND status NOT IN ('inactive', 'suspended')
        AND "deletedAt" IS NULL
        AND "disabledAt" IS NULL
WHERE role IS NULL
   OR ("isActive" AND (status IN ('inactive', 'suspended')
                       OR "deletedAt" IS NOT NULL
                       OR "disabledAt" IS NOT NULL));

-- The index of status goes with its column.
ALTER TABLE users
    DROP CONSTRAINT "FK_f3d6aea8fcca58182b2e80ce979",
    DROP COLUMN phone,
    DROP COLUMN title,
    DROP COLUMN status,
    DROP COLUMN "userType",
    DROP COLUMN "profilePicture",
    DROP COLUMN "emailVerifiedAt",
    DROP COLUMN "mfaBackupCodes",
    DROP COLUMN permissions,
    DROP COLUMN "previousPasswords",
    DROP COLUMN "lastLoginIp",
    DROP COLUMN "failedLoginAttempts",
    DROP COLUMN "lockedUntil",
    DROP COLUMN preferences,
    DROP COLUMN "passwordChangedAt",
    DROP COLUMN "deletedAt",
    DROP COLUMN "disabledAt",
    ADD COLUMN "emailVerificationToken" varchar,
    ALTER COLUMN role TYPE varchar,
    ALTER COLUMN role SET DEFAULT 'user',
    ALTER COLUMN role SET NOT NULL,
    ALTER COLUMN "createdAt" SET DEFAULT CURRENT_TIMESTAMP,
    ALTER COLUMN "updatedAt" SET DEFAULT CURRENT_TIMESTAMP;

DROP INDEX "IDX_97672ac88f789774dd47f7c8be";
ALTER INDEX "IDX_f3d6aea8fcca58182b2e80ce97" RENAME TO "IDX_USER_ORGANIZATION";
CREATE INDEX "IDX_USER_EMAIL" ON users (email);

-- The tables that the application added, and their types.
DROP TABLE api_key_usage;
DROP TABLE api_keys;
DROP TABLE sso_sessions;
DROP TABLE sso_providers;
DROP TABLE login_events;
DROP TABLE refresh_tokens;
DROP TABLE user_roles;
DROP TABLE role_permissions;
DROP TABLE permissions;
DROP TABLE roles;
DROP TABLE organizations;

DROP TYPE api_keys_status_enum;
DROP TYPE sso_providers_status_enum;
DROP TYPE sso_providers_type_enum;
DROP TYPE login_events_risklevel_enum;
DROP TYPE login_events_eventtype_enum;
DROP TYPE roles_type_enum;
DROP TYPE users_usertype_enum;
DROP TYPE users_status_enum;
DROP TYPE organizations_status_enum;
DROP TYPE organizations_type_enum;
