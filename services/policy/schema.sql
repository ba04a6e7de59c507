CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.control_category AS ENUM (
    'preventive',
    'detective',
    'corrective',
    'compensating',
    'administrative',
    'technical',
    'physical'
);

CREATE TYPE public.control_priority AS ENUM (
    'critical',
    'high',
    'medium',
    'low'
);

CREATE TYPE public.evidence_status AS ENUM (
    'pending_collection',
    'pending_review',
    'under_review',
    'approved',
    'rejected',
    'expired'
);

CREATE TYPE public.framework_status AS ENUM (
    'active',
    'draft',
    'deprecated',
    'archived'
);

CREATE TYPE public.framework_type AS ENUM (
    'regulatory',
    'standard',
    'best_practice',
    'custom'
);

CREATE TYPE public.implementation_status AS ENUM (
    'not_started',
    'in_progress',
    'partial',
    'implemented',
    'not_applicable'
);

CREATE TYPE public.policy_priority AS ENUM (
    'critical',
    'high',
    'medium',
    'low'
);

CREATE TYPE public.policy_scope AS ENUM (
    'global',
    'organization',
    'department',
    'team',
    'system',
    'process',
    'role'
);

CREATE TYPE public.policy_status AS ENUM (
    'draft',
    'pending_review',
    'under_review',
    'approved',
    'published',
    'effective',
    'suspended',
    'retired',
    'superseded'
);

CREATE TYPE public.policy_type AS ENUM (
    'security',
    'privacy',
    'access_control',
    'data_governance',
    'incident_response',
    'business_continuity',
    'compliance',
    'operational',
    'administrative',
    'technical',
    'physical',
    'custom'
);

CREATE TYPE public.risk_category AS ENUM (
    'strategic',
    'operational',
    'financial',
    'compliance',
    'reputational',
    'security',
    'privacy',
    'technology',
    'third_party',
    'environmental',
    'legal',
    'project'
);

CREATE TYPE public.risk_level AS ENUM (
    'low',
    'medium',
    'high',
    'critical'
);

CREATE TYPE public.risk_status AS ENUM (
    'identified',
    'assessed',
    'accepted',
    'mitigated',
    'transferred',
    'avoided',
    'monitoring',
    'closed',
    'escalated'
);

CREATE TYPE public.risk_treatment AS ENUM (
    'accept',
    'mitigate',
    'transfer',
    'avoid'
);

CREATE TYPE public.workflow_state AS ENUM (
    'draft',
    'submitted',
    'in_review',
    'changes_requested',
    'approved',
    'rejected',
    'published',
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

CREATE TABLE public.compliance_controls (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "controlId" character varying NOT NULL,
    "frameworkId" uuid NOT NULL,
    title character varying NOT NULL,
    description text NOT NULL,
    category public.control_category NOT NULL,
    priority public.control_priority DEFAULT 'medium'::public.control_priority NOT NULL,
    "organizationId" uuid NOT NULL,
    requirements jsonb,
    objective text,
    rationale text,
    "testingGuidance" jsonb,
    "implementationStatus" public.implementation_status DEFAULT 'not_started'::public.implementation_status NOT NULL,
    "implementationScore" numeric(5,2) DEFAULT 0 NOT NULL,
    "implementationNotes" text,
    "implementationDetails" jsonb,
    gaps jsonb,
    evidence jsonb,
    "relatedPolicies" text[],
    "crossFrameworkMappings" jsonb,
    "compensatingControls" text[],
    dependencies text[],
    "lastAssessmentDate" timestamp with time zone,
    "nextAssessmentDate" timestamp with time zone,
    "assessmentHistory" jsonb,
    "riskAssessment" jsonb,
    "isAutomated" boolean DEFAULT false NOT NULL,
    "automationConfig" jsonb,
    tags text[],
    keywords text[],
    "customFields" jsonb,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.compliance_frameworks (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "frameworkId" character varying NOT NULL,
    name character varying NOT NULL,
    version character varying NOT NULL,
    description text,
    type public.framework_type NOT NULL,
    status public.framework_status DEFAULT 'active'::public.framework_status NOT NULL,
    "organizationId" uuid NOT NULL,
    metadata jsonb,
    mappings jsonb,
    tags text[],
    keywords text[],
    "isCustom" boolean DEFAULT false NOT NULL,
    "isPublic" boolean DEFAULT true NOT NULL,
    "controlCount" integer DEFAULT 0 NOT NULL,
    "implementedControlCount" integer DEFAULT 0 NOT NULL,
    "implementationPercentage" numeric(5,2),
    statistics jsonb,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "archivedAt" timestamp with time zone
);

CREATE TABLE public.policies (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    title character varying NOT NULL,
    "policyNumber" character varying NOT NULL,
    version character varying,
    description text,
    purpose text NOT NULL,
    type public.policy_type NOT NULL,
    status public.policy_status DEFAULT 'draft'::public.policy_status NOT NULL,
    priority public.policy_priority DEFAULT 'medium'::public.policy_priority NOT NULL,
    scope public.policy_scope DEFAULT 'organization'::public.policy_scope NOT NULL,
    "organizationId" uuid NOT NULL,
    "ownerId" uuid NOT NULL,
    "ownerName" character varying NOT NULL,
    "ownerEmail" character varying,
    "ownerDepartment" character varying,
    "delegateOwnerId" uuid,
    stakeholders text[],
    content jsonb NOT NULL,
    requirements jsonb,
    exceptions jsonb,
    "complianceMapping" jsonb,
    "relatedPolicies" text[],
    "supersededPolicies" text[],
    implementation jsonb,
    "effectiveDate" timestamp with time zone NOT NULL,
    "expirationDate" timestamp with time zone,
    "nextReviewDate" timestamp with time zone NOT NULL,
    "lastReviewDate" timestamp with time zone,
    "approvalDate" timestamp with time zone,
    "publishedDate" timestamp with time zone,
    "reviewCycle" jsonb,
    "approvalWorkflow" jsonb,
    "riskAssessment" jsonb,
    "impactAnalysis" jsonb,
    "viewCount" integer DEFAULT 0 NOT NULL,
    "downloadCount" integer DEFAULT 0 NOT NULL,
    "complianceScore" numeric(5,2),
    "adoptionRate" numeric(5,2),
    metrics jsonb,
    "workflowState" public.workflow_state DEFAULT 'draft'::public.workflow_state NOT NULL,
    "regoPolicy" text,
    "opaMetadata" jsonb,
    "isEvaluatable" boolean DEFAULT false NOT NULL,
    "evaluationError" text,
    "lastEvaluated" timestamp with time zone,
    "lastComplianceCheck" timestamp with time zone,
    "evaluationHistory" jsonb,
    "automationRules" jsonb,
    "policyAsCode" text,
    "policyAsCodeLanguage" character varying,
    integrations jsonb,
    attachments text[],
    templates text[],
    tags text[],
    keywords text[],
    "changeHistory" jsonb,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "archivedAt" timestamp with time zone,
    "complianceMetadata" jsonb,
    "isTemplate" boolean DEFAULT false
);

CREATE TABLE public.policy_control_mapping (
    "policyId" uuid NOT NULL,
    "controlId" uuid NOT NULL
);

CREATE TABLE public.risk_controls (
    "riskId" uuid NOT NULL,
    "controlId" uuid NOT NULL
);

CREATE TABLE public.risks (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    title character varying NOT NULL,
    "riskId" character varying NOT NULL,
    description text NOT NULL,
    category public.risk_category NOT NULL,
    status public.risk_status DEFAULT 'identified'::public.risk_status NOT NULL,
    "organizationId" uuid NOT NULL,
    "ownerId" uuid NOT NULL,
    "ownerName" character varying NOT NULL,
    "ownerEmail" character varying,
    "ownerDepartment" character varying,
    stakeholders text[],
    assessment jsonb NOT NULL,
    details jsonb,
    "impactAnalysis" jsonb,
    treatment public.risk_treatment,
    "treatmentPlan" jsonb,
    monitoring jsonb,
    incidents jsonb,
    "incidentCount" integer DEFAULT 0 NOT NULL,
    "lastIncidentDate" timestamp with time zone,
    "mitigationMeasures" text[],
    "mitigationEffectiveness" numeric(5,2),
    reporting jsonb,
    attachments text[],
    "references" jsonb,
    "auditTrail" jsonb,
    "identifiedDate" timestamp with time zone NOT NULL,
    "assessmentDate" timestamp with time zone,
    "treatmentDate" timestamp with time zone,
    "closedDate" timestamp with time zone,
    "closureReason" character varying,
    "nextReviewDate" timestamp with time zone NOT NULL,
    tags text[],
    keywords text[],
    "isActive" boolean DEFAULT true NOT NULL,
    version integer DEFAULT 0 NOT NULL,
    "createdBy" uuid NOT NULL,
    "updatedBy" uuid NOT NULL,
    "createdAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT "PK_603e09f183df0108d8695c57e28" PRIMARY KEY (id);

ALTER TABLE ONLY public.compliance_controls
    ADD CONSTRAINT "PK_ad31c3049146dbe4c72fe50e7a3" PRIMARY KEY (id);

ALTER TABLE ONLY public.compliance_frameworks
    ADD CONSTRAINT "PK_cd7feec99fba7a4fdf98e023c6b" PRIMARY KEY (id);

ALTER TABLE ONLY public.risks
    ADD CONSTRAINT "PK_df437126f5dd05e856b8bf7157f" PRIMARY KEY (id);

ALTER TABLE ONLY public.compliance_frameworks
    ADD CONSTRAINT "UQ_24190adb778438d223ffbfed198" UNIQUE ("frameworkId");

ALTER TABLE ONLY public.policies
    ADD CONSTRAINT "UQ_a8802538a5b1523552e79d49c7d" UNIQUE ("policyNumber");

ALTER TABLE ONLY public.risks
    ADD CONSTRAINT "UQ_b24830615baa256446d25fbb274" UNIQUE ("riskId");

CREATE INDEX "IDX_controls_category_priority" ON public.compliance_controls USING btree (category, priority);

CREATE INDEX "IDX_controls_framework_control" ON public.compliance_controls USING btree ("frameworkId", "controlId");

CREATE INDEX "IDX_controls_org_status" ON public.compliance_controls USING btree ("organizationId", "implementationStatus");

CREATE INDEX "IDX_frameworks_org_status" ON public.compliance_frameworks USING btree ("organizationId", status);

CREATE INDEX "IDX_frameworks_type_status" ON public.compliance_frameworks USING btree (type, status);

CREATE INDEX "IDX_policies_effective_date" ON public.policies USING btree ("effectiveDate");

CREATE INDEX "IDX_policies_next_review" ON public.policies USING btree ("nextReviewDate");

CREATE INDEX "IDX_policies_org_status" ON public.policies USING btree ("organizationId", status);

CREATE INDEX "IDX_policies_type_status" ON public.policies USING btree (type, status);

CREATE UNIQUE INDEX "IDX_policy_control_mapping" ON public.policy_control_mapping USING btree ("policyId", "controlId");

CREATE INDEX "IDX_policy_control_mapping_controlId" ON public.policy_control_mapping USING btree ("controlId");

CREATE UNIQUE INDEX "IDX_risk_controls" ON public.risk_controls USING btree ("riskId", "controlId");

CREATE INDEX "IDX_risk_controls_controlId" ON public.risk_controls USING btree ("controlId");

CREATE INDEX "IDX_risks_category_status" ON public.risks USING btree (category, status);

CREATE INDEX "IDX_risks_org_status" ON public.risks USING btree ("organizationId", status);

CREATE INDEX "IDX_risks_owner" ON public.risks USING btree ("ownerId");

CREATE TRIGGER update_compliance_controls_updated_at BEFORE UPDATE ON public.compliance_controls FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_compliance_frameworks_updated_at BEFORE UPDATE ON public.compliance_frameworks FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_policies_updated_at BEFORE UPDATE ON public.policies FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_risks_updated_at BEFORE UPDATE ON public.risks FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.compliance_controls
    ADD CONSTRAINT "FK_controls_framework" FOREIGN KEY ("frameworkId") REFERENCES public.compliance_frameworks(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.policy_control_mapping
    ADD CONSTRAINT "FK_policy_control_mapping_control" FOREIGN KEY ("controlId") REFERENCES public.compliance_controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.policy_control_mapping
    ADD CONSTRAINT "FK_policy_control_mapping_policy" FOREIGN KEY ("policyId") REFERENCES public.policies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.risk_controls
    ADD CONSTRAINT "FK_risk_controls_control" FOREIGN KEY ("controlId") REFERENCES public.compliance_controls(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.risk_controls
    ADD CONSTRAINT "FK_risk_controls_risk" FOREIGN KEY ("riskId") REFERENCES public.risks(id) ON DELETE CASCADE;
