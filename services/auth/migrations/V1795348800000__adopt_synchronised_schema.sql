-- From the schema of the migrations to the schema that the auth application makes of it when it
-- synchronises (TypeORM, synchronize: true): eleven more tables, other columns in users and audit_logs.
-- The running application does not load its entity UserSession: the next migration creates that table.
-- A database that was synchronised is in this state already and is adopted at this version without
-- running it. What is wrong with the state is mended by later migrations, so that this one gives it
-- exactly; that is also where names such as FK_f3d6aea8fcca58182b2e80ce979 come from.
--
-- Synchronising lost the values of the columns that it dropped. Here they move:
--
--   users
--     role                    becomes roles, which the application reads as a list with commas between
--                             its entries: a role with a comma in it is read as several
--     passwordResetToken      becomes "resetPasswordToken"
--     passwordResetExpires    becomes "resetPasswordExpires"
--     lastLogin               becomes "lastLoginAt"
--     emailVerificationToken  is LOST: there is no column for it. A verification under way has to be
--                             asked for again
--     status (new)            inactive where "isActive" is false; pending for who has never signed in
--                             and has a verification under way; else active
--     userType (new)          the role where that is internal, partner or auditor; else client
--
--   audit_logs
--     resource                becomes "targetResourceType"
--     resourceId              becomes "targetResourceId"
--     details                 becomes metadata, as the text of its JSON
--     action                  becomes the label that means the same, see below; user_updated with the
--                             status unknown where none does. Unless label and action are the same
--                             word, metadata says what it was:
--                             {"legacyAction": action, "legacyDetails": details}
--     userId                  stays, but becomes NULL where the user is gone, because of the new
--                             foreign key. metadata has it then, as "legacyUserId" beside "legacyDetails"
--     status (new)            failure for login_failed and mfa_failed; unknown as above; else success
--
--   organizations (new)       one row for each "organizationId" of a user, a foreign key from here on.
--                             The names are in another service's database: these are called
--                             'Organization <id>' until someone renames them
--
--   sessions                  stays as it is
--
-- HAZARD: users and audit_logs are locked against everything (ACCESS EXCLUSIVE) from the first
-- statement to the last. users is not rewritten, but gets two indexes and a validated foreign key.
-- audit_logs is rewritten once with its indexes, after an update of the rows whose action is no label
-- or whose user is gone; it needs its own size as free space, twice if most rows are such. Stop the
-- application meanwhile: a release that knows only the old columns does not work with the new ones.

-- At once, not one after the other: nobody can wait for the second while this waits for the first.
LOCK TABLE users, audit_logs IN ACCESS EXCLUSIVE MODE;

-- Before anything is changed: an index over "ipAddress" is new, and an index entry has a limit (54000).
DO $$
DECLARE
    too_long bigint;
BEGIN
    SELECT count(*) INTO too_long FROM audit_logs WHERE octet_length("ipAddress") > 2000;
    IF too_long > 0 THEN
        RAISE EXCEPTION 'audit_logs has % rows with an "ipAddress" of more than 2000 bytes, too long for its new index', too_long
            USING HINT = 'Shorten them and run again: UPDATE audit_logs SET "ipAddress" = left("ipAddress", 255) WHERE octet_length("ipAddress") > 2000';
    END IF;
END;
$$;

-- Organisations, and the users in them. Each table refers to the other.
CREATE TYPE organizations_type_enum AS ENUM ('msp', 'client', 'partner');
CREATE TYPE organizations_status_enum AS ENUM ('active', 'inactive', 'suspended', 'trial');
CREATE TYPE users_status_enum AS ENUM ('active', 'inactive', 'pending', 'suspended');
CREATE TYPE users_usertype_enum AS ENUM ('internal', 'client', 'partner', 'auditor');

CREATE TABLE organizations (
    id                     uuid                      NOT NULL DEFAULT uuid_generate_v4(),
    name                   varchar                   NOT NULL,
    "legalName"            varchar,
    type                   organizations_type_enum   NOT NULL DEFAULT 'client',
    status                 organizations_status_enum NOT NULL DEFAULT 'active',
    logo                   varchar,
    website                varchar,
    industry               varchar,
    size                   varchar,
    address                text,
    "primaryContactId"     uuid,
    "parentOrganizationId" uuid,
    settings               text,
    billing                text,
    metadata               text,
    "passwordPolicy"       text,
    "createdAt"            timestamp                 NOT NULL DEFAULT now(),
    "updatedAt"            timestamp                 NOT NULL DEFAULT now(),
    "deletedAt"            timestamp,

    CONSTRAINT "PK_6b031fcd0863e3f6b44230163f9" PRIMARY KEY (id),
    CONSTRAINT "UQ_9b7ca6d30b94fef571cff876884" UNIQUE (name),
    CONSTRAINT "FK_9e94780c81039e7b402914c60e1" FOREIGN KEY ("primaryContactId")
        REFERENCES users (id),
    CONSTRAINT "FK_e909a37947292f24c82044f5c7b" FOREIGN KEY ("parentOrganizationId")
        REFERENCES organizations (id)
);

CREATE INDEX "IDX_5a8e0c18328a68facab7f01132" ON organizations (type);
CREATE INDEX "IDX_9b7ca6d30b94fef571cff87688" ON organizations (name);
CREATE INDEX "IDX_f3770f157bd77d83ab022e92fc" ON organizations (status);

INSERT INTO organizations (id, name)
SELECT DISTINCT "organizationId", 'Organization ' || "organizationId"
FROM users
WHERE "organizationId" IS NOT NULL;

-- Renaming keeps the values and rewrites nothing; nor does varchar to text.
ALTER TABLE users RENAME COLUMN role TO roles;
ALTER TABLE users RENAME COLUMN "passwordResetToken" TO "resetPasswordToken";
ALTER TABLE users RENAME COLUMN "passwordResetExpires" TO "resetPasswordExpires";
ALTER TABLE users RENAME COLUMN "lastLogin" TO "lastLoginAt";

-- Constant defaults: no rewrite. That of status is the value of most rows that exist; new rows get
-- another one, below.
ALTER TABLE users
    ALTER COLUMN roles DROP DEFAULT,
    ALTER COLUMN roles DROP NOT NULL,
    ALTER COLUMN roles TYPE text,
    ALTER COLUMN "createdAt" SET DEFAULT now(),
    ALTER COLUMN "updatedAt" SET DEFAULT now(),
    ADD COLUMN phone                 varchar,
    ADD COLUMN title                 varchar,
    ADD COLUMN status                users_status_enum   NOT NULL DEFAULT 'active',
    ADD COLUMN "userType"            users_usertype_enum NOT NULL DEFAULT 'client',
    ADD COLUMN "profilePicture"      varchar,
    ADD COLUMN "emailVerifiedAt"     timestamp,
    ADD COLUMN "mfaBackupCodes"      text,
    ADD COLUMN permissions           text,
    ADD COLUMN "previousPasswords"   text,
    ADD COLUMN "lastLoginIp"         varchar,
    ADD COLUMN "failedLoginAttempts" integer             NOT NULL DEFAULT 0,
    ADD COLUMN "lockedUntil"         timestamp,
    ADD COLUMN preferences           text,
    ADD COLUMN "passwordChangedAt"   timestamp,
    ADD COLUMN "deletedAt"           timestamp,
    ADD COLUMN "disabledAt"          timestamp;

UPDATE users
SET status = CASE WHEN "isActive" THEN 'pending' ELSE 'inactive' END::users_status_enum
WHERE NOT "isActive"
   OR ("emailVerificationToken" IS NOT NULL AND NOT "emailVerified" AND "lastLoginAt" IS NULL);

UPDATE users
SET "userType" = roles::users_usertype_enum
WHERE roles IN ('internal', 'partner', 'auditor');

ALTER TABLE users
    ALTER COLUMN status SET DEFAULT 'pending',
    DROP COLUMN "emailVerificationToken",
    ADD CONSTRAINT "FK_f3d6aea8fcca58182b2e80ce979" FOREIGN KEY ("organizationId")
        REFERENCES organizations (id);

DROP INDEX "IDX_USER_EMAIL";
ALTER INDEX "IDX_USER_ORGANIZATION" RENAME TO "IDX_f3d6aea8fcca58182b2e80ce97";
CREATE INDEX "IDX_3676155292d72c67cd4e090514" ON users (status);
CREATE UNIQUE INDEX "IDX_97672ac88f789774dd47f7c8be" ON users (email);

-- Who may do what. Roles without an organisation are everyone's.
CREATE TYPE roles_type_enum AS ENUM ('system', 'custom');

CREATE TABLE roles (
    id               uuid            NOT NULL DEFAULT uuid_generate_v4(),
    name             varchar         NOT NULL,
    "displayName"    varchar         NOT NULL,
    description      varchar,
    type             roles_type_enum NOT NULL DEFAULT 'custom',
    "isActive"       boolean         NOT NULL DEFAULT true,
    "organizationId" uuid,
    metadata         text,
    "createdAt"      timestamp       NOT NULL DEFAULT now(),
    "updatedAt"      timestamp       NOT NULL DEFAULT now(),

    CONSTRAINT "PK_c1433d71a4838793a49dcad46ab" PRIMARY KEY (id),
    CONSTRAINT "FK_0933e1dfb2993d672af1a98f08e" FOREIGN KEY ("organizationId")
        REFERENCES organizations (id)
);

CREATE UNIQUE INDEX "IDX_d27a5e69fb41256abed347a85e" ON roles (name, "organizationId");
CREATE INDEX "IDX_ff503f858b61860b2b7d7a55ce" ON roles (type);

CREATE TABLE permissions (
    id            uuid      NOT NULL DEFAULT uuid_generate_v4(),
    resource      varchar   NOT NULL,
    action        varchar   NOT NULL,
    "displayName" varchar   NOT NULL,
    description   varchar,
    category      varchar,
    actions       text      NOT NULL,
    conditions    text,
    "createdAt"   timestamp NOT NULL DEFAULT now(),
    "updatedAt"   timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_920331560282b8bd21bb02290df" PRIMARY KEY (id)
);

CREATE UNIQUE INDEX "IDX_7331684c0c5b063803a425001a" ON permissions (resource, action);

CREATE TABLE role_permissions (
    id             uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "roleId"       uuid      NOT NULL,
    "permissionId" uuid      NOT NULL,
    conditions     text,
    "createdAt"    timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_84059017c90bfcb701b8fa42297" PRIMARY KEY (id),
    CONSTRAINT "FK_06792d0c62ce6b0203c03643cdd" FOREIGN KEY ("permissionId")
        REFERENCES permissions (id) ON DELETE CASCADE,
    CONSTRAINT "FK_b4599f8b8f548d35850afa2d12c" FOREIGN KEY ("roleId")
        REFERENCES roles (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX "IDX_d430a02aad006d8a70f3acd7d0" ON role_permissions ("roleId", "permissionId");

CREATE TABLE user_roles (
    id          uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "userId"    uuid      NOT NULL,
    "roleId"    uuid      NOT NULL,
    "grantedBy" varchar,
    "expiresAt" timestamp,
    "createdAt" timestamp NOT NULL DEFAULT now(),
    "updatedAt" timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_8acd5cf26ebd158416f477de799" PRIMARY KEY (id),
    CONSTRAINT "FK_472b25323af01488f1f66a06b67" FOREIGN KEY ("userId")
        REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT "FK_86033897c009fcca8b6505d6be2" FOREIGN KEY ("roleId")
        REFERENCES roles (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX "IDX_88481b0c4ed9ada47e9fdd6747" ON user_roles ("userId", "roleId");

-- Sessions and sign-in.
CREATE TYPE login_events_eventtype_enum AS ENUM (
    'success', 'failed', 'blocked', 'mfa_required', 'mfa_failed'
);
CREATE TYPE login_events_risklevel_enum AS ENUM ('low', 'medium', 'high', 'critical');

CREATE TABLE refresh_tokens (
    id                uuid         NOT NULL DEFAULT uuid_generate_v4(),
    token             text         NOT NULL,
    "userId"          uuid         NOT NULL,
    family            varchar(255),
    "sessionId"       varchar,
    metadata          jsonb,
    "issuedAt"        timestamp    NOT NULL DEFAULT now(),
    "expiresAt"       timestamp    NOT NULL,
    "lastUsedAt"      timestamp,
    "isRevoked"       boolean      NOT NULL DEFAULT false,
    "revokedAt"       timestamp,
    "revokedReason"   varchar(255),
    "replacedByToken" varchar(255),

    CONSTRAINT "PK_7d8bee0204106019488c4c50ffa" PRIMARY KEY (id),
    CONSTRAINT "UQ_4542dd2f38a61354a040ba9fd57" UNIQUE (token),
    CONSTRAINT "FK_610102b60fea1455310ccd299de" FOREIGN KEY ("userId")
        REFERENCES users (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX "IDX_4542dd2f38a61354a040ba9fd5" ON refresh_tokens (token);
CREATE INDEX "IDX_968936751ab847471635be8dc0" ON refresh_tokens (family);
CREATE INDEX "IDX_ec511b89bba27b211e32a2a12f" ON refresh_tokens ("userId", "expiresAt");

CREATE TABLE login_events (
    id                  uuid                        NOT NULL DEFAULT uuid_generate_v4(),
    "userId"            uuid,
    email               varchar                     NOT NULL,
    "eventType"         login_events_eventtype_enum NOT NULL,
    "ipAddress"         varchar,
    "userAgent"         varchar,
    "deviceFingerprint" varchar,
    "deviceInfo"        jsonb,
    location            jsonb,
    "riskLevel"         login_events_risklevel_enum NOT NULL DEFAULT 'low',
    "riskScore"         double precision            NOT NULL DEFAULT '0',
    anomalies           jsonb,
    "behaviorMetrics"   jsonb,
    "sessionId"         varchar,
    "failureReason"     text,
    metadata            jsonb,
    "createdAt"         timestamp                   NOT NULL DEFAULT now(),

    CONSTRAINT "PK_5cd6102474db62bc181590b9902" PRIMARY KEY (id),
    CONSTRAINT "FK_1fd154de0075f094be611bed079" FOREIGN KEY ("userId")
        REFERENCES users (id)
);

CREATE INDEX "IDX_57ddc3869cffd9300c18b43eed" ON login_events ("ipAddress", "createdAt");
CREATE INDEX "IDX_d7a8fc91526033366e2bb0c574" ON login_events ("deviceFingerprint", "createdAt");
CREATE INDEX "IDX_e94e3aaed1fbfa905394ccb667" ON login_events ("userId", "createdAt");

-- Sign-in by another's identity provider.
CREATE TYPE sso_providers_type_enum AS ENUM ('saml', 'oidc', 'oauth2');
CREATE TYPE sso_providers_status_enum AS ENUM ('active', 'inactive', 'pending');

CREATE TABLE sso_providers (
    id                     uuid                      NOT NULL DEFAULT uuid_generate_v4(),
    name                   varchar                   NOT NULL,
    type                   sso_providers_type_enum   NOT NULL,
    status                 sso_providers_status_enum NOT NULL DEFAULT 'pending',
    description            varchar,
    configuration          text                      NOT NULL,
    "attributeMapping"     text,
    metadata               text,
    "organizationId"       uuid,
    "allowJitProvisioning" boolean                   NOT NULL DEFAULT true,
    "enforceEncryption"    boolean                   NOT NULL DEFAULT false,
    "lastSyncAt"           timestamp,
    "lastErrorAt"          timestamp,
    "lastErrorMessage"     varchar,
    "createdAt"            timestamp                 NOT NULL DEFAULT now(),
    "updatedAt"            timestamp                 NOT NULL DEFAULT now(),
    "deletedAt"            timestamp,

    CONSTRAINT "PK_348feeee9ed68f9161a2f5ffeb0" PRIMARY KEY (id),
    CONSTRAINT "FK_afcbb1ea9e59a81070303f9e4ef" FOREIGN KEY ("organizationId")
        REFERENCES organizations (id)
);

CREATE INDEX "IDX_2e56273458d16b989cd64db7d4" ON sso_providers (type, "organizationId");
CREATE INDEX "IDX_aa8be3a5ec6ce1f74d63c87ed3" ON sso_providers (status);
CREATE INDEX "IDX_afcbb1ea9e59a81070303f9e4e" ON sso_providers ("organizationId");

CREATE TABLE sso_sessions (
    id               uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "userId"         uuid      NOT NULL,
    "ssoProviderId"  uuid      NOT NULL,
    "sessionIndex"   varchar   NOT NULL,
    "nameId"         varchar,
    "nameIdFormat"   varchar,
    attributes       text,
    "samlResponse"   text,
    "accessToken"    text,
    "refreshToken"   text,
    "idToken"        text,
    "expiresAt"      timestamp NOT NULL,
    "lastActivityAt" timestamp,
    "ipAddress"      varchar,
    "userAgent"      varchar,
    "createdAt"      timestamp NOT NULL DEFAULT now(),
    "updatedAt"      timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_a5483deb1e52bf7d168eb94494f" PRIMARY KEY (id),
    CONSTRAINT "UQ_8cfa60e2935f4b4f35eaa09606c" UNIQUE ("sessionIndex"),
    CONSTRAINT "FK_4b6f3a5c15ceeeb59557570b5ea" FOREIGN KEY ("ssoProviderId")
        REFERENCES sso_providers (id),
    CONSTRAINT "FK_e4f8570802616d7a9e71f4ca453" FOREIGN KEY ("userId")
        REFERENCES users (id)
);

CREATE INDEX "IDX_4b6f3a5c15ceeeb59557570b5e" ON sso_sessions ("ssoProviderId");
CREATE INDEX "IDX_8cfa60e2935f4b4f35eaa09606" ON sso_sessions ("sessionIndex");
CREATE INDEX "IDX_ba04fa6153ba4d4c4629e78908" ON sso_sessions ("expiresAt");
CREATE INDEX "IDX_e4f8570802616d7a9e71f4ca45" ON sso_sessions ("userId");

-- Programs that sign in with a key, and what they call.
CREATE TYPE api_keys_status_enum AS ENUM ('active', 'revoked', 'expired');

CREATE TABLE api_keys (
    id                uuid                 NOT NULL DEFAULT uuid_generate_v4(),
    name              varchar              NOT NULL,
    description       varchar,
    key               varchar              NOT NULL,
    "keyHash"         varchar              NOT NULL,
    status            api_keys_status_enum NOT NULL DEFAULT 'active',
    scopes            text                 NOT NULL DEFAULT 'read',
    permissions       text,
    "ipWhitelist"     text,
    metadata          text,
    "lastUsedAt"      timestamp,
    "lastUsedIp"      varchar,
    "usageCount"      integer              NOT NULL DEFAULT 0,
    "rateLimit"       integer,
    "rateLimitWindow" integer,
    "expiresAt"       timestamp,
    "userId"          uuid,
    "organizationId"  uuid,
    "createdAt"       timestamp            NOT NULL DEFAULT now(),
    "updatedAt"       timestamp            NOT NULL DEFAULT now(),
    "revokedAt"       timestamp,
    "revokedBy"       varchar,
    "revokedReason"   varchar,

    CONSTRAINT "PK_5c8a79801b44bd27b79228e1dad" PRIMARY KEY (id),
    CONSTRAINT "UQ_e42cf55faeafdcce01a82d24849" UNIQUE (key),
    CONSTRAINT "FK_1888b4544f52d274e98f6f1aa62" FOREIGN KEY ("organizationId")
        REFERENCES organizations (id),
    CONSTRAINT "FK_6c2e267ae764a9413b863a29342" FOREIGN KEY ("userId")
        REFERENCES users (id)
);

CREATE INDEX "IDX_1888b4544f52d274e98f6f1aa6" ON api_keys ("organizationId");
CREATE INDEX "IDX_5c0b0ba18119311201c4100404" ON api_keys ("expiresAt");
CREATE INDEX "IDX_6c2e267ae764a9413b863a2934" ON api_keys ("userId");
CREATE INDEX "IDX_d243fa737f206a31ff6e342ef5" ON api_keys (status);
CREATE UNIQUE INDEX "IDX_e42cf55faeafdcce01a82d2484" ON api_keys (key);

CREATE TABLE api_key_usage (
    id             uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "apiKeyId"     uuid      NOT NULL,
    endpoint       varchar   NOT NULL,
    method         varchar   NOT NULL,
    "statusCode"   integer   NOT NULL,
    "responseTime" bigint    NOT NULL,
    "requestSize"  bigint,
    "responseSize" bigint,
    "ipAddress"    varchar   NOT NULL,
    "userAgent"    varchar,
    headers        text,
    "queryParams"  text,
    "errorMessage" varchar,
    "errorCode"    varchar,
    "createdAt"    timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_1dfaaf6fd004e3fe39e513b58f2" PRIMARY KEY (id),
    CONSTRAINT "FK_3054073b0eabdb930d9a79c9f91" FOREIGN KEY ("apiKeyId")
        REFERENCES api_keys (id)
);

CREATE INDEX "IDX_25fafc98bbe3b6de4544745fec" ON api_key_usage ("apiKeyId", "createdAt");
CREATE INDEX "IDX_86fe9670857ca54e2d6e0ba63c" ON api_key_usage ("statusCode");
CREATE INDEX "IDX_882915c1e26dc83d2300e18d90" ON api_key_usage ("createdAt");
CREATE INDEX "IDX_a9de3e93ea27707e8c7b7c77d3" ON api_key_usage (endpoint);

-- The log.
CREATE TYPE audit_logs_action_enum AS ENUM (
    'login_success', 'login_failed', 'logout', 'password_reset_request',
    'password_reset_success', 'password_changed', 'mfa_enabled', 'mfa_disabled', 'mfa_verified',
    'mfa_failed', 'user_created', 'user_updated', 'user_deleted', 'user_suspended',
    'user_activated', 'user_invited', 'role_assigned', 'role_removed', 'role_created',
    'role_updated', 'role_deleted', 'organization_created', 'organization_updated',
    'organization_deleted', 'suspicious_activity', 'account_locked', 'account_unlocked',
    'ip_blocked', 'session_expired', 'token_refresh', 'token_revoke', 'token_revoke_all'
);

-- A constant default: no rewrite.
ALTER TABLE audit_logs
    ALTER COLUMN "createdAt" SET DEFAULT now(),
    ADD COLUMN "organizationId" varchar,
    ADD COLUMN "targetUserId"   varchar,
    ADD COLUMN "sessionId"      varchar,
    ADD COLUMN location         text,
    ADD COLUMN status           varchar NOT NULL DEFAULT 'success',
    ADD COLUMN "errorMessage"   varchar;

-- Which label a legacy action means: itself, however it is spelled (LOGIN_FAILED, user.created); a verb
-- with the resource (CREATE of users) or before or after it (create_user); or a word of the list.
-- Rows whose action is a label already, and whose user is there, are not written.
WITH known AS (
    SELECT label, split_part(label, '_', 1) AS thing, split_part(label, '_', 2) AS past
    FROM unnest(enum_range(NULL::audit_logs_action_enum)::text[]) AS label
), verb (present, past) AS (
    VALUES
        ('activate', 'activated'), ('assign', 'assigned'), ('block', 'blocked'),
        ('change', 'changed'), ('create', 'created'), ('delete', 'deleted'),
        ('disable', 'disabled'), ('enable', 'enabled'), ('expire', 'expired'),
        ('invite', 'invited'), ('lock', 'locked'), ('remove', 'removed'),
        ('suspend', 'suspended'), ('unlock', 'unlocked'), ('update', 'updated'),
        ('verify', 'verified')
), meaning (word, thing, label) AS (
    SELECT label, NULL, label FROM known
    UNION ALL SELECT present, thing, label FROM known JOIN verb USING (past)
    UNION ALL SELECT past, thing, label FROM known JOIN verb USING (past)
    UNION ALL SELECT present || '_' || thing, NULL, label FROM known JOIN verb USING (past)
    UNION ALL SELECT thing || '_' || present, NULL, label FROM known JOIN verb USING (past)
    UNION ALL VALUES
        ('login', NULL, 'login_success'),
        ('sign_in', NULL, 'login_success'),
        ('failed_login', NULL, 'login_failed'),
        ('login_failure', NULL, 'login_failed'),
        ('sign_out', NULL, 'logout'),
        ('forgot_password', NULL, 'password_reset_request'),
        ('password_reset_requested', NULL, 'password_reset_request'),
        ('request_password_reset', NULL, 'password_reset_request'),
        ('password_reset', NULL, 'password_reset_success'),
        ('password_reset_completed', NULL, 'password_reset_success'),
        ('reset_password', NULL, 'password_reset_success'),
        ('register', NULL, 'user_created'),
        ('sign_up', NULL, 'user_created'),
        ('refresh_token', NULL, 'token_refresh'),
        ('token_refreshed', NULL, 'token_refresh'),
        ('revoke_token', NULL, 'token_revoke'),
        ('token_revoked', NULL, 'token_revoke')
), entry AS (
    SELECT
        log.id,
        coalesce(meaning.label, 'user_updated') AS label,
        CASE WHEN meaning.label IS NULL THEN 'unknown' ELSE 'success' END AS status,
        log."userId" IS NOT NULL AND users.id IS NULL AS orphaned
    FROM audit_logs AS log
    LEFT JOIN users ON users.id = log."userId"
    LEFT JOIN meaning
        ON meaning.word = regexp_replace(
            trim('_' FROM regexp_replace(lower(log.action), '[^a-z0-9]+', '_', 'g')),
            '^auth_|^user_(?=log|sign)', '')
        AND (meaning.thing IS NULL OR meaning.thing = regexp_replace(lower(log.resource), 's$', ''))
)
UPDATE audit_logs AS log
SET action   = entry.label,
    status   = entry.status,
    "userId" = CASE WHEN NOT orphaned THEN "userId" END,
    details  =
        CASE WHEN action <> label THEN jsonb_build_object('legacyAction', action) ELSE '{}' END
        || CASE WHEN orphaned THEN jsonb_build_object('legacyUserId', "userId") ELSE '{}' END
        || CASE WHEN details IS NOT NULL THEN jsonb_build_object('legacyDetails', details) ELSE '{}' END
FROM entry
WHERE entry.id = log.id
  AND (action <> label
       OR orphaned
       -- Otherwise the revert would take such details for those of a row written here.
       OR (jsonb_typeof(details) = 'object'
           AND details ?| ARRAY['legacyAction', 'legacyUserId', 'legacyDetails']));

UPDATE audit_logs SET status = 'failure' WHERE action IN ('login_failed', 'mfa_failed');

-- One rewrite for both types. text to varchar needs none.
ALTER TABLE audit_logs
    ALTER COLUMN action TYPE audit_logs_action_enum USING action::audit_logs_action_enum,
    ALTER COLUMN details TYPE text USING details::text,
    ALTER COLUMN "userAgent" TYPE varchar,
    ALTER COLUMN resource DROP NOT NULL,
    ADD CONSTRAINT "FK_cfa83f61e4d27a87fcae1e025ab" FOREIGN KEY ("userId")
        REFERENCES users (id) ON DELETE SET NULL;

ALTER TABLE audit_logs RENAME COLUMN resource TO "targetResourceType";
ALTER TABLE audit_logs RENAME COLUMN "resourceId" TO "targetResourceId";
ALTER TABLE audit_logs RENAME COLUMN details TO metadata;

ALTER INDEX "IDX_AUDIT_ACTION" RENAME TO "IDX_cee5459245f652b75eb2759b4c";
ALTER INDEX "IDX_AUDIT_CREATED" RENAME TO "IDX_c69efb19bf127c97e6740ad530";
ALTER INDEX "IDX_AUDIT_USER" RENAME TO "IDX_cfa83f61e4d27a87fcae1e025a";
CREATE INDEX "IDX_2d031e6155834882f54dcd6b4f" ON audit_logs ("organizationId");
CREATE INDEX "IDX_8ddc86298ac7fadad468b28d83" ON audit_logs ("ipAddress");
