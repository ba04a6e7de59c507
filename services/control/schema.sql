CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.assessment_result AS ENUM (
    'EFFECTIVE',
    'PARTIALLY_EFFECTIVE',
    'INEFFECTIVE',
    'NOT_TESTED'
);

CREATE TYPE public.automation_level AS ENUM (
    'MANUAL',
    'SEMI_AUTOMATED',
    'AUTOMATED',
    'FULLY_AUTOMATED'
);

CREATE TYPE public.control_category AS ENUM (
    'ACCESS_CONTROL',
    'AUTHENTICATION',
    'AUTHORIZATION',
    'DATA_PROTECTION',
    'ENCRYPTION',
    'MONITORING',
    'INCIDENT_RESPONSE',
    'BUSINESS_CONTINUITY',
    'PHYSICAL_SECURITY',
    'NETWORK_SECURITY',
    'APPLICATION_SECURITY',
    'VENDOR_MANAGEMENT',
    'AUDIT_ACCOUNTABILITY'
);

CREATE TYPE public.control_frequency AS ENUM (
    'CONTINUOUS',
    'DAILY',
    'WEEKLY',
    'MONTHLY',
    'QUARTERLY',
    'SEMI_ANNUAL',
    'ANNUAL',
    'ON_DEMAND'
);

CREATE TYPE public.control_status AS ENUM (
    'ACTIVE',
    'INACTIVE',
    'UNDER_REVIEW',
    'DEPRECATED',
    'RETIRED'
);

CREATE TYPE public.control_type AS ENUM (
    'PREVENTIVE',
    'DETECTIVE',
    'CORRECTIVE',
    'COMPENSATING'
);

CREATE TYPE public.exception_status AS ENUM (
    'PENDING',
    'APPROVED',
    'REJECTED',
    'EXPIRED',
    'CANCELLED'
);

CREATE TYPE public.implementation_status AS ENUM (
    'NOT_STARTED',
    'IN_PROGRESS',
    'IMPLEMENTED',
    'PARTIALLY_IMPLEMENTED',
    'NOT_APPLICABLE'
);

CREATE TYPE public.test_method AS ENUM (
    'MANUAL',
    'AUTOMATED',
    'HYBRID'
);

CREATE TYPE public.test_result AS ENUM (
    'PASS',
    'FAIL',
    'PARTIAL',
    'NOT_APPLICABLE',
    'ERROR'
);

CREATE TYPE public.test_result_status AS ENUM (
    'PASSED',
    'FAILED',
    'PARTIALLY_PASSED',
    'NOT_TESTED',
    'NOT_APPLICABLE'
);

CREATE TYPE public.test_status AS ENUM (
    'SCHEDULED',
    'IN_PROGRESS',
    'COMPLETED',
    'CANCELLED',
    'FAILED'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.control_assessments (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    "organizationId" uuid NOT NULL,
    "assessmentDate" date NOT NULL,
    "assessedBy" uuid NOT NULL,
    "assessmentType" character varying NOT NULL,
    result public.assessment_result DEFAULT 'NOT_TESTED'::public.assessment_result NOT NULL,
    "effectivenessScore" integer NOT NULL,
    "maturityLevel" integer NOT NULL,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    gaps jsonb DEFAULT '[]'::jsonb NOT NULL,
    recommendations jsonb DEFAULT '[]'::jsonb NOT NULL,
    "evidenceReviewed" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "remediationRequired" boolean DEFAULT false NOT NULL,
    "remediationPlan" jsonb,
    "followUpDate" date,
    notes text,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.control_exceptions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    "organizationId" uuid NOT NULL,
    status public.exception_status DEFAULT 'PENDING'::public.exception_status NOT NULL,
    title character varying NOT NULL,
    description text NOT NULL,
    justification text NOT NULL,
    "requestedBy" uuid NOT NULL,
    "requestDate" date NOT NULL,
    "riskAssessment" jsonb DEFAULT '{}'::jsonb NOT NULL,
    "compensatingControls" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "startDate" date NOT NULL,
    "endDate" date NOT NULL,
    approvers jsonb DEFAULT '[]'::jsonb NOT NULL,
    "currentApprover" uuid,
    "approvalComments" text,
    conditions jsonb DEFAULT '[]'::jsonb NOT NULL,
    "reviewFrequency" character varying,
    "lastReviewDate" date,
    "nextReviewDate" date,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.control_implementations (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    "organizationId" uuid NOT NULL,
    status public.implementation_status DEFAULT 'NOT_STARTED'::public.implementation_status NOT NULL,
    "implementationDescription" text NOT NULL,
    "implementationDate" date,
    "plannedDate" date,
    "implementedBy" uuid NOT NULL,
    "maturityLevel" character varying DEFAULT 'INITIAL'::character varying NOT NULL,
    configuration jsonb DEFAULT '{}'::jsonb NOT NULL,
    "responsibleParty" uuid,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    notes text,
    "effectivenessScore" integer DEFAULT 100 NOT NULL,
    "lastAssessmentDate" date,
    "nextReviewDate" date,
    gaps jsonb DEFAULT '[]'::jsonb NOT NULL,
    "compensatingControls" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "isTemporary" boolean DEFAULT false NOT NULL,
    "expiryDate" date,
    "lastReviewDate" timestamp without time zone,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.control_mappings (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    "frameworkName" character varying NOT NULL,
    "frameworkVersion" character varying,
    section character varying NOT NULL,
    requirement text NOT NULL,
    "mappingType" character varying DEFAULT 'direct'::character varying NOT NULL,
    "mappingStrength" integer DEFAULT 100 NOT NULL,
    notes text,
    "validatedBy" uuid,
    "validationDate" date,
    "isActive" boolean DEFAULT true NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.control_test_results (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    "organizationId" uuid NOT NULL,
    "testName" character varying NOT NULL,
    "testType" character varying NOT NULL,
    "testDate" date NOT NULL,
    "testedBy" uuid NOT NULL,
    result public.test_result_status DEFAULT 'NOT_TESTED'::public.test_result_status NOT NULL,
    score integer,
    details text,
    evidence jsonb DEFAULT '[]'::jsonb NOT NULL,
    "sampleSize" integer,
    "populationSize" integer,
    "exceptionsFound" integer DEFAULT 0 NOT NULL,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    recommendations jsonb DEFAULT '[]'::jsonb NOT NULL,
    "retestRequired" boolean DEFAULT false NOT NULL,
    "retestDate" date,
    "approvedBy" uuid,
    "approvalDate" date,
    attachments jsonb DEFAULT '[]'::jsonb NOT NULL,
    duration integer,
    automated boolean DEFAULT false NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "testMethod" public.test_method DEFAULT 'MANUAL'::public.test_method,
    "testProcedures" jsonb DEFAULT '[]'::jsonb,
    "sampleData" jsonb DEFAULT '{}'::jsonb,
    "managementComments" text,
    "isRetest" boolean DEFAULT false,
    "previousTestId" uuid,
    metrics jsonb DEFAULT '{}'::jsonb
);

CREATE TABLE public.control_tests (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" uuid NOT NULL,
    name character varying NOT NULL,
    description text,
    "testType" character varying NOT NULL,
    frequency public.control_frequency DEFAULT 'QUARTERLY'::public.control_frequency NOT NULL,
    "testProcedures" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "sampleSelectionMethod" character varying,
    "minimumSampleSize" integer,
    "expectedEvidence" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "automationCapable" boolean DEFAULT false NOT NULL,
    "automationConfig" jsonb,
    "assignedTo" uuid,
    "lastTestDate" date,
    "nextTestDate" date,
    status public.test_status DEFAULT 'SCHEDULED'::public.test_status NOT NULL,
    priority character varying,
    "estimatedDuration" integer,
    tags jsonb DEFAULT '[]'::jsonb NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    "createdBy" uuid,
    "updatedBy" uuid,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.controls (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    code character varying(50) NOT NULL,
    name character varying(255) NOT NULL,
    description text NOT NULL,
    objective text NOT NULL,
    requirements text,
    type public.control_type NOT NULL,
    category public.control_category NOT NULL,
    frequency public.control_frequency DEFAULT 'QUARTERLY'::public.control_frequency NOT NULL,
    status public.control_status DEFAULT 'ACTIVE'::public.control_status NOT NULL,
    frameworks jsonb DEFAULT '[]'::jsonb NOT NULL,
    "implementationGuidance" text,
    "testProcedures" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "evidenceRequirements" jsonb DEFAULT '[]'::jsonb NOT NULL,
    metrics jsonb DEFAULT '{}'::jsonb NOT NULL,
    "automationCapable" boolean DEFAULT false NOT NULL,
    "automationImplemented" boolean DEFAULT false NOT NULL,
    "automationDetails" jsonb,
    "automationConfig" jsonb,
    "relatedControls" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "compensatingControls" jsonb DEFAULT '[]'::jsonb NOT NULL,
    tags jsonb DEFAULT '[]'::jsonb NOT NULL,
    "ownerId" uuid,
    "organizationId" uuid,
    "riskRating" character varying,
    "costOfImplementation" numeric,
    "costOfTesting" numeric,
    "regulatoryRequirement" boolean DEFAULT false NOT NULL,
    "dataClassification" character varying,
    "businessProcesses" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "systemComponents" jsonb DEFAULT '[]'::jsonb NOT NULL,
    "riskFactors" jsonb DEFAULT '[]'::jsonb NOT NULL,
    stakeholders jsonb DEFAULT '[]'::jsonb NOT NULL,
    "customFields" jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    "createdBy" uuid,
    "updatedBy" uuid,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "automationLevel" public.automation_level DEFAULT 'MANUAL'::public.automation_level,
    priority character varying DEFAULT 'medium'::character varying,
    effectiveness jsonb DEFAULT '{}'::jsonb
);

ALTER TABLE ONLY public.control_exceptions
    ADD CONSTRAINT "PK_6487904e6aee457343c7189da76" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_tests
    ADD CONSTRAINT "PK_ae9c5fdfb9c9775a06fc1bc7fc1" PRIMARY KEY (id);

ALTER TABLE ONLY public.controls
    ADD CONSTRAINT "PK_caab9cdc105919cae31de77f61e" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_mappings
    ADD CONSTRAINT "PK_cc251e85db4377ac663efbb07b8" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_test_results
    ADD CONSTRAINT "PK_d066149f4996bbe5f8a564ec278" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_implementations
    ADD CONSTRAINT "PK_d57bcc52729433ffaa62f1b3e11" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_assessments
    ADD CONSTRAINT "PK_f9c56844b6e05f67f81f5456718" PRIMARY KEY (id);

ALTER TABLE ONLY public.controls
    ADD CONSTRAINT "UQ_06a9f5ce9f46874d57b69a0a786" UNIQUE (code);

CREATE INDEX "IDX_assessments_control_org" ON public.control_assessments USING btree ("controlId", "organizationId");

CREATE INDEX "IDX_assessments_date" ON public.control_assessments USING btree ("assessmentDate");

CREATE INDEX "IDX_control_tests_control" ON public.control_tests USING btree ("controlId");

CREATE INDEX "IDX_control_tests_next_date" ON public.control_tests USING btree ("nextTestDate");

CREATE INDEX "IDX_controls_automation_level" ON public.controls USING btree ("automationLevel");

CREATE INDEX "IDX_controls_category" ON public.controls USING btree (category);

CREATE UNIQUE INDEX "IDX_controls_code" ON public.controls USING btree (code);

CREATE INDEX "IDX_controls_compensating_gin" ON public.controls USING gin ("compensatingControls");

CREATE INDEX "IDX_controls_frameworks_gin" ON public.controls USING gin (frameworks);

CREATE INDEX "IDX_controls_org" ON public.controls USING btree ("organizationId");

CREATE INDEX "IDX_controls_org_status_category" ON public.controls USING btree ("organizationId", status, category);

CREATE INDEX "IDX_controls_related_gin" ON public.controls USING gin ("relatedControls");

CREATE INDEX "IDX_controls_status" ON public.controls USING btree (status);

CREATE INDEX "IDX_exceptions_control_org" ON public.control_exceptions USING btree ("controlId", "organizationId");

CREATE INDEX "IDX_exceptions_status" ON public.control_exceptions USING btree (status);

CREATE INDEX "IDX_implementations_control_org" ON public.control_implementations USING btree ("controlId", "organizationId");

CREATE INDEX "IDX_implementations_org_status" ON public.control_implementations USING btree ("organizationId", status);

CREATE INDEX "IDX_implementations_status" ON public.control_implementations USING btree (status);

CREATE INDEX "IDX_mappings_control" ON public.control_mappings USING btree ("controlId");

CREATE INDEX "IDX_mappings_framework" ON public.control_mappings USING btree ("frameworkName");

CREATE INDEX "IDX_test_results_control_org" ON public.control_test_results USING btree ("controlId", "organizationId");

CREATE INDEX "IDX_test_results_date" ON public.control_test_results USING btree ("testDate");

CREATE INDEX "IDX_test_results_result" ON public.control_test_results USING btree (result);

CREATE INDEX "IDX_test_results_test_date_desc" ON public.control_test_results USING btree ("testDate" DESC);

CREATE TRIGGER update_control_assessments_updated_at BEFORE UPDATE ON public.control_assessments FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_exceptions_updated_at BEFORE UPDATE ON public.control_exceptions FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_implementations_updated_at BEFORE UPDATE ON public.control_implementations FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_mappings_updated_at BEFORE UPDATE ON public.control_mappings FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_test_results_updated_at BEFORE UPDATE ON public.control_test_results FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_tests_updated_at BEFORE UPDATE ON public.control_tests FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_controls_updated_at BEFORE UPDATE ON public.controls FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.control_assessments
    ADD CONSTRAINT "FK_assessment_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_tests
    ADD CONSTRAINT "FK_control_test_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_exceptions
    ADD CONSTRAINT "FK_exception_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_implementations
    ADD CONSTRAINT "FK_implementation_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_mappings
    ADD CONSTRAINT "FK_mapping_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_test_results
    ADD CONSTRAINT "FK_test_result_control" FOREIGN KEY ("controlId") REFERENCES public.controls(id) ON DELETE CASCADE;
