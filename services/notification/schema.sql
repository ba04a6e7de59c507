CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.delivery_method AS ENUM (
    'IMMEDIATE',
    'BATCHED',
    'SCHEDULED'
);

CREATE TYPE public.notification_category AS ENUM (
    'system',
    'security',
    'compliance',
    'audit',
    'policy',
    'control',
    'evidence',
    'workflow',
    'report',
    'user',
    'billing',
    'marketing'
);

CREATE TYPE public.notification_channel AS ENUM (
    'email',
    'sms',
    'in_app',
    'slack',
    'teams',
    'webhook',
    'push'
);

CREATE TYPE public.notification_priority AS ENUM (
    'low',
    'medium',
    'high',
    'urgent'
);

CREATE TYPE public.notification_rule_type AS ENUM (
    'EVENT_BASED',
    'SCHEDULED',
    'CONDITIONAL',
    'THRESHOLD'
);

CREATE TYPE public.notification_status AS ENUM (
    'pending',
    'queued',
    'sending',
    'sent',
    'delivered',
    'failed',
    'bounced',
    'opened',
    'clicked',
    'unsubscribed'
);

CREATE TYPE public.notification_type AS ENUM (
    'alert',
    'info',
    'warning',
    'error',
    'success',
    'reminder',
    'approval',
    'assignment',
    'mention',
    'system',
    'transactional',
    'announcement',
    'marketing'
);

CREATE TYPE public.preference_status AS ENUM (
    'ACTIVE',
    'INACTIVE',
    'PAUSED'
);

CREATE TYPE public.template_status AS ENUM (
    'DRAFT',
    'ACTIVE',
    'INACTIVE',
    'ARCHIVED'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.event_notification_mapping (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "eventType" character varying(100) NOT NULL,
    "ruleId" uuid,
    "templateId" uuid,
    channel public.notification_channel,
    priority integer DEFAULT 100 NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    metadata jsonb,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_batches (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "batchId" character varying(100) NOT NULL,
    "organizationId" uuid NOT NULL,
    name character varying(255),
    status character varying(50) DEFAULT 'pending'::character varying NOT NULL,
    "totalCount" integer DEFAULT 0 NOT NULL,
    "processedCount" integer DEFAULT 0 NOT NULL,
    "successCount" integer DEFAULT 0 NOT NULL,
    "failureCount" integer DEFAULT 0 NOT NULL,
    metadata jsonb,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    "createdBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_logs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "notificationId" uuid NOT NULL,
    "eventType" character varying(50) NOT NULL,
    "eventData" jsonb,
    "ipAddress" character varying(45),
    "userAgent" text,
    "timestamp" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_preferences (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "userId" uuid NOT NULL,
    channel public.notification_channel NOT NULL,
    category public.notification_category NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    "deliveryMethod" public.delivery_method DEFAULT 'IMMEDIATE'::public.delivery_method NOT NULL,
    frequency character varying(50),
    schedule jsonb,
    filters jsonb,
    settings jsonb,
    "unsubscribedAt" timestamp without time zone,
    "unsubscribeToken" character varying(100),
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_rule_history (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "ruleId" uuid NOT NULL,
    version integer NOT NULL,
    changes jsonb NOT NULL,
    "changedBy" uuid NOT NULL,
    "changeReason" text,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_rules (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "ruleId" character varying(100) NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    "isActive" boolean DEFAULT true NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    "ruleType" public.notification_rule_type DEFAULT 'EVENT_BASED'::public.notification_rule_type NOT NULL,
    conditions jsonb NOT NULL,
    actions jsonb NOT NULL,
    schedule jsonb,
    "rateLimits" jsonb,
    metadata jsonb,
    version integer DEFAULT 1 NOT NULL,
    "eventType" character varying(100),
    "eventCategory" character varying(50),
    "startDate" date,
    "endDate" date,
    "maxTriggers" integer,
    "cooldownMinutes" integer,
    tags text[],
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.notification_templates (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    channel public.notification_channel NOT NULL,
    type public.notification_type NOT NULL,
    category public.notification_category DEFAULT 'system'::public.notification_category NOT NULL,
    status public.template_status DEFAULT 'DRAFT'::public.template_status NOT NULL,
    subject text,
    "htmlBody" text,
    variables jsonb,
    "defaultValues" jsonb,
    attachments jsonb,
    metadata jsonb,
    tags text[],
    version integer DEFAULT 1 NOT NULL,
    "lastUsedAt" timestamp without time zone,
    "usageCount" integer DEFAULT 0 NOT NULL,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "deletedAt" timestamp with time zone,
    code character varying(100),
    "isActive" boolean DEFAULT true,
    "isSystem" boolean DEFAULT false,
    priority integer DEFAULT 100,
    "isTransactional" boolean DEFAULT false,
    performance jsonb DEFAULT '{}'::jsonb,
    "defaultVariables" jsonb,
    "supportedLocales" text[],
    "defaultLocale" character varying(10) DEFAULT 'en'::character varying,
    content jsonb
);

CREATE TABLE public.notifications (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "notificationId" character varying(100) NOT NULL,
    channel public.notification_channel NOT NULL,
    type public.notification_type NOT NULL,
    priority public.notification_priority DEFAULT 'medium'::public.notification_priority NOT NULL,
    status public.notification_status DEFAULT 'pending'::public.notification_status NOT NULL,
    category public.notification_category DEFAULT 'system'::public.notification_category NOT NULL,
    "templateId" uuid,
    recipient jsonb NOT NULL,
    "recipientId" uuid NOT NULL,
    content jsonb NOT NULL,
    variables jsonb,
    "scheduledFor" timestamp without time zone,
    "sentAt" timestamp without time zone,
    "deliveredAt" timestamp without time zone,
    "openedAt" timestamp without time zone,
    "clickedAt" timestamp without time zone,
    "openCount" integer DEFAULT 0 NOT NULL,
    "clickCount" integer DEFAULT 0 NOT NULL,
    "deliveryAttempts" jsonb,
    "deliveryAttemptsCount" integer DEFAULT 0 NOT NULL,
    "lastError" text,
    "providerResponse" jsonb,
    "providerMessageId" character varying(255),
    tracking jsonb,
    "groupId" character varying(255),
    "batchId" character varying(255),
    "isTransactional" boolean DEFAULT false NOT NULL,
    "expiresAt" timestamp without time zone,
    tags text[],
    context jsonb,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.rule_evaluation_metrics (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "ruleId" uuid NOT NULL,
    "evaluationDate" date NOT NULL,
    "totalEvaluations" integer DEFAULT 0 NOT NULL,
    "matchedEvaluations" integer DEFAULT 0 NOT NULL,
    "failedEvaluations" integer DEFAULT 0 NOT NULL,
    "avgExecutionTimeMs" double precision DEFAULT 0 NOT NULL,
    "notificationsTriggered" integer DEFAULT 0 NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.notification_logs
    ADD CONSTRAINT "PK_19c524e644cdeaebfcffc284871" PRIMARY KEY (id);

ALTER TABLE ONLY public.rule_evaluation_metrics
    ADD CONSTRAINT "PK_1b3f43c89a1613193efe5e6c21e" PRIMARY KEY (id);

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT "PK_6a72c3c0f683f6462415e653c3a" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_templates
    ADD CONSTRAINT "PK_76f0fc48b8d057d2ae7f3a2848a" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_rule_history
    ADD CONSTRAINT "PK_7f18f41c23cdd3c16d2718029fd" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_batches
    ADD CONSTRAINT "PK_8ebd6993d3f0033e8898ab88c2e" PRIMARY KEY (id);

ALTER TABLE ONLY public.event_notification_mapping
    ADD CONSTRAINT "PK_910eafdfd6c61dd1b84859386a9" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_preferences
    ADD CONSTRAINT "PK_e94e2b543f2f218ee68e4f4fad2" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_rules
    ADD CONSTRAINT "PK_eb87ba4f7f01eabf003fcf4e65c" PRIMARY KEY (id);

ALTER TABLE ONLY public.notification_batches
    ADD CONSTRAINT "UQ_52b7272b62954d9a673aae658b9" UNIQUE ("batchId");

ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT "UQ_b39089dc8ff57d2bc507f08e52b" UNIQUE ("notificationId");

CREATE INDEX "IDX_event_notification_mapping_isActive" ON public.event_notification_mapping USING btree ("isActive");

CREATE INDEX "IDX_event_notification_mapping_organizationId_eventType" ON public.event_notification_mapping USING btree ("organizationId", "eventType");

CREATE INDEX "IDX_event_notification_mapping_ruleId" ON public.event_notification_mapping USING btree ("ruleId");

CREATE INDEX "IDX_event_notification_mapping_templateId" ON public.event_notification_mapping USING btree ("templateId");

CREATE INDEX "IDX_notification_batches_organizationId" ON public.notification_batches USING btree ("organizationId");

CREATE INDEX "IDX_notification_batches_status" ON public.notification_batches USING btree (status);

CREATE INDEX "IDX_notification_logs_notificationId" ON public.notification_logs USING btree ("notificationId");

CREATE INDEX "IDX_notification_logs_timestamp" ON public.notification_logs USING btree ("timestamp");

CREATE INDEX "IDX_notification_preferences_userId" ON public.notification_preferences USING btree ("userId");

CREATE UNIQUE INDEX "IDX_notification_preferences_userId_channel_category" ON public.notification_preferences USING btree ("userId", channel, category);

CREATE INDEX "IDX_notification_rule_history_createdAt" ON public.notification_rule_history USING btree ("createdAt");

CREATE INDEX "IDX_notification_rule_history_ruleId" ON public.notification_rule_history USING btree ("ruleId");

CREATE INDEX "IDX_notification_rules_eventType" ON public.notification_rules USING btree ("eventType") WHERE ("eventType" IS NOT NULL);

CREATE INDEX "IDX_notification_rules_organizationId_isActive" ON public.notification_rules USING btree ("organizationId", "isActive");

CREATE UNIQUE INDEX "IDX_notification_rules_organizationId_ruleId" ON public.notification_rules USING btree ("organizationId", "ruleId");

CREATE INDEX "IDX_notification_rules_ruleType_priority" ON public.notification_rules USING btree ("ruleType", priority);

CREATE INDEX "IDX_notification_rules_tags" ON public.notification_rules USING gin (tags) WHERE (tags IS NOT NULL);

CREATE INDEX "IDX_notification_templates_channel_type" ON public.notification_templates USING btree (channel, type);

CREATE INDEX "IDX_notification_templates_organizationId" ON public.notification_templates USING btree ("organizationId");

CREATE INDEX "IDX_notification_templates_status" ON public.notification_templates USING btree (status);

CREATE INDEX "IDX_notifications_batchId" ON public.notifications USING btree ("batchId") WHERE ("batchId" IS NOT NULL);

CREATE INDEX "IDX_notifications_channel_status" ON public.notifications USING btree (channel, status);

CREATE INDEX "IDX_notifications_createdAt_status" ON public.notifications USING btree ("createdAt", status);

CREATE INDEX "IDX_notifications_organizationId_status" ON public.notifications USING btree ("organizationId", status);

CREATE INDEX "IDX_notifications_recipientId_status" ON public.notifications USING btree ("recipientId", status);

CREATE INDEX "IDX_notifications_scheduledFor" ON public.notifications USING btree ("scheduledFor") WHERE ("scheduledFor" IS NOT NULL);

CREATE INDEX "IDX_notifications_type_priority" ON public.notifications USING btree (type, priority);

CREATE INDEX "IDX_rule_evaluation_metrics_ruleId_evaluationDate" ON public.rule_evaluation_metrics USING btree ("ruleId", "evaluationDate");

CREATE UNIQUE INDEX "UQ_notification_templates_org_code" ON public.notification_templates USING btree ("organizationId", code);

CREATE TRIGGER update_event_notification_mapping_updated_at BEFORE UPDATE ON public.event_notification_mapping FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_notification_batches_updated_at BEFORE UPDATE ON public.notification_batches FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_notification_preferences_updated_at BEFORE UPDATE ON public.notification_preferences FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_notification_rules_updated_at BEFORE UPDATE ON public.notification_rules FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_notification_templates_updated_at BEFORE UPDATE ON public.notification_templates FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_notifications_updated_at BEFORE UPDATE ON public.notifications FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_rule_evaluation_metrics_updated_at BEFORE UPDATE ON public.rule_evaluation_metrics FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.event_notification_mapping
    ADD CONSTRAINT "FK_1cd01380510a72028fed2d3cb74" FOREIGN KEY ("ruleId") REFERENCES public.notification_rules(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.rule_evaluation_metrics
    ADD CONSTRAINT "FK_8aff7d25d183162b4ec41ed16ea" FOREIGN KEY ("ruleId") REFERENCES public.notification_rules(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_logs
    ADD CONSTRAINT "FK_a1a20a54a95033fa92853a4269d" FOREIGN KEY ("notificationId") REFERENCES public.notifications(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.notification_rule_history
    ADD CONSTRAINT "FK_d4a8841c2a3179749e2e157a63c" FOREIGN KEY ("ruleId") REFERENCES public.notification_rules(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.event_notification_mapping
    ADD CONSTRAINT "FK_e1c148424fe5151c1b6b54c5a27" FOREIGN KEY ("templateId") REFERENCES public.notification_templates(id) ON DELETE SET NULL;
