-- workflow: definitions of workflows with their steps, and each run of them.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE workflow_status AS ENUM ('draft', 'active', 'inactive', 'archived');
CREATE TYPE instance_status AS ENUM (
    'pending', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timeout'
);
CREATE TYPE execution_status AS ENUM (
    'pending', 'running', 'waiting_approval', 'completed', 'failed', 'skipped', 'cancelled',
    'timeout'
);

-- No column uses it: the triggers of a workflow are kept as jsonb.
CREATE TYPE trigger_type AS ENUM ('manual', 'event', 'schedule', 'webhook');

-- A definition, unique by name within an organisation.
CREATE TABLE workflows (
    id                 uuid            NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"   uuid            NOT NULL,
    name               varchar(255)    NOT NULL,
    description        text,
    category           varchar(100),
    version            integer         NOT NULL DEFAULT 1,
    status             workflow_status NOT NULL DEFAULT 'draft',
    "isDraft"          boolean         NOT NULL DEFAULT false,
    "isTemplate"       boolean         NOT NULL DEFAULT false,
    "maxExecutionTime" integer,
    "retryConfig"      jsonb,
    triggers           jsonb,
    metadata           jsonb,
    "createdBy"        varchar(255)    NOT NULL,
    "modifiedBy"       varchar(255),
    "archivedBy"       varchar(255),
    "archivedAt"       timestamp,
    "archiveReason"    text,
    "createdAt"        timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_5b5757cc1cd86268019fef52e0c" PRIMARY KEY (id)
);
COMMENT ON COLUMN workflows."maxExecutionTime" IS 'Maximum execution time in seconds';

CREATE INDEX "IDX_workflows_organizationId_category" ON workflows ("organizationId", category);
CREATE UNIQUE INDEX "IDX_workflows_organizationId_name" ON workflows ("organizationId", name);
CREATE INDEX "IDX_workflows_organizationId_status" ON workflows ("organizationId", status);

-- The steps of a definition. "nextStepId" names another one, without a foreign key.
CREATE TABLE workflow_steps (
    id              uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "workflowId"    uuid         NOT NULL,
    name            varchar(255) NOT NULL,
    description     text,
    type            varchar(50)  NOT NULL,
    "order"         integer      NOT NULL,
    config          jsonb,
    "nextStepId"    uuid,
    "errorStepIds"  text[],
    "retryConfig"   jsonb,
    "isActive"      boolean      NOT NULL DEFAULT true,
    parallel        boolean,
    "parallelGroup" varchar(100),
    "createdAt"     timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_b602e5ecb22943db11c96a7f31c" PRIMARY KEY (id),
    CONSTRAINT "FK_eb0c057661503827a7cd6d8ea41" FOREIGN KEY ("workflowId")
        REFERENCES workflows (id) ON DELETE CASCADE
);
COMMENT ON COLUMN workflow_steps.type IS 'user_task, approval, system_task, email, condition, etc.';

CREATE INDEX "IDX_workflow_steps_workflowId_name" ON workflow_steps ("workflowId", name);
CREATE INDEX "IDX_workflow_steps_workflowId_order" ON workflow_steps ("workflowId", "order");

-- One run. The key to workflows has no ON DELETE: a definition that ever ran cannot be deleted.
CREATE TABLE workflow_instances (
    id               uuid            NOT NULL DEFAULT uuid_generate_v4(),
    "workflowId"     uuid            NOT NULL,
    "organizationId" uuid            NOT NULL,
    name             varchar(255)    NOT NULL,
    status           instance_status NOT NULL DEFAULT 'pending',
    "currentStepId"  uuid,
    context          jsonb           NOT NULL DEFAULT '{}',
    "totalSteps"     integer         NOT NULL DEFAULT 0,
    "completedSteps" integer         NOT NULL DEFAULT 0,
    "triggerInfo"    jsonb,
    "startedAt"      timestamp,
    "completedAt"    timestamp,
    "pausedAt"       timestamp,
    "pausedBy"       varchar(255),
    "pauseReason"    text,
    "cancelledAt"    timestamp,
    "cancelledBy"    varchar(255),
    "cancelReason"   text,
    error            text,
    "executionTime"  integer         NOT NULL DEFAULT 0,
    "retryCount"     integer         NOT NULL DEFAULT 0,
    priority         integer,
    "correlationId"  varchar(255),
    "initiatedBy"    varchar(255)    NOT NULL,
    "createdAt"      timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_90cc94e44ff8b7b7869f50e4fc4" PRIMARY KEY (id),
    CONSTRAINT "FK_ccf1e78981a5577bf24ef00a92c" FOREIGN KEY ("workflowId")
        REFERENCES workflows (id)
);
COMMENT ON COLUMN workflow_instances."executionTime" IS 'Execution time in seconds';
COMMENT ON COLUMN workflow_instances.priority IS '1-10, higher is more important';

CREATE INDEX "IDX_workflow_instances_correlationId" ON workflow_instances ("correlationId");
CREATE INDEX "IDX_workflow_instances_organizationId_startedAt"
    ON workflow_instances ("organizationId", "startedAt");
CREATE INDEX "IDX_workflow_instances_organizationId_status"
    ON workflow_instances ("organizationId", status);
CREATE INDEX "IDX_workflow_instances_workflowId_status" ON workflow_instances ("workflowId", status);

-- One step of one run. "stepId" has no foreign key: what happened stays when the step is edited away.
CREATE TABLE workflow_step_executions (
    id              uuid             NOT NULL DEFAULT uuid_generate_v4(),
    "instanceId"    uuid             NOT NULL,
    "stepId"        uuid             NOT NULL,
    "stepName"      varchar(255)     NOT NULL,
    "stepType"      varchar(50)      NOT NULL,
    "order"         integer          NOT NULL,
    status          execution_status NOT NULL DEFAULT 'pending',
    inputs          jsonb            NOT NULL DEFAULT '{}',
    outputs         jsonb            NOT NULL DEFAULT '{}',
    approvals       jsonb,
    error           text,
    "errorDetails"  jsonb,
    "startedAt"     timestamp,
    "completedAt"   timestamp,
    "executionTime" integer          NOT NULL DEFAULT 0,
    "retryCount"    integer          NOT NULL DEFAULT 0,
    "lastRetryAt"   timestamp,
    "executedBy"    varchar(255),
    "skippedBy"     varchar(255),
    "skipReason"    text,
    metadata        jsonb,
    "createdAt"     timestamp        NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     timestamp        NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_857fc02f6cbf7376f992bc374a4" PRIMARY KEY (id),
    CONSTRAINT "FK_f96c88c9c6b15eb3e5891e21e29" FOREIGN KEY ("instanceId")
        REFERENCES workflow_instances (id) ON DELETE CASCADE
);
COMMENT ON COLUMN workflow_step_executions."executionTime" IS 'Execution time in seconds';

CREATE INDEX "IDX_workflow_step_executions_instanceId_order"
    ON workflow_step_executions ("instanceId", "order");
CREATE INDEX "IDX_workflow_step_executions_instanceId_status"
    ON workflow_step_executions ("instanceId", status);
CREATE INDEX "IDX_workflow_step_executions_instanceId_stepId"
    ON workflow_step_executions ("instanceId", "stepId");

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

CREATE TRIGGER update_workflows_updated_at
    BEFORE UPDATE ON workflows
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_workflow_steps_updated_at
    BEFORE UPDATE ON workflow_steps
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_workflow_instances_updated_at
    BEFORE UPDATE ON workflow_instances
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_workflow_step_executions_updated_at
    BEFORE UPDATE ON workflow_step_executions
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
