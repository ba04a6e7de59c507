-- evidence: what proves that a control works, the requests for it, and the rules that judge it.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE evidence_type AS ENUM (
    'document', 'screenshot', 'log_file', 'configuration', 'report', 'attestation', 'system_export',
    'api_response', 'database_query', 'interview', 'observation', 'policy', 'procedure', 'diagram',
    'video', 'code_snippet', 'security_scan', 'audit_log', 'other'
);
CREATE TYPE evidence_status AS ENUM (
    'draft', 'pending_collection', 'collecting', 'collected', 'pending_review', 'under_review',
    'approved', 'rejected', 'needs_update', 'archived', 'expired'
);
CREATE TYPE evidence_source AS ENUM (
    'manual_upload', 'api_integration', 'automated_collection', 'system_generated', 'third_party',
    'auditor_provided', 'client_provided'
);
CREATE TYPE confidentiality_level AS ENUM (
    'public', 'internal', 'confidential', 'highly_confidential', 'restricted'
);
CREATE TYPE request_type AS ENUM (
    'initial', 'follow_up', 'clarification', 'additional', 'remediation', 'periodic', 'ad_hoc'
);
CREATE TYPE request_status AS ENUM (
    'draft', 'sent', 'acknowledged', 'in_progress', 'partially_complete', 'complete', 'overdue',
    'cancelled'
);
CREATE TYPE request_priority AS ENUM ('low', 'medium', 'high', 'critical');

-- One piece of evidence with its file, its review and its versions. Client, audit and control live in
-- other services' databases.
CREATE TABLE evidence (
    id                     uuid                  NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    title                  varchar               NOT NULL,
    description            text,
    type                   evidence_type         NOT NULL,
    status                 evidence_status       NOT NULL DEFAULT 'draft',
    source                 evidence_source       NOT NULL,
    "confidentialityLevel" confidentiality_level NOT NULL DEFAULT 'internal',

    -- Where it belongs
    "clientId"             uuid                  NOT NULL,
    "auditId"              uuid,
    "controlId"            uuid,
    "requestId"            uuid,
    "collectorId"          uuid,
    "collectorType"        varchar,

    -- The file
    metadata               jsonb,
    "storageUrl"           varchar,
    "storageProvider"      varchar,
    "storagePath"          varchar,
    "thumbnailUrl"         varchar,
    "previewUrl"           varchar,

    -- Life cycle
    "collectionDate"       timestamptz,
    "effectiveDate"        timestamptz,
    "expirationDate"       timestamptz,
    "reviewedDate"         timestamptz,
    "approvedDate"         timestamptz,

    -- Who did what
    "collectedBy"          uuid,
    "reviewedBy"           uuid,
    "approvedBy"           uuid,
    "createdBy"            uuid                  NOT NULL,
    "updatedBy"            uuid                  NOT NULL,

    -- Validation
    "validatedBy"          uuid,
    "validatedAt"          timestamptz,
    "validationComments"   text,
    "qualityScore"         numeric(5,2),
    "validationResults"    jsonb,
    "reviewComments"       jsonb,

    -- Mapping and search
    "complianceMapping"    jsonb,
    tags                   text[],
    keywords               text[],

    -- Versions
    version                integer               NOT NULL DEFAULT 1,
    "parentEvidenceId"     uuid,
    "isLatestVersion"      boolean               NOT NULL DEFAULT true,
    "versionHistory"       jsonb,

    -- Protection
    "accessControl"        jsonb,
    "encryptionKey"        text,
    "isEncrypted"          boolean               NOT NULL DEFAULT false,
    "isSensitive"          boolean               NOT NULL DEFAULT false,

    -- Use
    "viewCount"            integer               NOT NULL DEFAULT 0,
    "downloadCount"        integer               NOT NULL DEFAULT 0,
    "lastAccessedAt"       timestamptz,
    "usageMetrics"         jsonb,
    "auditTrail"           jsonb,

    -- Bookkeeping
    "createdAt"            timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"            timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deletedAt"            timestamptz,

    CONSTRAINT "PK_b864cb5d49854f89917fc0b44b9" PRIMARY KEY (id)
);

CREATE INDEX "IDX_evidence_audit_control" ON evidence ("auditId", "controlId");
CREATE INDEX "IDX_evidence_client_status" ON evidence ("clientId", status);
CREATE INDEX "IDX_evidence_collection_date" ON evidence ("collectionDate");
CREATE INDEX "IDX_evidence_deleted_at" ON evidence ("deletedAt") WHERE "deletedAt" IS NOT NULL;
CREATE INDEX "IDX_evidence_expiration_date" ON evidence ("expirationDate");
CREATE INDEX "IDX_evidence_type_status" ON evidence (type, status);

-- Someone asks someone else for evidence, by a date.
CREATE TABLE evidence_requests (
    id                     uuid             NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    title                  varchar          NOT NULL,
    description            text,
    type                   request_type     NOT NULL DEFAULT 'initial',
    status                 request_status   NOT NULL DEFAULT 'draft',
    priority               request_priority NOT NULL DEFAULT 'medium',

    -- Where it belongs
    "clientId"             uuid             NOT NULL,
    "auditId"              uuid             NOT NULL,
    "parentRequestId"      uuid,

    -- What is asked for
    "requestedItems"       jsonb            NOT NULL DEFAULT '[]',
    templates              jsonb,

    -- Who asks whom
    "requestedBy"          uuid             NOT NULL,
    "requestedByName"      varchar          NOT NULL,
    "requestedByEmail"     varchar,
    "requestedFrom"        uuid             NOT NULL,
    "requestedFromName"    varchar          NOT NULL,
    "requestedFromEmail"   varchar,
    "ccRecipients"         text[],
    "assignedTo"           uuid,

    -- Life cycle
    "dueDate"              timestamptz      NOT NULL,
    "sentDate"             timestamptz,
    "acknowledgedDate"     timestamptz,
    "completedDate"        timestamptz,
    "cancelledDate"        timestamptz,

    -- Progress
    communications         jsonb,
    reminders              jsonb,
    "completionPercentage" numeric(5,2)     NOT NULL DEFAULT 0,
    "progressHistory"      jsonb,
    "complianceContext"    jsonb,
    settings               jsonb,

    -- Bookkeeping
    tags                   text[],
    notes                  text,
    "createdBy"            uuid             NOT NULL,
    "updatedBy"            uuid             NOT NULL,
    "createdAt"            timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"            timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_913982e15f9105798909fb7b4d4" PRIMARY KEY (id)
);

CREATE INDEX "IDX_requests_audit_status" ON evidence_requests ("auditId", status);
CREATE INDEX "IDX_requests_client_status" ON evidence_requests ("clientId", status);
CREATE INDEX "IDX_requests_due_date" ON evidence_requests ("dueDate");
CREATE INDEX "IDX_requests_requested_from" ON evidence_requests ("requestedFrom");

-- What evidence of a kind has to look like.
CREATE TABLE evidence_templates (
    id                uuid          NOT NULL DEFAULT uuid_generate_v4(),
    name              varchar       NOT NULL,
    description       text,
    category          varchar       NOT NULL,
    type              evidence_type NOT NULL,
    frameworks        jsonb         NOT NULL DEFAULT '[]',
    controls          jsonb         NOT NULL DEFAULT '[]',
    "templateContent" jsonb         NOT NULL,
    "sampleData"      jsonb,
    instructions      text,
    "acceptedFormats" text[],
    "requiredFields"  jsonb,
    "validationRules" jsonb,
    tags              text[],
    version           varchar       NOT NULL DEFAULT '1.0',
    "isActive"        boolean       NOT NULL DEFAULT true,
    "organizationId"  uuid,
    "createdBy"       uuid          NOT NULL,
    "updatedBy"       uuid          NOT NULL,
    "createdAt"       timestamptz   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamptz   NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_9fea38c6afc5afde28cba255215" PRIMARY KEY (id)
);

CREATE INDEX "IDX_templates_active" ON evidence_templates ("isActive");
CREATE INDEX "IDX_templates_category" ON evidence_templates (category);
CREATE INDEX "IDX_templates_type" ON evidence_templates (type);

-- Automatic checks of incoming evidence.
CREATE TABLE validation_rules (
    id               uuid        NOT NULL DEFAULT uuid_generate_v4(),
    name             varchar     NOT NULL,
    description      text,
    type             varchar     NOT NULL,
    "evidenceTypes"  jsonb       NOT NULL DEFAULT '[]',
    condition        jsonb       NOT NULL,
    action           jsonb       NOT NULL,
    severity         varchar     NOT NULL DEFAULT 'medium',
    "isActive"       boolean     NOT NULL DEFAULT true,
    frameworks       jsonb,
    controls         jsonb,
    "customScript"   text,
    priority         integer     NOT NULL DEFAULT 1,
    "organizationId" uuid,
    tags             text[],
    "createdBy"      uuid        NOT NULL,
    "updatedBy"      uuid        NOT NULL,
    "createdAt"      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_e716d3b67a48a975d22ecb7a0b5" PRIMARY KEY (id)
);

CREATE INDEX "IDX_validation_rules_active" ON validation_rules ("isActive");
CREATE INDEX "IDX_validation_rules_type" ON validation_rules (type);

-- Keeps the time of the last change.
CREATE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
      BEGIN
          NEW."updatedAt" = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;

CREATE TRIGGER update_evidence_updated_at
    BEFORE UPDATE ON evidence
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_evidence_requests_updated_at
    BEFORE UPDATE ON evidence_requests
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_evidence_templates_updated_at
    BEFORE UPDATE ON evidence_templates
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_validation_rules_updated_at
    BEFORE UPDATE ON validation_rules
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
