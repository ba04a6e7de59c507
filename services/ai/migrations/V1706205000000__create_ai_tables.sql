-- ai: models with their training, and what they produce: analyses, predictions, framework mappings
-- and remediations.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE model_status AS ENUM ('training', 'ready', 'deployed', 'deprecated', 'failed');
CREATE TYPE analysis_type AS ENUM (
    'compliance_gap', 'risk_assessment', 'predictive', 'trend', 'control_mapping'
);
CREATE TYPE analysis_status AS ENUM ('pending', 'processing', 'completed', 'failed', 'cancelled');
CREATE TYPE prediction_type AS ENUM (
    'risk_score', 'compliance_score', 'audit_success', 'control_effectiveness', 'custom'
);
CREATE TYPE prediction_status AS ENUM ('pending', 'completed', 'failed');
CREATE TYPE mapping_status AS ENUM ('draft', 'active', 'review', 'approved', 'deprecated');
CREATE TYPE remediation_priority AS ENUM ('critical', 'high', 'medium', 'low');
CREATE TYPE remediation_status AS ENUM ('pending', 'in_progress', 'completed', 'failed');

-- A model and where it runs. "modelId" is the name that callers use.
CREATE TABLE ai_models (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "modelId"        varchar(100) NOT NULL,
    name             varchar(255) NOT NULL,
    type             varchar(100) NOT NULL,
    version          varchar(50)  NOT NULL,
    status           model_status NOT NULL DEFAULT 'training',
    description      text,
    parameters       jsonb,
    metrics          jsonb,
    "trainingData"   jsonb,
    "deploymentInfo" jsonb,
    "lastTrainedAt"  timestamp,
    "deployedAt"     timestamp,
    "deprecatedAt"   timestamp,
    "createdBy"      uuid,
    "createdAt"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_3d254744f0bcf6f35be5826e25e" PRIMARY KEY (id),
    CONSTRAINT "UQ_344dd594679cd8e8f1a9fe8b530" UNIQUE ("modelId")
);

CREATE INDEX "IDX_ai_models_type_status" ON ai_models (type, status);

-- One training of a model. Its "modelId" is the row id of ai_models.
CREATE TABLE ai_training_jobs (
    id            uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "modelId"     uuid        NOT NULL,
    "jobType"     varchar(50) NOT NULL,
    status        varchar(50) NOT NULL DEFAULT 'pending',
    progress      integer     NOT NULL DEFAULT 0,
    configuration jsonb,
    results       jsonb,
    metrics       jsonb,
    error         text,
    "startedAt"   timestamp,
    "completedAt" timestamp,
    duration      integer,
    "createdBy"   uuid,
    "createdAt"   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"   timestamp   NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_a1d59181833f768d3e56c343045" PRIMARY KEY (id),
    CONSTRAINT "FK_6d8ac5ca59ae3196748f4af62f2" FOREIGN KEY ("modelId")
        REFERENCES ai_models (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_ai_training_jobs_modelId" ON ai_training_jobs ("modelId");
CREATE INDEX "IDX_ai_training_jobs_status" ON ai_training_jobs (status);

-- One analysis of a client.
CREATE TABLE compliance_analyses (
    id               uuid            NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId" uuid            NOT NULL,
    "clientId"       uuid            NOT NULL,
    type             analysis_type   NOT NULL,
    status           analysis_status NOT NULL DEFAULT 'pending',
    findings         jsonb,
    metadata         jsonb,
    description      text,
    tags             text[],
    notes            text,
    "createdBy"      uuid,
    "startedAt"      timestamp,
    "completedAt"    timestamp,
    "errorMessage"   text,
    "errorDetails"   text,
    "createdAt"      timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_cbdb4ee3aa1ebae50bc0f986cd5" PRIMARY KEY (id)
);

CREATE INDEX "IDX_compliance_analyses_createdAt" ON compliance_analyses ("createdAt");
CREATE INDEX "IDX_compliance_analyses_organizationId_clientId"
    ON compliance_analyses ("organizationId", "clientId");
CREATE INDEX "IDX_compliance_analyses_type_status" ON compliance_analyses (type, status);

-- What a model foretold, and what came true. Its "modelId" is ai_models."modelId", without a key: a
-- prediction outlives its model.
CREATE TABLE predictions (
    id               uuid              NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId" uuid              NOT NULL,
    "clientId"       uuid              NOT NULL,
    type             prediction_type   NOT NULL,
    status           prediction_status NOT NULL DEFAULT 'pending',
    "targetDate"     date,
    "predictedValue" jsonb,
    "actualValue"    jsonb,
    confidence       numeric(5,2),
    factors          jsonb,
    metadata         jsonb,
    "modelId"        varchar(100),
    "modelVersion"   varchar(50),
    accuracy         numeric(5,2),
    "createdBy"      uuid,
    "createdAt"      timestamp         NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp         NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_b92c9e4db595214b289f5e28adc" PRIMARY KEY (id)
);

CREATE INDEX "IDX_predictions_organizationId_clientId" ON predictions ("organizationId", "clientId");
CREATE INDEX "IDX_predictions_targetDate" ON predictions ("targetDate");
CREATE INDEX "IDX_predictions_type_status" ON predictions (type, status);

-- How the controls of one framework answer another.
CREATE TABLE framework_mappings (
    id                uuid           NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"  uuid           NOT NULL,
    "sourceFramework" varchar(100)   NOT NULL,
    "targetFramework" varchar(100)   NOT NULL,
    status            mapping_status NOT NULL DEFAULT 'draft',
    mappings          jsonb          NOT NULL,
    metadata          jsonb,
    version           varchar(20)    NOT NULL DEFAULT '1.0',
    description       text,
    confidence        numeric(5,2),
    "reviewedBy"      uuid,
    "reviewedAt"      timestamp,
    "approvedBy"      uuid,
    "approvedAt"      timestamp,
    "createdBy"       uuid,
    "createdAt"       timestamp      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp      NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_fd15ce1155a3aaf0583ebc5d31e" PRIMARY KEY (id)
);

CREATE INDEX "IDX_framework_mappings_frameworks"
    ON framework_mappings ("sourceFramework", "targetFramework");
CREATE INDEX "IDX_framework_mappings_organizationId" ON framework_mappings ("organizationId");
CREATE INDEX "IDX_framework_mappings_status" ON framework_mappings (status);

-- What is to be done about an audit finding. "findingId" points into the audit service's database.
CREATE TABLE remediations (
    id                uuid                 NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"  uuid                 NOT NULL,
    "clientId"        uuid                 NOT NULL,

    -- What it remedies
    "findingId"       uuid                 NOT NULL,
    "controlId"       uuid,

    -- The remedy
    title             varchar(255)         NOT NULL,
    description       text                 NOT NULL,
    priority          remediation_priority NOT NULL,
    status            remediation_status   NOT NULL DEFAULT 'pending',
    steps             jsonb                NOT NULL,

    -- Effort and cost
    "estimatedEffort" varchar(50),
    "actualEffort"    varchar(50),
    "estimatedCost"   numeric(10,2),
    "actualCost"      numeric(10,2),

    -- Progress
    "targetDate"      date,
    "completedAt"     timestamp,
    "assignedTo"      uuid,
    "reviewedBy"      uuid,
    "reviewedAt"      timestamp,

    -- Outcome
    effectiveness     jsonb,
    metadata          jsonb,
    "aiGenerated"     boolean              NOT NULL DEFAULT false,
    "aiConfidence"    numeric(5,2),

    -- Bookkeeping
    "createdBy"       uuid,
    "createdAt"       timestamp            NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp            NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_25bf0fb6736bd2c1cd0de5a96a6" PRIMARY KEY (id)
);

CREATE INDEX "IDX_remediations_assignedTo" ON remediations ("assignedTo");
CREATE INDEX "IDX_remediations_findingId" ON remediations ("findingId");
CREATE INDEX "IDX_remediations_organizationId_clientId"
    ON remediations ("organizationId", "clientId");
CREATE INDEX "IDX_remediations_priority_status" ON remediations (priority, status);

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

CREATE TRIGGER update_ai_models_updated_at
    BEFORE UPDATE ON ai_models
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_ai_training_jobs_updated_at
    BEFORE UPDATE ON ai_training_jobs
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_compliance_analyses_updated_at
    BEFORE UPDATE ON compliance_analyses
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_predictions_updated_at
    BEFORE UPDATE ON predictions
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_framework_mappings_updated_at
    BEFORE UPDATE ON framework_mappings
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_remediations_updated_at
    BEFORE UPDATE ON remediations
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
