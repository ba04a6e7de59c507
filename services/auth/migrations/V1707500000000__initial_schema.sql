-- auth: the platform's users, their sessions, and the log of what they did.
--
-- The legacy migration used uuid_generate_v4() without creating its extension and so failed on an
-- empty database (42883); this one creates the extension when it is absent.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

-- Everyone who may sign in. "organizationId" points into another service's database: no key can hold it.
CREATE TABLE users (
    id                       uuid      NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    email                    varchar   NOT NULL,
    password                 varchar   NOT NULL,
    "firstName"              varchar   NOT NULL,
    "lastName"               varchar   NOT NULL,

    -- Authorisation
    role                     varchar   NOT NULL DEFAULT 'user',
    "organizationId"         uuid,
    "isActive"               boolean   NOT NULL DEFAULT true,

    -- Second factor
    "mfaEnabled"             boolean   NOT NULL DEFAULT false,
    "mfaSecret"              varchar,

    -- Verification and password reset
    "emailVerified"          boolean   NOT NULL DEFAULT false,
    "emailVerificationToken" varchar,
    "passwordResetToken"     varchar,
    "passwordResetExpires"   timestamp,

    -- Bookkeeping
    "lastLogin"              timestamp,
    "createdAt"              timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"              timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_a3ffb1c0c8416b9fc6f907b7433" PRIMARY KEY (id),
    CONSTRAINT "UQ_97672ac88f789774dd47f7c8be3" UNIQUE (email)
);

-- Doubles the unique constraint's own index; adopted databases have both.
CREATE INDEX "IDX_USER_EMAIL" ON users (email);
CREATE INDEX "IDX_USER_ORGANIZATION" ON users ("organizationId");

-- A signed-in user's tokens. The legacy schema has no foreign key to users, so deleting a user
-- leaves the sessions behind.
CREATE TABLE sessions (
    id             uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "userId"       uuid      NOT NULL,
    token          varchar   NOT NULL,
    "refreshToken" varchar   NOT NULL,
    "expiresAt"    timestamp NOT NULL,
    "ipAddress"    varchar,
    "userAgent"    text,
    "createdAt"    timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"    timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_3238ef96f18b355b671619111bc" PRIMARY KEY (id),
    CONSTRAINT "UQ_b443618a8149644123d48eceed4" UNIQUE ("refreshToken"),
    CONSTRAINT "UQ_e9f62f5dcb8a54b84234c9e7a06" UNIQUE (token)
);

-- Doubles the unique constraint's own index; adopted databases have both.
CREATE INDEX "IDX_SESSION_TOKEN" ON sessions (token);
CREATE INDEX "IDX_SESSION_USER" ON sessions ("userId");

-- What was done by whom. "userId" is nullable and has no foreign key: an entry outlives its user.
CREATE TABLE audit_logs (
    id           uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "userId"     uuid,
    action       varchar   NOT NULL,
    resource     varchar   NOT NULL,
    "resourceId" varchar,
    details      jsonb,
    "ipAddress"  varchar,
    "userAgent"  text,
    "createdAt"  timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_1bb179d048bbc581caa3b013439" PRIMARY KEY (id)
);

CREATE INDEX "IDX_AUDIT_ACTION" ON audit_logs (action);
CREATE INDEX "IDX_AUDIT_CREATED" ON audit_logs ("createdAt");
CREATE INDEX "IDX_AUDIT_USER" ON audit_logs ("userId");
