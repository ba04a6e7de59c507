-- integration: connections to other systems, the jobs that synchronise them, and webhooks.
--
-- "organizationId" is varchar here and uuid in most other services, a legacy fact.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE integration_type AS ENUM (
    'CRM', 'MARKETING', 'SECURITY', 'CLOUD', 'TICKETING', 'COMMUNICATION', 'ANALYTICS', 'CUSTOM'
);
CREATE TYPE auth_type AS ENUM ('API_KEY', 'OAUTH2', 'BASIC', 'TOKEN', 'CUSTOM');
CREATE TYPE integration_status AS ENUM ('PENDING', 'ACTIVE', 'INACTIVE', 'ERROR', 'MAINTENANCE');
CREATE TYPE log_level AS ENUM ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL');
CREATE TYPE sync_status AS ENUM ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'CANCELLED');
CREATE TYPE webhook_status AS ENUM ('ACTIVE', 'INACTIVE', 'FAILED');
CREATE TYPE webhook_event_status AS ENUM ('PENDING', 'PROCESSING', 'DELIVERED', 'FAILED', 'RETRY');

-- A connection to another system.
CREATE TABLE integrations (
    id                uuid               NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"  varchar(255)       NOT NULL,
    name              varchar(255)       NOT NULL,
    description       text,
    "integrationType" integration_type   NOT NULL,
    "authType"        auth_type          NOT NULL,
    status            integration_status NOT NULL DEFAULT 'PENDING',
    "isHealthy"       boolean            NOT NULL DEFAULT false,
    "healthMessage"   text,
    configuration     jsonb              NOT NULL,
    "healthCheck"     jsonb,
    metadata          jsonb,
    tags              text[]             NOT NULL DEFAULT '{}',
    stats             jsonb              NOT NULL DEFAULT '{}',
    "createdAt"       timestamp          NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp          NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt"       timestamp,

    CONSTRAINT "PK_9adcdc6d6f3922535361ce641e8" PRIMARY KEY (id)
);

CREATE INDEX "IDX_integrations_organizationId" ON integrations ("organizationId");
CREATE INDEX "IDX_integrations_organizationId_integrationType"
    ON integrations ("organizationId", "integrationType");
-- Partial: the name of a deleted integration may be used again.
CREATE UNIQUE INDEX "IDX_integrations_organizationId_name"
    ON integrations ("organizationId", name) WHERE "deletedAt" IS NULL;
CREATE INDEX "IDX_integrations_status" ON integrations (status);
CREATE INDEX "IDX_integrations_tags" ON integrations (tags);

-- What a connection signs in with; only the encrypted value is stored.
CREATE TABLE integration_credentials (
    id               uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "integrationId"  uuid        NOT NULL,
    "credentialType" varchar(50) NOT NULL,
    "encryptedValue" text        NOT NULL,
    "expiresAt"      timestamp,
    "isExpired"      boolean     NOT NULL DEFAULT false,
    metadata         jsonb,
    "createdAt"      timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_601cd417b22e08cfbd85ba05445" PRIMARY KEY (id),
    CONSTRAINT "FK_0700e63fa1cc742ae7307fe09a0" FOREIGN KEY ("integrationId")
        REFERENCES integrations (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_integration_credentials_expiresAt" ON integration_credentials ("expiresAt");
CREATE INDEX "IDX_integration_credentials_integrationId"
    ON integration_credentials ("integrationId");

-- What a connection did.
CREATE TABLE integration_logs (
    id              uuid      NOT NULL DEFAULT uuid_generate_v4(),
    "integrationId" uuid      NOT NULL,
    level           log_level NOT NULL,
    message         text      NOT NULL,
    context         jsonb,
    request         jsonb,
    response        jsonb,
    error           jsonb,
    duration        integer,
    "createdAt"     timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_89ba1967bb4ac6c412901cf29a5" PRIMARY KEY (id),
    CONSTRAINT "FK_e9c3b9a7373afc11cdc18f2533f" FOREIGN KEY ("integrationId")
        REFERENCES integrations (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_integration_logs_createdAt" ON integration_logs ("createdAt");
CREATE INDEX "IDX_integration_logs_integrationId" ON integration_logs ("integrationId");
CREATE INDEX "IDX_integration_logs_level" ON integration_logs (level);

-- When a connection synchronises.
CREATE TABLE sync_schedules (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "integrationId"  uuid         NOT NULL,
    name             varchar(255) NOT NULL,
    description      text,
    "isActive"       boolean      NOT NULL DEFAULT true,
    "cronExpression" varchar(100) NOT NULL,
    timezone         varchar(50)  NOT NULL DEFAULT 'UTC',
    "syncConfig"     jsonb        NOT NULL,
    "lastRunAt"      timestamp,
    "nextRunAt"      timestamp,
    "runCount"       integer      NOT NULL DEFAULT 0,
    "successCount"   integer      NOT NULL DEFAULT 0,
    "failureCount"   integer      NOT NULL DEFAULT 0,
    "lastError"      text,
    "createdAt"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_b4383762beb54179970a2ed4729" PRIMARY KEY (id),
    CONSTRAINT "FK_12a4a31303627dfdaa4538d9f3f" FOREIGN KEY ("integrationId")
        REFERENCES integrations (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_sync_schedules_integrationId" ON sync_schedules ("integrationId");
CREATE INDEX "IDX_sync_schedules_isActive" ON sync_schedules ("isActive");
CREATE INDEX "IDX_sync_schedules_nextRunAt" ON sync_schedules ("nextRunAt");

-- One synchronisation, started by hand or by a schedule; it outlives the schedule.
CREATE TABLE sync_jobs (
    id                uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "integrationId"   uuid        NOT NULL,
    "scheduleId"      uuid,
    "jobType"         varchar(50) NOT NULL,
    status            sync_status NOT NULL DEFAULT 'PENDING',
    progress          integer     NOT NULL DEFAULT 0,
    "totalItems"      integer     NOT NULL DEFAULT 0,
    "processedItems"  integer     NOT NULL DEFAULT 0,
    "successfulItems" integer     NOT NULL DEFAULT 0,
    "failedItems"     integer     NOT NULL DEFAULT 0,
    "startedAt"       timestamp,
    "completedAt"     timestamp,
    duration          integer,
    config            jsonb,
    result            jsonb,
    error             text,
    "errorDetails"    jsonb,
    "retryCount"      integer     NOT NULL DEFAULT 0,
    "maxRetries"      integer     NOT NULL DEFAULT 3,
    "createdAt"       timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_8586b15058c8811de6286052139" PRIMARY KEY (id),
    CONSTRAINT "FK_ad43ce554c7b83abd52afe65c77" FOREIGN KEY ("scheduleId")
        REFERENCES sync_schedules (id) ON DELETE SET NULL,
    CONSTRAINT "FK_c0f880a5044e2f5e4bf3c33f7cc" FOREIGN KEY ("integrationId")
        REFERENCES integrations (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_sync_jobs_createdAt" ON sync_jobs ("createdAt");
CREATE INDEX "IDX_sync_jobs_integrationId" ON sync_jobs ("integrationId");
CREATE INDEX "IDX_sync_jobs_scheduleId" ON sync_jobs ("scheduleId");
CREATE INDEX "IDX_sync_jobs_status" ON sync_jobs (status);

-- Where events are delivered to.
CREATE TABLE webhook_endpoints (
    id                uuid           NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"  varchar(255)   NOT NULL,
    name              varchar(255)   NOT NULL,
    description       text,
    url               varchar(500)   NOT NULL,
    secret            varchar(255)   NOT NULL,
    status            webhook_status NOT NULL DEFAULT 'ACTIVE',
    events            text[]         NOT NULL DEFAULT '{}',
    headers           jsonb,
    "retryConfig"     jsonb,
    metadata          jsonb,
    "lastTriggeredAt" timestamp,
    "failureCount"    integer        NOT NULL DEFAULT 0,
    "successCount"    integer        NOT NULL DEFAULT 0,
    "createdAt"       timestamp      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt"       timestamp,

    CONSTRAINT "PK_054c4cfb95223732f5939d2d546" PRIMARY KEY (id)
);

CREATE INDEX "IDX_webhook_endpoints_events" ON webhook_endpoints (events);
CREATE INDEX "IDX_webhook_endpoints_organizationId" ON webhook_endpoints ("organizationId");
CREATE INDEX "IDX_webhook_endpoints_status" ON webhook_endpoints (status);

-- One delivery with its attempts.
CREATE TABLE webhook_events (
    id              uuid                 NOT NULL DEFAULT uuid_generate_v4(),
    "endpointId"    uuid                 NOT NULL,
    "eventType"     varchar(100)         NOT NULL,
    status          webhook_event_status NOT NULL DEFAULT 'PENDING',
    payload         jsonb                NOT NULL,
    headers         jsonb,
    signature       varchar(255),
    attempts        integer              NOT NULL DEFAULT 0,
    "maxAttempts"   integer              NOT NULL DEFAULT 3,
    "lastAttemptAt" timestamp,
    "nextRetryAt"   timestamp,
    "deliveredAt"   timestamp,
    response        jsonb,
    error           text,
    duration        integer,
    "createdAt"     timestamp            NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     timestamp            NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_4cba37e6a0acb5e1fc49c34ebfd" PRIMARY KEY (id),
    CONSTRAINT "FK_3fb7cec81bcb5552507e946e671" FOREIGN KEY ("endpointId")
        REFERENCES webhook_endpoints (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_webhook_events_createdAt" ON webhook_events ("createdAt");
CREATE INDEX "IDX_webhook_events_endpointId" ON webhook_events ("endpointId");
CREATE INDEX "IDX_webhook_events_eventType" ON webhook_events ("eventType");
-- Partial: only these are ever looked for by their next attempt.
CREATE INDEX "IDX_webhook_events_nextRetryAt"
    ON webhook_events ("nextRetryAt") WHERE status IN ('PENDING', 'RETRY');
CREATE INDEX "IDX_webhook_events_status" ON webhook_events (status);

-- Known fault, kept on purpose: PL/pgSQL folds the unquoted NEW.updatedAt to "updatedat", a column
-- that no table has, so every UPDATE of a table below fails with 42703. The legacy databases carry
-- exactly this body, and history has to describe them as they are; a later migration repairs it.
CREATE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
      BEGIN
          NEW.updatedAt = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;

CREATE TRIGGER update_integrations_updated_at
    BEFORE UPDATE ON integrations
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_integration_credentials_updated_at
    BEFORE UPDATE ON integration_credentials
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_sync_schedules_updated_at
    BEFORE UPDATE ON sync_schedules
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_sync_jobs_updated_at
    BEFORE UPDATE ON sync_jobs
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_webhook_endpoints_updated_at
    BEFORE UPDATE ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_webhook_events_updated_at
    BEFORE UPDATE ON webhook_events
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
