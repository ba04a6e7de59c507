-- policy: policies, the compliance frameworks with the controls that they ask for, and risks.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE policy_type AS ENUM (
    'security', 'privacy', 'access_control', 'data_governance', 'incident_response',
    'business_continuity', 'compliance', 'operational', 'administrative', 'technical', 'physical',
    'custom'
);
CREATE TYPE policy_status AS ENUM (
    'draft', 'pending_review', 'under_review', 'approved', 'published', 'effective', 'suspended',
    'retired', 'superseded'
);
CREATE TYPE policy_priority AS ENUM ('critical', 'high', 'medium', 'low');
CREATE TYPE policy_scope AS ENUM (
    'global', 'organization', 'department', 'team', 'system', 'process', 'role'
);
CREATE TYPE workflow_state AS ENUM (
    'draft', 'submitted', 'in_review', 'changes_requested', 'approved', 'rejected', 'published',
    'archived'
);
CREATE TYPE framework_type AS ENUM ('regulatory', 'standard', 'best_practice', 'custom');
CREATE TYPE framework_status AS ENUM ('active', 'draft', 'deprecated', 'archived');
CREATE TYPE control_category AS ENUM (
    'preventive', 'detective', 'corrective', 'compensating', 'administrative', 'technical',
    'physical'
);
CREATE TYPE control_priority AS ENUM ('critical', 'high', 'medium', 'low');
CREATE TYPE implementation_status AS ENUM (
    'not_started', 'in_progress', 'partial', 'implemented', 'not_applicable'
);
CREATE TYPE risk_category AS ENUM (
    'strategic', 'operational', 'financial', 'compliance', 'reputational', 'security', 'privacy',
    'technology', 'third_party', 'environmental', 'legal', 'project'
);
CREATE TYPE risk_status AS ENUM (
    'identified', 'assessed', 'accepted', 'mitigated', 'transferred', 'avoided', 'monitoring',
    'closed', 'escalated'
);
CREATE TYPE risk_treatment AS ENUM ('accept', 'mitigate', 'transfer', 'avoid');

-- No column uses these two; the legacy schema has them all the same.
CREATE TYPE evidence_status AS ENUM (
    'pending_collection', 'pending_review', 'under_review', 'approved', 'rejected', 'expired'
);
CREATE TYPE risk_level AS ENUM ('low', 'medium', 'high', 'critical');

-- A policy with its content, its life cycle and its machine-readable form.
CREATE TABLE policies (
    id                     uuid            NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    title                  varchar         NOT NULL,
    "policyNumber"         varchar         NOT NULL,
    version                varchar,
    description            text,
    purpose                text            NOT NULL,

    -- State
    type                   policy_type     NOT NULL,
    status                 policy_status   NOT NULL DEFAULT 'draft',
    priority               policy_priority NOT NULL DEFAULT 'medium',
    scope                  policy_scope    NOT NULL DEFAULT 'organization',

    -- Ownership
    "organizationId"       uuid            NOT NULL,
    "ownerId"              uuid            NOT NULL,
    "ownerName"            varchar         NOT NULL,
    "ownerEmail"           varchar,
    "ownerDepartment"      varchar,
    "delegateOwnerId"      uuid,
    stakeholders           text[],

    -- Content
    content                jsonb           NOT NULL,
    requirements           jsonb,
    exceptions             jsonb,
    "complianceMapping"    jsonb,
    "relatedPolicies"      text[],
    "supersededPolicies"   text[],
    implementation         jsonb,

    -- Life cycle
    "effectiveDate"        timestamptz     NOT NULL,
    "expirationDate"       timestamptz,
    "nextReviewDate"       timestamptz     NOT NULL,
    "lastReviewDate"       timestamptz,
    "approvalDate"         timestamptz,
    "publishedDate"        timestamptz,
    "reviewCycle"          jsonb,

    -- Assessment and approval
    "approvalWorkflow"     jsonb,
    "riskAssessment"       jsonb,
    "impactAnalysis"       jsonb,

    -- Use
    "viewCount"            integer         NOT NULL DEFAULT 0,
    "downloadCount"        integer         NOT NULL DEFAULT 0,
    "complianceScore"      numeric(5,2),
    "adoptionRate"         numeric(5,2),
    metrics                jsonb,

    -- Evaluation as code
    "workflowState"        workflow_state  NOT NULL DEFAULT 'draft',
    "regoPolicy"           text,
    "opaMetadata"          jsonb,
    "isEvaluatable"        boolean         NOT NULL DEFAULT false,
    "evaluationError"      text,
    "lastEvaluated"        timestamptz,
    "lastComplianceCheck"  timestamptz,
    "evaluationHistory"    jsonb,
    "automationRules"      jsonb,
    "policyAsCode"         text,
    "policyAsCodeLanguage" varchar,

    -- Attachments and search
    integrations           jsonb,
    attachments            text[],
    templates              text[],
    tags                   text[],
    keywords               text[],

    -- Bookkeeping
    "changeHistory"        jsonb,
    "createdBy"            uuid            NOT NULL,
    "updatedBy"            uuid            NOT NULL,
    "createdAt"            timestamptz     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"            timestamptz     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "archivedAt"           timestamptz,

    CONSTRAINT "PK_603e09f183df0108d8695c57e28" PRIMARY KEY (id),
    CONSTRAINT "UQ_a8802538a5b1523552e79d49c7d" UNIQUE ("policyNumber")
);

CREATE INDEX "IDX_policies_effective_date" ON policies ("effectiveDate");
CREATE INDEX "IDX_policies_next_review" ON policies ("nextReviewDate");
CREATE INDEX "IDX_policies_org_status" ON policies ("organizationId", status);
CREATE INDEX "IDX_policies_type_status" ON policies (type, status);

-- SOC 2, ISO 27001 and the like, or a framework of an organisation's own.
CREATE TABLE compliance_frameworks (
    id                         uuid             NOT NULL DEFAULT uuid_generate_v4(),
    "frameworkId"              varchar          NOT NULL,
    name                       varchar          NOT NULL,
    version                    varchar          NOT NULL,
    description                text,

    -- State
    type                       framework_type   NOT NULL,
    status                     framework_status NOT NULL DEFAULT 'active',
    "organizationId"           uuid             NOT NULL,

    -- Details
    metadata                   jsonb,
    mappings                   jsonb,
    tags                       text[],
    keywords                   text[],
    "isCustom"                 boolean          NOT NULL DEFAULT false,
    "isPublic"                 boolean          NOT NULL DEFAULT true,

    -- Figures that the application keeps up to date
    "controlCount"             integer          NOT NULL DEFAULT 0,
    "implementedControlCount"  integer          NOT NULL DEFAULT 0,
    "implementationPercentage" numeric(5,2),
    statistics                 jsonb,

    -- Bookkeeping
    "createdBy"                uuid             NOT NULL,
    "updatedBy"                uuid             NOT NULL,
    "createdAt"                timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "archivedAt"               timestamptz,

    CONSTRAINT "PK_cd7feec99fba7a4fdf98e023c6b" PRIMARY KEY (id),
    CONSTRAINT "UQ_24190adb778438d223ffbfed198" UNIQUE ("frameworkId")
);

CREATE INDEX "IDX_frameworks_org_status" ON compliance_frameworks ("organizationId", status);
CREATE INDEX "IDX_frameworks_type_status" ON compliance_frameworks (type, status);

-- One control of a framework, and how far an organisation has implemented it. "controlId" is the
-- framework's own numbering ("CC6.1"), not a key.
CREATE TABLE compliance_controls (
    id                       uuid                  NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"              varchar               NOT NULL,
    "frameworkId"            uuid                  NOT NULL,

    -- The control
    title                    varchar               NOT NULL,
    description              text                  NOT NULL,
    category                 control_category      NOT NULL,
    priority                 control_priority      NOT NULL DEFAULT 'medium',
    "organizationId"         uuid                  NOT NULL,
    requirements             jsonb,
    objective                text,
    rationale                text,
    "testingGuidance"        jsonb,

    -- Implementation
    "implementationStatus"   implementation_status NOT NULL DEFAULT 'not_started',
    "implementationScore"    numeric(5,2)          NOT NULL DEFAULT 0,
    "implementationNotes"    text,
    "implementationDetails"  jsonb,
    gaps                     jsonb,
    evidence                 jsonb,

    -- Relations
    "relatedPolicies"        text[],
    "crossFrameworkMappings" jsonb,
    "compensatingControls"   text[],
    dependencies             text[],

    -- Assessment
    "lastAssessmentDate"     timestamptz,
    "nextAssessmentDate"     timestamptz,
    "assessmentHistory"      jsonb,
    "riskAssessment"         jsonb,

    -- Automation and search
    "isAutomated"            boolean               NOT NULL DEFAULT false,
    "automationConfig"       jsonb,
    tags                     text[],
    keywords                 text[],
    "customFields"           jsonb,

    -- Bookkeeping
    "createdBy"              uuid                  NOT NULL,
    "updatedBy"              uuid                  NOT NULL,
    "createdAt"              timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"              timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_ad31c3049146dbe4c72fe50e7a3" PRIMARY KEY (id),
    CONSTRAINT "FK_controls_framework" FOREIGN KEY ("frameworkId")
        REFERENCES compliance_frameworks (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_controls_category_priority" ON compliance_controls (category, priority);
CREATE INDEX "IDX_controls_framework_control" ON compliance_controls ("frameworkId", "controlId");
CREATE INDEX "IDX_controls_org_status"
    ON compliance_controls ("organizationId", "implementationStatus");

-- The risk register. "riskId" is the number that people read, not a key.
CREATE TABLE risks (
    id                        uuid           NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    title                     varchar        NOT NULL,
    "riskId"                  varchar        NOT NULL,
    description               text           NOT NULL,
    category                  risk_category  NOT NULL,
    status                    risk_status    NOT NULL DEFAULT 'identified',

    -- Ownership
    "organizationId"          uuid           NOT NULL,
    "ownerId"                 uuid           NOT NULL,
    "ownerName"               varchar        NOT NULL,
    "ownerEmail"              varchar,
    "ownerDepartment"         varchar,
    stakeholders              text[],

    -- Assessment and treatment
    assessment                jsonb          NOT NULL,
    details                   jsonb,
    "impactAnalysis"          jsonb,
    treatment                 risk_treatment,
    "treatmentPlan"           jsonb,
    monitoring                jsonb,

    -- Incidents
    incidents                 jsonb,
    "incidentCount"           integer        NOT NULL DEFAULT 0,
    "lastIncidentDate"        timestamptz,

    -- Mitigation and reporting
    "mitigationMeasures"      text[],
    "mitigationEffectiveness" numeric(5,2),
    reporting                 jsonb,
    attachments               text[],
    "references"              jsonb,
    "auditTrail"              jsonb,

    -- Life cycle
    "identifiedDate"          timestamptz    NOT NULL,
    "assessmentDate"          timestamptz,
    "treatmentDate"           timestamptz,
    "closedDate"              timestamptz,
    "closureReason"           varchar,
    "nextReviewDate"          timestamptz    NOT NULL,

    -- Search
    tags                      text[],
    keywords                  text[],
    "isActive"                boolean        NOT NULL DEFAULT true,
    version                   integer        NOT NULL DEFAULT 0,

    -- Bookkeeping
    "createdBy"               uuid           NOT NULL,
    "updatedBy"               uuid           NOT NULL,
    "createdAt"               timestamptz    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"               timestamptz    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_df437126f5dd05e856b8bf7157f" PRIMARY KEY (id),
    CONSTRAINT "UQ_b24830615baa256446d25fbb274" UNIQUE ("riskId")
);

CREATE INDEX "IDX_risks_category_status" ON risks (category, status);
CREATE INDEX "IDX_risks_org_status" ON risks ("organizationId", status);
CREATE INDEX "IDX_risks_owner" ON risks ("ownerId");

-- Which policy answers which control. The unique index below stands in for a primary key.
CREATE TABLE policy_control_mapping (
    "policyId"  uuid NOT NULL,
    "controlId" uuid NOT NULL,
    CONSTRAINT "FK_policy_control_mapping_control" FOREIGN KEY ("controlId")
        REFERENCES compliance_controls (id) ON DELETE CASCADE,
    CONSTRAINT "FK_policy_control_mapping_policy" FOREIGN KEY ("policyId")
        REFERENCES policies (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX "IDX_policy_control_mapping" ON policy_control_mapping ("policyId", "controlId");

-- Which control treats which risk. The unique index below stands in for a primary key.
CREATE TABLE risk_controls (
    "riskId"    uuid NOT NULL,
    "controlId" uuid NOT NULL,
    CONSTRAINT "FK_risk_controls_control" FOREIGN KEY ("controlId")
        REFERENCES compliance_controls (id) ON DELETE CASCADE,
    CONSTRAINT "FK_risk_controls_risk" FOREIGN KEY ("riskId")
        REFERENCES risks (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX "IDX_risk_controls" ON risk_controls ("riskId", "controlId");

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

CREATE TRIGGER update_policies_updated_at
    BEFORE UPDATE ON policies
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_compliance_frameworks_updated_at
    BEFORE UPDATE ON compliance_frameworks
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_compliance_controls_updated_at
    BEFORE UPDATE ON compliance_controls
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_risks_updated_at
    BEFORE UPDATE ON risks
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
