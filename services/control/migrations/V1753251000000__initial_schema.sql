-- control: the catalogue of controls, and how they are implemented, tested, assessed and excepted.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE control_type AS ENUM ('PREVENTIVE', 'DETECTIVE', 'CORRECTIVE', 'COMPENSATING');
CREATE TYPE control_category AS ENUM (
    'ACCESS_CONTROL', 'AUTHENTICATION', 'AUTHORIZATION', 'DATA_PROTECTION', 'ENCRYPTION',
    'MONITORING', 'INCIDENT_RESPONSE', 'BUSINESS_CONTINUITY', 'PHYSICAL_SECURITY',
    'NETWORK_SECURITY', 'APPLICATION_SECURITY', 'VENDOR_MANAGEMENT', 'AUDIT_ACCOUNTABILITY'
);
CREATE TYPE control_frequency AS ENUM (
    'CONTINUOUS', 'DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY', 'SEMI_ANNUAL', 'ANNUAL', 'ON_DEMAND'
);
CREATE TYPE control_status AS ENUM ('ACTIVE', 'INACTIVE', 'UNDER_REVIEW', 'DEPRECATED', 'RETIRED');
CREATE TYPE implementation_status AS ENUM (
    'NOT_STARTED', 'IN_PROGRESS', 'IMPLEMENTED', 'PARTIALLY_IMPLEMENTED', 'NOT_APPLICABLE'
);
CREATE TYPE test_status AS ENUM ('SCHEDULED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'FAILED');
CREATE TYPE test_result AS ENUM ('PASS', 'FAIL', 'PARTIAL', 'NOT_APPLICABLE', 'ERROR');
CREATE TYPE assessment_result AS ENUM (
    'EFFECTIVE', 'PARTIALLY_EFFECTIVE', 'INEFFECTIVE', 'NOT_TESTED'
);
CREATE TYPE exception_status AS ENUM ('PENDING', 'APPROVED', 'REJECTED', 'EXPIRED', 'CANCELLED');

-- The catalogue. "organizationId" is nullable, so a control need not belong to one organisation.
CREATE TABLE controls (
    id                       uuid              NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    code                     varchar(50)       NOT NULL,
    name                     varchar(255)      NOT NULL,
    description              text              NOT NULL,
    objective                text              NOT NULL,
    requirements             text,

    -- Classification
    type                     control_type      NOT NULL,
    category                 control_category  NOT NULL,
    frequency                control_frequency NOT NULL DEFAULT 'QUARTERLY',
    status                   control_status    NOT NULL DEFAULT 'ACTIVE',
    frameworks               jsonb             NOT NULL DEFAULT '[]',

    -- Guidance
    "implementationGuidance" text,
    "testProcedures"         jsonb             NOT NULL DEFAULT '[]',
    "evidenceRequirements"   jsonb             NOT NULL DEFAULT '[]',

    -- Metrics and automation
    metrics                  jsonb             NOT NULL DEFAULT '{}',
    "automationCapable"      boolean           NOT NULL DEFAULT false,
    "automationImplemented"  boolean           NOT NULL DEFAULT false,
    "automationDetails"      jsonb,
    "automationConfig"       jsonb,

    -- Relations and tags
    "relatedControls"        jsonb             NOT NULL DEFAULT '[]',
    "compensatingControls"   jsonb             NOT NULL DEFAULT '[]',
    tags                     jsonb             NOT NULL DEFAULT '[]',

    -- Ownership
    "ownerId"                uuid,
    "organizationId"         uuid,

    -- Risk and cost
    "riskRating"             varchar,
    "costOfImplementation"   numeric,
    "costOfTesting"          numeric,
    "regulatoryRequirement"  boolean           NOT NULL DEFAULT false,
    "dataClassification"     varchar,

    -- Context
    "businessProcesses"      jsonb             NOT NULL DEFAULT '[]',
    "systemComponents"       jsonb             NOT NULL DEFAULT '[]',
    "riskFactors"            jsonb             NOT NULL DEFAULT '[]',
    stakeholders             jsonb             NOT NULL DEFAULT '[]',
    "customFields"           jsonb             NOT NULL DEFAULT '{}',

    -- Bookkeeping
    version                  integer           NOT NULL DEFAULT 1,
    "createdBy"              uuid,
    "updatedBy"              uuid,
    "createdAt"              timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"              timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_caab9cdc105919cae31de77f61e" PRIMARY KEY (id),
    CONSTRAINT "UQ_06a9f5ce9f46874d57b69a0a786" UNIQUE (code)
);

CREATE INDEX "IDX_controls_category" ON controls (category);
-- Doubles the unique constraint's own index; adopted databases have both.
CREATE UNIQUE INDEX "IDX_controls_code" ON controls (code);
CREATE INDEX "IDX_controls_org" ON controls ("organizationId");
CREATE INDEX "IDX_controls_status" ON controls (status);

-- How an organisation implements a control.
CREATE TABLE control_implementations (
    id                          uuid                  NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"                 uuid                  NOT NULL,
    "organizationId"            uuid                  NOT NULL,
    status                      implementation_status NOT NULL DEFAULT 'NOT_STARTED',
    "implementationDescription" text                  NOT NULL,
    "implementationDate"        date,
    "plannedDate"               date,
    "implementedBy"             uuid                  NOT NULL,
    "maturityLevel"             varchar               NOT NULL DEFAULT 'INITIAL',
    configuration               jsonb                 NOT NULL DEFAULT '{}',
    "responsibleParty"          uuid,
    evidence                    jsonb                 NOT NULL DEFAULT '[]',
    notes                       text,
    "effectivenessScore"        integer               NOT NULL DEFAULT 100,
    "lastAssessmentDate"        date,
    "nextReviewDate"            date,
    gaps                        jsonb                 NOT NULL DEFAULT '[]',
    "compensatingControls"      jsonb                 NOT NULL DEFAULT '[]',
    "isTemporary"               boolean               NOT NULL DEFAULT false,
    "expiryDate"                date,
    "lastReviewDate"            timestamp,
    "createdAt"                 timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                 timestamptz           NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_d57bcc52729433ffaa62f1b3e11" PRIMARY KEY (id),
    CONSTRAINT "FK_implementation_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_implementations_control_org"
    ON control_implementations ("controlId", "organizationId");
CREATE INDEX "IDX_implementations_status" ON control_implementations (status);

-- The plan by which a control is tested.
CREATE TABLE control_tests (
    id                      uuid              NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"             uuid              NOT NULL,
    name                    varchar           NOT NULL,
    description             text,
    "testType"              varchar           NOT NULL,
    frequency               control_frequency NOT NULL DEFAULT 'QUARTERLY',
    "testProcedures"        jsonb             NOT NULL DEFAULT '[]',
    "sampleSelectionMethod" varchar,
    "minimumSampleSize"     integer,
    "expectedEvidence"      jsonb             NOT NULL DEFAULT '[]',
    "automationCapable"     boolean           NOT NULL DEFAULT false,
    "automationConfig"      jsonb,
    "assignedTo"            uuid,
    "lastTestDate"          date,
    "nextTestDate"          date,
    status                  test_status       NOT NULL DEFAULT 'SCHEDULED',
    priority                varchar,
    "estimatedDuration"     integer,
    tags                    jsonb             NOT NULL DEFAULT '[]',
    "isActive"              boolean           NOT NULL DEFAULT true,
    "createdBy"             uuid,
    "updatedBy"             uuid,
    "createdAt"             timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"             timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_ae9c5fdfb9c9775a06fc1bc7fc1" PRIMARY KEY (id),
    CONSTRAINT "FK_control_test_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_control_tests_control" ON control_tests ("controlId");
CREATE INDEX "IDX_control_tests_next_date" ON control_tests ("nextTestDate");

-- What a test found.
CREATE TABLE control_test_results (
    id                uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"       uuid        NOT NULL,
    "organizationId"  uuid        NOT NULL,
    "testName"        varchar     NOT NULL,
    "testType"        varchar     NOT NULL,
    "testDate"        date        NOT NULL,
    "testedBy"        uuid        NOT NULL,
    result            test_result NOT NULL DEFAULT 'NOT_APPLICABLE',
    score             integer,
    details           text,
    evidence          jsonb       NOT NULL DEFAULT '[]',
    "sampleSize"      integer,
    "populationSize"  integer,
    "exceptionsFound" integer     NOT NULL DEFAULT 0,
    findings          jsonb       NOT NULL DEFAULT '[]',
    recommendations   jsonb       NOT NULL DEFAULT '[]',
    "retestRequired"  boolean     NOT NULL DEFAULT false,
    "retestDate"      date,
    "approvedBy"      uuid,
    "approvalDate"    date,
    attachments       jsonb       NOT NULL DEFAULT '[]',
    duration          integer,
    automated         boolean     NOT NULL DEFAULT false,
    "createdAt"       timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_d066149f4996bbe5f8a564ec278" PRIMARY KEY (id),
    CONSTRAINT "FK_test_result_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_test_results_control_org" ON control_test_results ("controlId", "organizationId");
CREATE INDEX "IDX_test_results_date" ON control_test_results ("testDate");

-- An assessor's judgement over a control.
CREATE TABLE control_assessments (
    id                    uuid              NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"           uuid              NOT NULL,
    "organizationId"      uuid              NOT NULL,
    "assessmentDate"      date              NOT NULL,
    "assessedBy"          uuid              NOT NULL,
    "assessmentType"      varchar           NOT NULL,
    result                assessment_result NOT NULL DEFAULT 'NOT_TESTED',
    "effectivenessScore"  integer           NOT NULL,
    "maturityLevel"       integer           NOT NULL,
    findings              jsonb             NOT NULL DEFAULT '[]',
    gaps                  jsonb             NOT NULL DEFAULT '[]',
    recommendations       jsonb             NOT NULL DEFAULT '[]',
    "evidenceReviewed"    jsonb             NOT NULL DEFAULT '[]',
    "remediationRequired" boolean           NOT NULL DEFAULT false,
    "remediationPlan"     jsonb,
    "followUpDate"        date,
    notes                 text,
    attachments           jsonb             NOT NULL DEFAULT '[]',
    "createdAt"           timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"           timestamptz       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_f9c56844b6e05f67f81f5456718" PRIMARY KEY (id),
    CONSTRAINT "FK_assessment_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_assessments_control_org" ON control_assessments ("controlId", "organizationId");
CREATE INDEX "IDX_assessments_date" ON control_assessments ("assessmentDate");

-- Permission not to follow a control for a while, and who gave it.
CREATE TABLE control_exceptions (
    id                     uuid             NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"            uuid             NOT NULL,
    "organizationId"       uuid             NOT NULL,
    status                 exception_status NOT NULL DEFAULT 'PENDING',
    title                  varchar          NOT NULL,
    description            text             NOT NULL,
    justification          text             NOT NULL,
    "requestedBy"          uuid             NOT NULL,
    "requestDate"          date             NOT NULL,
    "riskAssessment"       jsonb            NOT NULL DEFAULT '{}',
    "compensatingControls" jsonb            NOT NULL DEFAULT '[]',
    "startDate"            date             NOT NULL,
    "endDate"              date             NOT NULL,
    approvers              jsonb            NOT NULL DEFAULT '[]',
    "currentApprover"      uuid,
    "approvalComments"     text,
    conditions             jsonb            NOT NULL DEFAULT '[]',
    "reviewFrequency"      varchar,
    "lastReviewDate"       date,
    "nextReviewDate"       date,
    attachments            jsonb            NOT NULL DEFAULT '[]',
    "createdAt"            timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"            timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_6487904e6aee457343c7189da76" PRIMARY KEY (id),
    CONSTRAINT "FK_exception_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_exceptions_control_org" ON control_exceptions ("controlId", "organizationId");
CREATE INDEX "IDX_exceptions_status" ON control_exceptions (status);

-- Which requirement of which framework a control meets.
CREATE TABLE control_mappings (
    id                 uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "controlId"        uuid        NOT NULL,
    "frameworkName"    varchar     NOT NULL,
    "frameworkVersion" varchar,
    section            varchar     NOT NULL,
    requirement        text        NOT NULL,
    "mappingType"      varchar     NOT NULL DEFAULT 'direct',
    "mappingStrength"  integer     NOT NULL DEFAULT 100,
    notes              text,
    "validatedBy"      uuid,
    "validationDate"   date,
    "isActive"         boolean     NOT NULL DEFAULT true,
    "createdAt"        timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_cc251e85db4377ac663efbb07b8" PRIMARY KEY (id),
    CONSTRAINT "FK_mapping_control" FOREIGN KEY ("controlId")
        REFERENCES controls (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_mappings_control" ON control_mappings ("controlId");
CREATE INDEX "IDX_mappings_framework" ON control_mappings ("frameworkName");

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

CREATE TRIGGER update_controls_updated_at
    BEFORE UPDATE ON controls
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_implementations_updated_at
    BEFORE UPDATE ON control_implementations
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_tests_updated_at
    BEFORE UPDATE ON control_tests
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_test_results_updated_at
    BEFORE UPDATE ON control_test_results
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_assessments_updated_at
    BEFORE UPDATE ON control_assessments
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_exceptions_updated_at
    BEFORE UPDATE ON control_exceptions
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_mappings_updated_at
    BEFORE UPDATE ON control_mappings
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
