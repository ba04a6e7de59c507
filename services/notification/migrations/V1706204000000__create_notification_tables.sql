-- notification: templates, preferences, and the notifications that were sent.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE notification_channel AS ENUM ('email', 'sms', 'in_app', 'slack', 'teams', 'webhook');
CREATE TYPE notification_type AS ENUM (
    'alert', 'info', 'warning', 'error', 'success', 'reminder', 'approval', 'assignment', 'mention',
    'system', 'transactional', 'announcement'
);
CREATE TYPE notification_category AS ENUM (
    'system', 'security', 'compliance', 'audit', 'policy', 'control', 'evidence', 'workflow',
    'report', 'user', 'billing', 'marketing'
);
CREATE TYPE template_status AS ENUM ('DRAFT', 'ACTIVE', 'INACTIVE', 'ARCHIVED');
CREATE TYPE delivery_method AS ENUM ('IMMEDIATE', 'BATCHED', 'SCHEDULED');
CREATE TYPE notification_priority AS ENUM ('low', 'medium', 'high', 'urgent');
CREATE TYPE notification_status AS ENUM (
    'pending', 'queued', 'sending', 'sent', 'delivered', 'failed', 'bounced', 'opened', 'clicked',
    'unsubscribed'
);

-- No column uses it; the legacy schema has it all the same.
CREATE TYPE preference_status AS ENUM ('ACTIVE', 'INACTIVE', 'PAUSED');

-- Text with placeholders for one channel.
CREATE TABLE notification_templates (
    id               uuid                  NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId" uuid                  NOT NULL,

    -- Identity
    "templateId"     varchar(100)          NOT NULL,
    name             varchar(255)          NOT NULL,
    description      text,

    -- Classification
    channel          notification_channel  NOT NULL,
    type             notification_type     NOT NULL,
    category         notification_category NOT NULL DEFAULT 'system',
    status           template_status       NOT NULL DEFAULT 'DRAFT',

    -- Content
    subject          text,
    content          text                  NOT NULL,
    "htmlContent"    text,
    variables        jsonb,
    "defaultValues"  jsonb,
    attachments      jsonb,
    metadata         jsonb,

    -- Search and use
    tags             text[],
    version          integer               NOT NULL DEFAULT 1,
    "lastUsedAt"     timestamp,
    "usageCount"     integer               NOT NULL DEFAULT 0,

    -- Bookkeeping
    "createdBy"      uuid                  NOT NULL,
    "updatedBy"      uuid,
    "createdAt"      timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt"      timestamptz,

    CONSTRAINT "PK_76f0fc48b8d057d2ae7f3a2848a" PRIMARY KEY (id),
    CONSTRAINT "UQ_85e6a99e1d0d6a31a1f6b8e40a8" UNIQUE ("templateId")
);

CREATE INDEX "IDX_notification_templates_channel_type" ON notification_templates (channel, type);
CREATE INDEX "IDX_notification_templates_organizationId"
    ON notification_templates ("organizationId");
CREATE INDEX "IDX_notification_templates_status" ON notification_templates (status);

-- What a user wants to hear of, and how. One row per user, channel and category.
CREATE TABLE notification_preferences (
    id                 uuid                  NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"   uuid                  NOT NULL,
    "userId"           uuid                  NOT NULL,
    channel            notification_channel  NOT NULL,
    category           notification_category NOT NULL,
    enabled            boolean               NOT NULL DEFAULT true,
    "deliveryMethod"   delivery_method       NOT NULL DEFAULT 'IMMEDIATE',
    frequency          varchar(50),
    schedule           jsonb,
    filters            jsonb,
    settings           jsonb,
    "unsubscribedAt"   timestamp,
    "unsubscribeToken" varchar(100),
    "createdAt"        timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_e94e2b543f2f218ee68e4f4fad2" PRIMARY KEY (id)
);

CREATE INDEX "IDX_notification_preferences_userId" ON notification_preferences ("userId");
CREATE UNIQUE INDEX "IDX_notification_preferences_userId_channel_category"
    ON notification_preferences ("userId", channel, category);

-- One message to one recipient, with its delivery. "templateId" has no foreign key: a message outlives
-- its template.
CREATE TABLE notifications (
    id                      uuid                  NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"        uuid                  NOT NULL,

    -- Identity
    "notificationId"        varchar(100)          NOT NULL,

    -- Classification
    channel                 notification_channel  NOT NULL,
    type                    notification_type     NOT NULL,
    priority                notification_priority NOT NULL DEFAULT 'medium',
    status                  notification_status   NOT NULL DEFAULT 'pending',
    category                notification_category NOT NULL DEFAULT 'system',

    -- Content and recipient
    "templateId"            uuid,
    recipient               jsonb                 NOT NULL,
    "recipientId"           uuid                  NOT NULL,
    content                 jsonb                 NOT NULL,
    variables               jsonb,

    -- Delivery
    "scheduledFor"          timestamp,
    "sentAt"                timestamp,
    "deliveredAt"           timestamp,

    -- Tracking
    "openedAt"              timestamp,
    "clickedAt"             timestamp,
    "openCount"             integer               NOT NULL DEFAULT 0,
    "clickCount"            integer               NOT NULL DEFAULT 0,

    -- Attempts
    "deliveryAttempts"      jsonb,
    "deliveryAttemptsCount" integer               NOT NULL DEFAULT 0,
    "lastError"             text,
    "providerResponse"      jsonb,
    "providerMessageId"     varchar(255),
    tracking                jsonb,

    -- Grouping
    "groupId"               varchar(255),
    "batchId"               varchar(255),
    "isTransactional"       boolean               NOT NULL DEFAULT false,
    "expiresAt"             timestamp,

    -- Bookkeeping
    tags                    text[],
    context                 jsonb,
    "createdBy"             uuid                  NOT NULL,
    "updatedBy"             uuid,
    "createdAt"             timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"             timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_6a72c3c0f683f6462415e653c3a" PRIMARY KEY (id),
    CONSTRAINT "UQ_b39089dc8ff57d2bc507f08e52b" UNIQUE ("notificationId")
);

-- Partial: most messages belong to no batch.
CREATE INDEX "IDX_notifications_batchId" ON notifications ("batchId") WHERE "batchId" IS NOT NULL;
CREATE INDEX "IDX_notifications_channel_status" ON notifications (channel, status);
CREATE INDEX "IDX_notifications_createdAt_status" ON notifications ("createdAt", status);
CREATE INDEX "IDX_notifications_organizationId_status" ON notifications ("organizationId", status);
CREATE INDEX "IDX_notifications_recipientId_status" ON notifications ("recipientId", status);
-- Partial: most messages are sent at once.
CREATE INDEX "IDX_notifications_scheduledFor"
    ON notifications ("scheduledFor") WHERE "scheduledFor" IS NOT NULL;
CREATE INDEX "IDX_notifications_type_priority" ON notifications (type, priority);

-- Messages that were sent together. notifications."batchId" holds this "batchId", without a key.
CREATE TABLE notification_batches (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "batchId"        varchar(100) NOT NULL,
    "organizationId" uuid         NOT NULL,
    name             varchar(255),
    status           varchar(50)  NOT NULL DEFAULT 'pending',
    "totalCount"     integer      NOT NULL DEFAULT 0,
    "processedCount" integer      NOT NULL DEFAULT 0,
    "successCount"   integer      NOT NULL DEFAULT 0,
    "failureCount"   integer      NOT NULL DEFAULT 0,
    metadata         jsonb,
    "startedAt"      timestamp,
    "completedAt"    timestamp,
    "createdBy"      uuid         NOT NULL,
    "createdAt"      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_8ebd6993d3f0033e8898ab88c2e" PRIMARY KEY (id),
    CONSTRAINT "UQ_52b7272b62954d9a673aae658b9" UNIQUE ("batchId")
);

CREATE INDEX "IDX_notification_batches_organizationId" ON notification_batches ("organizationId");
CREATE INDEX "IDX_notification_batches_status" ON notification_batches (status);

-- What happened to a message after it was sent.
CREATE TABLE notification_logs (
    id               uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "notificationId" uuid        NOT NULL,
    "eventType"      varchar(50) NOT NULL,
    "eventData"      jsonb,
    "ipAddress"      varchar(45),
    "userAgent"      text,
    "timestamp"      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_19c524e644cdeaebfcffc284871" PRIMARY KEY (id),
    CONSTRAINT "FK_a1a20a54a95033fa92853a4269d" FOREIGN KEY ("notificationId")
        REFERENCES notifications (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_notification_logs_notificationId" ON notification_logs ("notificationId");
CREATE INDEX "IDX_notification_logs_timestamp" ON notification_logs ("timestamp");

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

CREATE TRIGGER update_notification_templates_updated_at
    BEFORE UPDATE ON notification_templates
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_notification_preferences_updated_at
    BEFORE UPDATE ON notification_preferences
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_notifications_updated_at
    BEFORE UPDATE ON notifications
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_notification_batches_updated_at
    BEFORE UPDATE ON notification_batches
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
