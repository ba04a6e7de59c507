CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.confidentiality_level AS ENUM (
    'public',
    'internal',
    'confidential',
    'highly_confidential',
    'restricted'
);

CREATE TYPE public.evidence_source AS ENUM (
    'manual_upload',
    'api_integration',
    'automated_collection',
    'system_generated',
    'third_party',
    'auditor_provided',
    'client_provided'
);

CREATE TYPE public.evidence_status AS ENUM (
    'draft',
    'pending_collection',
    'collecting',
    'collected',
    'pending_review',
    'under_review',
    'approved',
    'rejected',
    'needs_update',
    'archived',
    'expired'
);

CREATE TYPE public.evidence_type AS ENUM (
    'document',
    'screenshot',
    'log_file',
    'configuration',
    'report',
    'attestation',
    'system_export',
    'api_response',
    'database_query',
    'interview',
    'observation',
    'policy',
    'procedure',
    'diagram',
    'video',
    'code_snippet',
    'security_scan',
    'audit_log',
    'other'
);

CREATE TYPE public.request_priority AS ENUM (
    'low',
    'medium',
    'high',
    'critical'
);

CREATE TYPE public.request_status AS ENUM (
    'draft',
    'sent',
    'acknowledged',
    'in_progress',
    'partially_complete',
    'complete',
    'overdue',
    'cancelled'
);

CREATE TYPE public.request_type AS ENUM (
    'initial',
    'follow_up',
    'clarification',
    'additional',
    'remediation',
    'periodic',
    'ad_hoc'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
      BEGIN
          NEW."updatedAt" = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;

CREATE TABLE public.evidence (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    title character varying NOT NULL,
    description text,
    type public.evidence_type NOT NULL,
    status public.evidence_status DEFAULT 'draft'::public.evidence_status NOT NULL,
    source public.evidence_source NOT NULL,
    "confidentialityLevel" public.confidentiality_level DEFAULT 'internal'::public.confidentiality_level NOT NULL,
    "clientId" uuid NOT NULL,
    "auditId" uuid,
    "controlId" uuid,
    "requestId" uuid,
    "collectorId" uuid,
    "collectorType" character varying,
    metadata jsonb,
    "storageUrl" character varying,
    "storageProvider" character varying,
    "storagePath" character varying,
    "thumbnailUrl" character varying,
    "previewUrl" character varying,
    "collectionDate" timestamp with time zone,
    "effectiveDate" timestamp with time zone,
    "expirationDate" timestamp with time zone,
    "reviewedDate" timestamp with time zone,
    "approvedDate" timestamp with time zone,
    "collectedBy" uuid,
    "reviewedBy" uuid,
    "approvedBy" uuid,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "validatedBy" uuid,
    "validatedAt" timestamp with time zone,
    "validationComments" text,
    "qualityScore" numeric(5,2),
    "validationResults" jsonb,
    "reviewComments" jsonb,
    "complianceMapping" jsonb,
    tags text[],
    keywords text[],
    version integer DEFAULT 1 NOT NULL,
    "parentEvidenceId" uuid,
    "isLatestVersion" boolean DEFAULT true NOT NULL,
    "versionHistory" jsonb,
    "accessControl" jsonb,
    "encryptionKey" text,
    "isEncrypted" boolean DEFAULT false NOT NULL,
    "isSensitive" boolean DEFAULT false NOT NULL,
    "viewCount" integer DEFAULT 0 NOT NULL,
    "downloadCount" integer DEFAULT 0 NOT NULL,
    "lastAccessedAt" timestamp with time zone,
    "usageMetrics" jsonb,
    "auditTrail" jsonb,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "deletedAt" timestamp with time zone
);

CREATE TABLE public.evidence_requests (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    title character varying NOT NULL,
    description text,
    type public.request_type DEFAULT 'initial'::public.request_type NOT NULL,
    status public.request_status DEFAULT 'draft'::public.request_status NOT NULL,
    priority public.request_priority DEFAULT 'medium'::public.request_priority NOT NULL,
    "clientId" uuid NOT NULL,
    "auditId" uuid NOT NULL,
    "parentRequestId" uuid,
    "requestedItems" jsonb DEFAULT '[]'::jsonb NOT NULL,
    templates jsonb,
    "requestedBy" uuid NOT NULL,
    "requestedByName" character varying NOT NULL,
    "requestedByEmail" character varying,
    "requestedFrom" uuid NOT NULL,
    "requestedFromName" character varying NOT NULL,
    "requestedFromEmail" character varying,
    "ccRecipients" text[],
    "assignedTo" uuid,
    "dueDate" timestamp with time zone NOT NULL,
    "sentDate" timestamp with time zone,
    "acknowledgedDate" timestamp with time zone,
    "completedDate" timestamp with time zone,
    "cancelledDate" timestamp with time zone,
    communications jsonb,
    reminders jsonb,
    "completionPercentage" numeric(5,2) DEFAULT 0 NOT NULL,
    "progressHistory" jsonb,
    "complianceContext" jsonb,
    settings jsonb,
    tags text[],
    notes text,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.evidence_templates (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    description text,
    category character varying NOT NULL,
    type public.evidence_type NOT NULL,
    frameworks jsonb DEFAULT '[]'::jsonb NOT NULL,
    controls jsonb DEFAULT '[]'::jsonb NOT NULL,
    "templateContent" jsonb NOT NULL,
    "sampleData" jsonb,
    instructions text,
    "acceptedFormats" text[],
    "requiredFields" jsonb,
    "validationRules" jsonb,
    tags text[],
    version character varying DEFAULT '1.0'::character varying NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    "organizationId" uuid,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.validation_rules (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    description text,
    type character varying NOT NULL,
    "evidenceTypes" jsonb DEFAULT '[]'::jsonb NOT NULL,
    condition jsonb NOT NULL,
    action jsonb NOT NULL,
    severity character varying DEFAULT 'medium'::character varying NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    frameworks jsonb,
    controls jsonb,
    "customScript" text,
    priority integer DEFAULT 1 NOT NULL,
    "organizationId" uuid,
    tags text[],
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.evidence_requests
    ADD CONSTRAINT "PK_913982e15f9105798909fb7b4d4" PRIMARY KEY (id);

ALTER TABLE ONLY public.evidence_templates
    ADD CONSTRAINT "PK_9fea38c6afc5afde28cba255215" PRIMARY KEY (id);

ALTER TABLE ONLY public.evidence
    ADD CONSTRAINT "PK_b864cb5d49854f89917fc0b44b9" PRIMARY KEY (id);

ALTER TABLE ONLY public.validation_rules
    ADD CONSTRAINT "PK_e716d3b67a48a975d22ecb7a0b5" PRIMARY KEY (id);

CREATE INDEX "IDX_evidence_audit_control" ON public.evidence USING btree ("auditId", "controlId");

CREATE INDEX "IDX_evidence_client_status" ON public.evidence USING btree ("clientId", status);

CREATE INDEX "IDX_evidence_collection_date" ON public.evidence USING btree ("collectionDate");

CREATE INDEX "IDX_evidence_deleted_at" ON public.evidence USING btree ("deletedAt") WHERE ("deletedAt" IS NOT NULL);

CREATE INDEX "IDX_evidence_expiration_date" ON public.evidence USING btree ("expirationDate");

CREATE INDEX "IDX_evidence_type_status" ON public.evidence USING btree (type, status);

CREATE INDEX "IDX_requests_audit_status" ON public.evidence_requests USING btree ("auditId", status);

CREATE INDEX "IDX_requests_client_status" ON public.evidence_requests USING btree ("clientId", status);

CREATE INDEX "IDX_requests_due_date" ON public.evidence_requests USING btree ("dueDate");

CREATE INDEX "IDX_requests_requested_from" ON public.evidence_requests USING btree ("requestedFrom");

CREATE INDEX "IDX_templates_active" ON public.evidence_templates USING btree ("isActive");

CREATE INDEX "IDX_templates_category" ON public.evidence_templates USING btree (category);

CREATE INDEX "IDX_templates_type" ON public.evidence_templates USING btree (type);

CREATE INDEX "IDX_validation_rules_active" ON public.validation_rules USING btree ("isActive");

CREATE INDEX "IDX_validation_rules_type" ON public.validation_rules USING btree (type);

CREATE TRIGGER update_evidence_requests_updated_at BEFORE UPDATE ON public.evidence_requests FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_evidence_templates_updated_at BEFORE UPDATE ON public.evidence_templates FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_evidence_updated_at BEFORE UPDATE ON public.evidence FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_validation_rules_updated_at BEFORE UPDATE ON public.validation_rules FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
