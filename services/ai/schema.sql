CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.analysis_status AS ENUM (
    'pending',
    'processing',
    'completed',
    'failed',
    'cancelled'
);

CREATE TYPE public.analysis_type AS ENUM (
    'compliance_gap',
    'risk_assessment',
    'predictive',
    'trend',
    'control_mapping'
);

CREATE TYPE public.mapping_status AS ENUM (
    'draft',
    'active',
    'review',
    'approved',
    'deprecated'
);

CREATE TYPE public.model_status AS ENUM (
    'training',
    'ready',
    'deployed',
    'deprecated',
    'failed'
);

CREATE TYPE public.prediction_status AS ENUM (
    'pending',
    'completed',
    'failed'
);

CREATE TYPE public.prediction_type AS ENUM (
    'risk_score',
    'compliance_score',
    'audit_success',
    'control_effectiveness',
    'custom'
);

CREATE TYPE public.remediation_priority AS ENUM (
    'critical',
    'high',
    'medium',
    'low'
);

CREATE TYPE public.remediation_status AS ENUM (
    'pending',
    'in_progress',
    'completed',
    'failed'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.ai_models (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "modelId" character varying(100) NOT NULL,
    name character varying(255) NOT NULL,
    type character varying(100) NOT NULL,
    version character varying(50) NOT NULL,
    status public.model_status DEFAULT 'training'::public.model_status NOT NULL,
    description text,
    parameters jsonb,
    metrics jsonb,
    "trainingData" jsonb,
    "deploymentInfo" jsonb,
    "lastTrainedAt" timestamp without time zone,
    "deployedAt" timestamp without time zone,
    "deprecatedAt" timestamp without time zone,
    "createdBy" uuid,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.ai_training_jobs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "modelId" uuid NOT NULL,
    "jobType" character varying(50) NOT NULL,
    status character varying(50) DEFAULT 'pending'::character varying NOT NULL,
    progress integer DEFAULT 0 NOT NULL,
    configuration jsonb,
    results jsonb,
    metrics jsonb,
    error text,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    duration integer,
    "createdBy" uuid,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.compliance_analyses (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    type public.analysis_type NOT NULL,
    status public.analysis_status DEFAULT 'pending'::public.analysis_status NOT NULL,
    findings jsonb,
    metadata jsonb,
    description text,
    tags text[],
    notes text,
    "createdBy" uuid,
    "startedAt" timestamp without time zone,
    "completedAt" timestamp without time zone,
    "errorMessage" text,
    "errorDetails" text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.framework_mappings (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "sourceFramework" character varying(100) NOT NULL,
    "targetFramework" character varying(100) NOT NULL,
    status public.mapping_status DEFAULT 'draft'::public.mapping_status NOT NULL,
    mappings jsonb NOT NULL,
    metadata jsonb,
    version character varying(20) DEFAULT '1.0'::character varying NOT NULL,
    description text,
    confidence numeric(5,2),
    "reviewedBy" uuid,
    "reviewedAt" timestamp without time zone,
    "approvedBy" uuid,
    "approvedAt" timestamp without time zone,
    "createdBy" uuid,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.predictions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    type public.prediction_type NOT NULL,
    status public.prediction_status DEFAULT 'pending'::public.prediction_status NOT NULL,
    "targetDate" date,
    "predictedValue" jsonb,
    "actualValue" jsonb,
    confidence numeric(5,2),
    factors jsonb,
    metadata jsonb,
    "modelId" character varying(100),
    "modelVersion" character varying(50),
    accuracy numeric(5,2),
    "createdBy" uuid,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.remediations (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "organizationId" uuid NOT NULL,
    "clientId" uuid NOT NULL,
    "findingId" uuid NOT NULL,
    "controlId" uuid,
    title character varying(255) NOT NULL,
    description text NOT NULL,
    priority public.remediation_priority NOT NULL,
    status public.remediation_status DEFAULT 'pending'::public.remediation_status NOT NULL,
    steps jsonb NOT NULL,
    "estimatedEffort" character varying(50),
    "actualEffort" character varying(50),
    "estimatedCost" numeric(10,2),
    "actualCost" numeric(10,2),
    "targetDate" date,
    "completedAt" timestamp without time zone,
    "assignedTo" uuid,
    "reviewedBy" uuid,
    "reviewedAt" timestamp without time zone,
    effectiveness jsonb,
    metadata jsonb,
    "aiGenerated" boolean DEFAULT false NOT NULL,
    "aiConfidence" numeric(5,2),
    "createdBy" uuid,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.remediations
    ADD CONSTRAINT "PK_25bf0fb6736bd2c1cd0de5a96a6" PRIMARY KEY (id);

ALTER TABLE ONLY public.ai_models
    ADD CONSTRAINT "PK_3d254744f0bcf6f35be5826e25e" PRIMARY KEY (id);

ALTER TABLE ONLY public.ai_training_jobs
    ADD CONSTRAINT "PK_a1d59181833f768d3e56c343045" PRIMARY KEY (id);

ALTER TABLE ONLY public.predictions
    ADD CONSTRAINT "PK_b92c9e4db595214b289f5e28adc" PRIMARY KEY (id);

ALTER TABLE ONLY public.compliance_analyses
    ADD CONSTRAINT "PK_cbdb4ee3aa1ebae50bc0f986cd5" PRIMARY KEY (id);

ALTER TABLE ONLY public.framework_mappings
    ADD CONSTRAINT "PK_fd15ce1155a3aaf0583ebc5d31e" PRIMARY KEY (id);

ALTER TABLE ONLY public.ai_models
    ADD CONSTRAINT "UQ_344dd594679cd8e8f1a9fe8b530" UNIQUE ("modelId");

CREATE INDEX "IDX_ai_models_type_status" ON public.ai_models USING btree (type, status);

CREATE INDEX "IDX_ai_training_jobs_modelId" ON public.ai_training_jobs USING btree ("modelId");

CREATE INDEX "IDX_ai_training_jobs_status" ON public.ai_training_jobs USING btree (status);

CREATE INDEX "IDX_compliance_analyses_createdAt" ON public.compliance_analyses USING btree ("createdAt");

CREATE INDEX "IDX_compliance_analyses_organizationId_clientId" ON public.compliance_analyses USING btree ("organizationId", "clientId");

CREATE INDEX "IDX_compliance_analyses_type_status" ON public.compliance_analyses USING btree (type, status);

CREATE INDEX "IDX_framework_mappings_frameworks" ON public.framework_mappings USING btree ("sourceFramework", "targetFramework");

CREATE INDEX "IDX_framework_mappings_organizationId" ON public.framework_mappings USING btree ("organizationId");

CREATE INDEX "IDX_framework_mappings_status" ON public.framework_mappings USING btree (status);

CREATE INDEX "IDX_predictions_organizationId_clientId" ON public.predictions USING btree ("organizationId", "clientId");

CREATE INDEX "IDX_predictions_targetDate" ON public.predictions USING btree ("targetDate");

CREATE INDEX "IDX_predictions_type_status" ON public.predictions USING btree (type, status);

CREATE INDEX "IDX_remediations_assignedTo" ON public.remediations USING btree ("assignedTo");

CREATE INDEX "IDX_remediations_findingId" ON public.remediations USING btree ("findingId");

CREATE INDEX "IDX_remediations_organizationId_clientId" ON public.remediations USING btree ("organizationId", "clientId");

CREATE INDEX "IDX_remediations_priority_status" ON public.remediations USING btree (priority, status);

CREATE TRIGGER update_ai_models_updated_at BEFORE UPDATE ON public.ai_models FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_ai_training_jobs_updated_at BEFORE UPDATE ON public.ai_training_jobs FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_compliance_analyses_updated_at BEFORE UPDATE ON public.compliance_analyses FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_framework_mappings_updated_at BEFORE UPDATE ON public.framework_mappings FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_predictions_updated_at BEFORE UPDATE ON public.predictions FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_remediations_updated_at BEFORE UPDATE ON public.remediations FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.ai_training_jobs
    ADD CONSTRAINT "FK_6d8ac5ca59ae3196748f4af62f2" FOREIGN KEY ("modelId") REFERENCES public.ai_models(id) ON DELETE CASCADE;
