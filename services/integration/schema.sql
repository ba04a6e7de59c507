CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.auth_type AS ENUM (
    'API_KEY',
    'OAUTH2',
    'BASIC',
    'TOKEN',
    'CUSTOM'
);

CREATE TYPE public.integration_status AS ENUM (
    'PENDING',
    'ACTIVE',
    'INACTIVE',
    'ERROR',
    'MAINTENANCE'
);

CREATE TYPE public.integration_type AS ENUM (
    'CRM',
    'MARKETING',
    'SECURITY',
    'CLOUD',
    'TICKETING',
    'COMMUNICATION',
    'ANALYTICS',
    'CUSTOM'
);

CREATE TYPE public.log_level AS ENUM (
    'DEBUG',
    'INFO',
    'WARN',
    'ERROR',
    'FATAL'
);

CREATE TYPE public.sync_status AS ENUM (
    'PENDING',
    'IN_PROGRESS',
    'COMPLETED',
    'FAILED',
    'CANCELLED'
);

CREATE TYPE public.webhook_event_status AS ENUM (
    'PENDING',
    'PROCESSING',
    'DELIVERED',
    'FAILED',
    'RETRY'
);

CREATE TYPE public.webhook_status AS ENUM (
    'ACTIVE',
    'INACTIVE',
    'FAILED'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.integration_credentials (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "integrationId" uuid NOT NULL,
    "credentialType" character varying(50) NOT NULL,
    "encryptedValue" text NOT NULL,
    "expiresAt" timestamp without time zone,
    "isExpired" boolean DEFAULT false NOT NULL,
    metadata jsonb,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.integration_logs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "integrationId" uuid NOT NULL,
    level public.log_level NOT NULL,
    message text NOT NULL,
    context jsonb,
    request jsonb,
    response jsonb,
    error jsonb,
    duration integer,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.integrations (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    "integrationType" public.integration_type NOT NULL,
    "authType" public.auth_type NOT NULL,
    status public.integration_status DEFAULT 'PENDING'::public.integration_status NOT NULL,
    "isHealthy" boolean DEFAULT false NOT NULL,
    "healthMessage" text,
    configuration jsonb NOT NULL,
    "healthCheck" jsonb,
    metadata jsonb,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    stats jsonb DEFAULT '{}'::jsonb NOT NULL,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "deletedAt" timestamp without time zone
);

CREATE TABLE public.sync_jobs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "integrationId" uuid NOT NULL,
    "scheduleId" uuid,
    "jobType" character varying(50) NOT NULL,
    status public.sync_status DEFAULT 'PENDING'::public.sync_status NOT NULL,
    progress integer DEFAULT 0 NOT NULL,
    "totalItems" integer DEFAULT 0 NOT NULL,
    "processedItems" integer DEFAULT 0 NOT NULL,
    "successfulItems" integer DEFAULT 0 NOT NULL,
    "failedItems" integer DEFAULT 0 NOT NULL,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    duration integer,
    config jsonb,
    result jsonb,
    error text,
    "errorDetails" jsonb,
    "retryCount" integer DEFAULT 0 NOT NULL,
    "maxRetries" integer DEFAULT 3 NOT NULL,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.sync_schedules (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "integrationId" uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    "isActive" boolean DEFAULT true NOT NULL,
    "cronExpression" character varying(100) NOT NULL,
    timezone character varying(50) DEFAULT 'UTC'::character varying NOT NULL,
    "syncConfig" jsonb NOT NULL,
    "lastRunAt" timestamp without time zone,
    "nextRunAt" timestamp without time zone,
    "runCount" integer DEFAULT 0 NOT NULL,
    "successCount" integer DEFAULT 0 NOT NULL,
    "failureCount" integer DEFAULT 0 NOT NULL,
    "lastError" text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.webhook_endpoints (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    url character varying(500) NOT NULL,
    secret character varying(255) NOT NULL,
    status public.webhook_status DEFAULT 'ACTIVE'::public.webhook_status NOT NULL,
    events text[] DEFAULT '{}'::text[] NOT NULL,
    headers jsonb,
    "retryConfig" jsonb,
    metadata jsonb,
    "lastTriggeredAt" timestamp without time zone,
    "failureCount" integer DEFAULT 0 NOT NULL,
    "successCount" integer DEFAULT 0 NOT NULL,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "deletedAt" timestamp without time zone
);

CREATE TABLE public.webhook_events (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "endpointId" uuid NOT NULL,
    "eventType" character varying(100) NOT NULL,
    status public.webhook_event_status DEFAULT 'PENDING'::public.webhook_event_status NOT NULL,
    payload jsonb NOT NULL,
    headers jsonb,
    signature character varying(255),
    attempts integer DEFAULT 0 NOT NULL,
    "maxAttempts" integer DEFAULT 3 NOT NULL,
    "lastAttemptAt" timestamp without time zone,
    "nextRetryAt" timestamp without time zone,
    "deliveredAt" timestamp without time zone,
    response jsonb,
    error text,
    duration integer,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT "PK_054c4cfb95223732f5939d2d546" PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_events
    ADD CONSTRAINT "PK_4cba37e6a0acb5e1fc49c34ebfd" PRIMARY KEY (id);

ALTER TABLE ONLY public.integration_credentials
    ADD CONSTRAINT "PK_601cd417b22e08cfbd85ba05445" PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_jobs
    ADD CONSTRAINT "PK_8586b15058c8811de6286052139" PRIMARY KEY (id);

ALTER TABLE ONLY public.integration_logs
    ADD CONSTRAINT "PK_89ba1967bb4ac6c412901cf29a5" PRIMARY KEY (id);

ALTER TABLE ONLY public.integrations
    ADD CONSTRAINT "PK_9adcdc6d6f3922535361ce641e8" PRIMARY KEY (id);

ALTER TABLE ONLY public.sync_schedules
    ADD CONSTRAINT "PK_b4383762beb54179970a2ed4729" PRIMARY KEY (id);

CREATE INDEX "IDX_integration_credentials_expiresAt" ON public.integration_credentials USING btree ("expiresAt");

CREATE INDEX "IDX_integration_credentials_integrationId" ON public.integration_credentials USING btree ("integrationId");

CREATE INDEX "IDX_integration_logs_createdAt" ON public.integration_logs USING btree ("createdAt");

CREATE INDEX "IDX_integration_logs_integrationId" ON public.integration_logs USING btree ("integrationId");

CREATE INDEX "IDX_integration_logs_level" ON public.integration_logs USING btree (level);

CREATE INDEX "IDX_integrations_organizationId" ON public.integrations USING btree ("organizationId");

CREATE INDEX "IDX_integrations_organizationId_integrationType" ON public.integrations USING btree ("organizationId", "integrationType");

CREATE UNIQUE INDEX "IDX_integrations_organizationId_name" ON public.integrations USING btree ("organizationId", name) WHERE ("deletedAt" IS NULL);

CREATE INDEX "IDX_integrations_status" ON public.integrations USING btree (status);

CREATE INDEX "IDX_integrations_tags" ON public.integrations USING btree (tags);

CREATE INDEX "IDX_sync_jobs_createdAt" ON public.sync_jobs USING btree ("createdAt");

CREATE INDEX "IDX_sync_jobs_integrationId" ON public.sync_jobs USING btree ("integrationId");

CREATE INDEX "IDX_sync_jobs_scheduleId" ON public.sync_jobs USING btree ("scheduleId");

CREATE INDEX "IDX_sync_jobs_status" ON public.sync_jobs USING btree (status);

CREATE INDEX "IDX_sync_schedules_integrationId" ON public.sync_schedules USING btree ("integrationId");

CREATE INDEX "IDX_sync_schedules_isActive" ON public.sync_schedules USING btree ("isActive");

CREATE INDEX "IDX_sync_schedules_nextRunAt" ON public.sync_schedules USING btree ("nextRunAt");

CREATE INDEX "IDX_webhook_endpoints_events" ON public.webhook_endpoints USING btree (events);

CREATE INDEX "IDX_webhook_endpoints_organizationId" ON public.webhook_endpoints USING btree ("organizationId");

CREATE INDEX "IDX_webhook_endpoints_status" ON public.webhook_endpoints USING btree (status);

CREATE INDEX "IDX_webhook_events_createdAt" ON public.webhook_events USING btree ("createdAt");

CREATE INDEX "IDX_webhook_events_endpointId" ON public.webhook_events USING btree ("endpointId");

CREATE INDEX "IDX_webhook_events_eventType" ON public.webhook_events USING btree ("eventType");

CREATE INDEX "IDX_webhook_events_nextRetryAt" ON public.webhook_events USING btree ("nextRetryAt") WHERE (status = ANY (ARRAY['PENDING'::public.webhook_event_status, 'RETRY'::public.webhook_event_status]));

CREATE INDEX "IDX_webhook_events_status" ON public.webhook_events USING btree (status);

CREATE TRIGGER update_integration_credentials_updated_at BEFORE UPDATE ON public.integration_credentials FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_integrations_updated_at BEFORE UPDATE ON public.integrations FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_sync_jobs_updated_at BEFORE UPDATE ON public.sync_jobs FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_sync_schedules_updated_at BEFORE UPDATE ON public.sync_schedules FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_webhook_endpoints_updated_at BEFORE UPDATE ON public.webhook_endpoints FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_webhook_events_updated_at BEFORE UPDATE ON public.webhook_events FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.integration_credentials
    ADD CONSTRAINT "FK_0700e63fa1cc742ae7307fe09a0" FOREIGN KEY ("integrationId") REFERENCES public.integrations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_schedules
    ADD CONSTRAINT "FK_12a4a31303627dfdaa4538d9f3f" FOREIGN KEY ("integrationId") REFERENCES public.integrations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_events
    ADD CONSTRAINT "FK_3fb7cec81bcb5552507e946e671" FOREIGN KEY ("endpointId") REFERENCES public.webhook_endpoints(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sync_jobs
    ADD CONSTRAINT "FK_ad43ce554c7b83abd52afe65c77" FOREIGN KEY ("scheduleId") REFERENCES public.sync_schedules(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.sync_jobs
    ADD CONSTRAINT "FK_c0f880a5044e2f5e4bf3c33f7cc" FOREIGN KEY ("integrationId") REFERENCES public.integrations(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.integration_logs
    ADD CONSTRAINT "FK_e9c3b9a7373afc11cdc18f2533f" FOREIGN KEY ("integrationId") REFERENCES public.integrations(id) ON DELETE CASCADE;
