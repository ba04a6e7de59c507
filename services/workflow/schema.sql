CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.execution_status AS ENUM (
    'pending',
    'running',
    'waiting_approval',
    'completed',
    'failed',
    'skipped',
    'cancelled',
    'timeout'
);

CREATE TYPE public.instance_status AS ENUM (
    'pending',
    'running',
    'paused',
    'completed',
    'failed',
    'cancelled',
    'timeout'
);

CREATE TYPE public.trigger_type AS ENUM (
    'manual',
    'event',
    'schedule',
    'webhook'
);

CREATE TYPE public.workflow_status AS ENUM (
    'draft',
    'active',
    'inactive',
    'archived'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.workflow_instances (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "workflowId" uuid NOT NULL,
    "organizationId" uuid NOT NULL,
    name character varying(255) NOT NULL,
    status public.instance_status DEFAULT 'pending'::public.instance_status NOT NULL,
    "currentStepId" uuid,
    context jsonb DEFAULT '{}'::jsonb NOT NULL,
    "totalSteps" integer DEFAULT 0 NOT NULL,
    "completedSteps" integer DEFAULT 0 NOT NULL,
    "triggerInfo" jsonb,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    "pausedAt" timestamp without time zone,
    "pausedBy" character varying(255),
    "pauseReason" text,
    "cancelledAt" timestamp without time zone,
    "cancelledBy" character varying(255),
    "cancelReason" text,
    error text,
    "executionTime" integer DEFAULT 0 NOT NULL,
    "retryCount" integer DEFAULT 0 NOT NULL,
    priority integer,
    "correlationId" character varying(255),
    "initiatedBy" character varying(255) NOT NULL,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT "CHK_workflow_instances_priority" CHECK (((priority >= 1) AND (priority <= 10)))
);

COMMENT ON COLUMN public.workflow_instances."executionTime" IS 'Execution time in seconds';

COMMENT ON COLUMN public.workflow_instances.priority IS '1-10, higher is more important';

CREATE TABLE public.workflow_step_executions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "instanceId" uuid NOT NULL,
    "stepId" uuid NOT NULL,
    "stepName" character varying(255) NOT NULL,
    "stepType" character varying(50) NOT NULL,
    "order" integer NOT NULL,
    status public.execution_status DEFAULT 'pending'::public.execution_status NOT NULL,
    inputs jsonb DEFAULT '{}'::jsonb NOT NULL,
    outputs jsonb DEFAULT '{}'::jsonb NOT NULL,
    approvals jsonb,
    error text,
    "errorDetails" jsonb,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    "executionTime" integer DEFAULT 0 NOT NULL,
    "retryCount" integer DEFAULT 0 NOT NULL,
    "lastRetryAt" timestamp without time zone,
    "executedBy" character varying(255),
    "skippedBy" character varying(255),
    "skipReason" text,
    metadata jsonb,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

COMMENT ON COLUMN public.workflow_step_executions."executionTime" IS 'Execution time in seconds';

CREATE TABLE public.workflow_steps (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "workflowId" uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    type character varying(50) NOT NULL,
    "order" integer NOT NULL,
    config jsonb,
    "nextStepId" uuid,
    "errorStepIds" text[],
    "retryConfig" jsonb,
    "isActive" boolean DEFAULT true NOT NULL,
    parallel boolean,
    "parallelGroup" character varying(100),
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

COMMENT ON COLUMN public.workflow_steps.type IS 'user_task, approval, system_task, email, condition, etc.';

CREATE TABLE public.workflows (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    category character varying(100),
    version integer DEFAULT 1 NOT NULL,
    status public.workflow_status DEFAULT 'draft'::public.workflow_status NOT NULL,
    "isDraft" boolean DEFAULT false NOT NULL,
    "isTemplate" boolean DEFAULT false NOT NULL,
    "maxExecutionTime" integer,
    "retryConfig" jsonb,
    triggers jsonb,
    metadata jsonb,
    "createdBy" character varying(255) NOT NULL,
    "modifiedBy" character varying(255),
    "archivedBy" character varying(255),
    "archivedAt" timestamp without time zone,
    "archiveReason" text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

COMMENT ON COLUMN public.workflows."maxExecutionTime" IS 'Maximum execution time in seconds';

ALTER TABLE ONLY public.workflows
    ADD CONSTRAINT "PK_5b5757cc1cd86268019fef52e0c" PRIMARY KEY (id);

ALTER TABLE ONLY public.workflow_step_executions
    ADD CONSTRAINT "PK_857fc02f6cbf7376f992bc374a4" PRIMARY KEY (id);

ALTER TABLE ONLY public.workflow_instances
    ADD CONSTRAINT "PK_90cc94e44ff8b7b7869f50e4fc4" PRIMARY KEY (id);

ALTER TABLE ONLY public.workflow_steps
    ADD CONSTRAINT "PK_b602e5ecb22943db11c96a7f31c" PRIMARY KEY (id);

CREATE INDEX "IDX_workflow_instances_correlationId" ON public.workflow_instances USING btree ("correlationId");

CREATE INDEX "IDX_workflow_instances_organizationId_startedAt" ON public.workflow_instances USING btree ("organizationId", "startedAt");

CREATE INDEX "IDX_workflow_instances_organizationId_status" ON public.workflow_instances USING btree ("organizationId", status);

CREATE INDEX "IDX_workflow_instances_workflowId_status" ON public.workflow_instances USING btree ("workflowId", status);

CREATE INDEX "IDX_workflow_step_executions_instanceId_order" ON public.workflow_step_executions USING btree ("instanceId", "order");

CREATE INDEX "IDX_workflow_step_executions_instanceId_status" ON public.workflow_step_executions USING btree ("instanceId", status);

CREATE INDEX "IDX_workflow_step_executions_instanceId_stepId" ON public.workflow_step_executions USING btree ("instanceId", "stepId");

CREATE INDEX "IDX_workflow_steps_workflowId_name" ON public.workflow_steps USING btree ("workflowId", name);

CREATE INDEX "IDX_workflow_steps_workflowId_order" ON public.workflow_steps USING btree ("workflowId", "order");

CREATE INDEX "IDX_workflows_organizationId_category" ON public.workflows USING btree ("organizationId", category);

CREATE UNIQUE INDEX "IDX_workflows_organizationId_name" ON public.workflows USING btree ("organizationId", name);

CREATE INDEX "IDX_workflows_organizationId_status" ON public.workflows USING btree ("organizationId", status);

CREATE TRIGGER update_workflow_instances_updated_at BEFORE UPDATE ON public.workflow_instances FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_workflow_step_executions_updated_at BEFORE UPDATE ON public.workflow_step_executions FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_workflow_steps_updated_at BEFORE UPDATE ON public.workflow_steps FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_workflows_updated_at BEFORE UPDATE ON public.workflows FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.workflow_instances
    ADD CONSTRAINT "FK_ccf1e78981a5577bf24ef00a92c" FOREIGN KEY ("workflowId") REFERENCES public.workflows(id);

ALTER TABLE ONLY public.workflow_steps
    ADD CONSTRAINT "FK_eb0c057661503827a7cd6d8ea41" FOREIGN KEY ("workflowId") REFERENCES public.workflows(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.workflow_step_executions
    ADD CONSTRAINT "FK_f96c88c9c6b15eb3e5891e21e29" FOREIGN KEY ("instanceId") REFERENCES public.workflow_instances(id) ON DELETE CASCADE;
