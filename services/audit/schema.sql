CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.audit_phase AS ENUM (
    'KICKOFF',
    'RISK_ASSESSMENT',
    'CONTROL_DESIGN',
    'CONTROL_TESTING',
    'DEFICIENCY_REMEDIATION',
    'REPORT_PREPARATION',
    'QUALITY_REVIEW',
    'ISSUANCE'
);

CREATE TYPE public.audit_status AS ENUM (
    'PLANNING',
    'IN_FIELDWORK',
    'REVIEW',
    'DRAFT_REPORT',
    'FINAL_REVIEW',
    'COMPLETED',
    'ON_HOLD',
    'CANCELLED'
);

CREATE TYPE public.audit_type AS ENUM (
    'SOC1_TYPE1',
    'SOC1_TYPE2',
    'SOC2_TYPE1',
    'SOC2_TYPE2',
    'SOC3',
    'SOCPS'
);

CREATE TYPE public.finding_severity AS ENUM (
    'CRITICAL',
    'HIGH',
    'MEDIUM',
    'LOW',
    'OBSERVATION'
);

CREATE TYPE public.finding_status AS ENUM (
    'IDENTIFIED',
    'CONFIRMED',
    'IN_REMEDIATION',
    'REMEDIATED',
    'ACCEPTED',
    'CLOSED',
    'REOPENED'
);

CREATE TYPE public.finding_type AS ENUM (
    'CONTROL_DEFICIENCY',
    'CONTROL_GAP',
    'OPERATING_EFFECTIVENESS',
    'DESIGN_DEFICIENCY',
    'DOCUMENTATION_GAP',
    'POLICY_VIOLATION',
    'COMPLIANCE_GAP'
);

CREATE TYPE public.risk_rating AS ENUM (
    'LOW',
    'MEDIUM',
    'HIGH',
    'CRITICAL'
);

CREATE TYPE public.test_method AS ENUM (
    'INQUIRY',
    'OBSERVATION',
    'INSPECTION',
    'REPERFORMANCE',
    'RECALCULATION',
    'CONFIRMATION',
    'ANALYTICAL_PROCEDURES'
);

CREATE TYPE public.test_result AS ENUM (
    'NOT_STARTED',
    'IN_PROGRESS',
    'PASS',
    'FAIL',
    'PASS_WITH_EXCEPTION',
    'NOT_APPLICABLE'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW."updatedAt" = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$;

CREATE TABLE public.audit_entries (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "sessionId" character varying(100) NOT NULL,
    "userId" character varying(255) NOT NULL,
    "organizationId" character varying(255) NOT NULL,
    action character varying(100) NOT NULL,
    "entityType" character varying(100) NOT NULL,
    "entityId" character varying(255),
    method character varying(10) NOT NULL,
    endpoint character varying(500) NOT NULL,
    "statusCode" integer,
    "ipAddress" character varying(45),
    changes jsonb,
    "oldValues" jsonb,
    "newValues" jsonb,
    metadata jsonb,
    "timestamp" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.audit_findings (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "findingNumber" character varying(50) NOT NULL,
    "auditId" uuid NOT NULL,
    "controlId" character varying(255) NOT NULL,
    "controlCode" character varying(50) NOT NULL,
    "controlName" character varying(255) NOT NULL,
    "findingType" public.finding_type NOT NULL,
    severity public.finding_severity NOT NULL,
    status public.finding_status DEFAULT 'IDENTIFIED'::public.finding_status NOT NULL,
    title character varying(255) NOT NULL,
    description text NOT NULL,
    condition text NOT NULL,
    criteria text NOT NULL,
    cause text NOT NULL,
    effect text NOT NULL,
    recommendation text NOT NULL,
    "riskRating" public.risk_rating DEFAULT 'MEDIUM'::public.risk_rating NOT NULL,
    "affectedTrustServiceCriteria" text[] DEFAULT '{}'::text[] NOT NULL,
    "businessImpact" text,
    "isSystematic" boolean DEFAULT false NOT NULL,
    "isPervasive" boolean DEFAULT false NOT NULL,
    "isCompensatingControlsExist" boolean DEFAULT false NOT NULL,
    "managementResponse" text,
    "managementResponseBy" character varying(255),
    "managementResponseDate" date,
    "targetRemediationDate" date,
    "remediationOwner" character varying(255),
    "remediationPlan" text,
    "evidenceIds" text[] DEFAULT '{}'::text[] NOT NULL,
    "testingProcedures" text,
    "testingDate" date,
    "testedBy" character varying(255),
    "sampleSize" integer DEFAULT 0 NOT NULL,
    "exceptionsFound" integer DEFAULT 0 NOT NULL,
    "remediationStartDate" date,
    "remediationCompleteDate" date,
    "remediationEvidence" text,
    "remediationValidatedBy" character varying(255),
    "remediationValidationDate" date,
    "requiresRetest" boolean DEFAULT false NOT NULL,
    "retestDate" date,
    "retestResults" text,
    "relatedFindingIds" text[] DEFAULT '{}'::text[] NOT NULL,
    "rootCauseFindingId" character varying(255),
    "isPriorYearFinding" boolean DEFAULT false NOT NULL,
    "priorYearFindingId" character varying(255),
    "isRecurring" boolean DEFAULT false NOT NULL,
    "occurrenceCount" integer DEFAULT 0 NOT NULL,
    "includeInReport" boolean DEFAULT true NOT NULL,
    "reportNarrative" text,
    "reportSection" character varying(100),
    "reportOrder" integer DEFAULT 0 NOT NULL,
    "assignedTo" character varying(255),
    "reviewedBy" character varying(255),
    "reviewDate" date,
    "approvedBy" character varying(255),
    "approvalDate" date,
    "communicatedToClient" boolean DEFAULT false NOT NULL,
    "clientCommunicationDate" date,
    "clientFeedback" text,
    "customFields" jsonb,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    notes text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "createdBy" character varying(255) NOT NULL,
    "updatedBy" character varying(255) NOT NULL
);

CREATE TABLE public.audit_programs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "auditId" uuid NOT NULL,
    "programName" character varying(255) NOT NULL,
    description text,
    version character varying(20) DEFAULT '1.0'::character varying NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    "approvedBy" character varying(255),
    "approvalDate" date,
    sections jsonb,
    milestones jsonb,
    "riskAssessment" jsonb,
    "testingStrategy" jsonb,
    timeline jsonb,
    resources jsonb,
    "budgetHours" numeric(10,2),
    "customFields" jsonb,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "createdBy" character varying(255) NOT NULL,
    "updatedBy" character varying(255) NOT NULL
);

CREATE TABLE public.audit_sessions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "sessionId" character varying(100) NOT NULL,
    "userId" character varying(255) NOT NULL,
    "userEmail" character varying(255) NOT NULL,
    "userName" character varying(255) NOT NULL,
    "organizationId" character varying(255) NOT NULL,
    "ipAddress" character varying(45),
    "userAgent" text,
    "startTime" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "endTime" timestamp without time zone,
    "isActive" boolean DEFAULT true NOT NULL,
    metadata jsonb
);

CREATE TABLE public.control_tests (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "auditId" uuid NOT NULL,
    "controlId" character varying(255) NOT NULL,
    "controlCode" character varying(50) NOT NULL,
    "controlName" character varying(255) NOT NULL,
    "testPeriodStart" date NOT NULL,
    "testPeriodEnd" date NOT NULL,
    "testMethod" public.test_method[] DEFAULT '{}'::public.test_method[] NOT NULL,
    "populationSize" integer DEFAULT 0 NOT NULL,
    "sampleSize" integer DEFAULT 0 NOT NULL,
    "samplingMethod" character varying(100),
    "testResult" public.test_result DEFAULT 'NOT_STARTED'::public.test_result NOT NULL,
    "exceptionsFound" integer DEFAULT 0 NOT NULL,
    "deviationRate" numeric(5,2) DEFAULT 0 NOT NULL,
    "testProcedures" text NOT NULL,
    "testObjective" text,
    "testCompleteDate" date,
    "testedBy" character varying(255),
    "reviewedBy" character varying(255),
    "reviewDate" date,
    "evidenceIds" text[] DEFAULT '{}'::text[] NOT NULL,
    "workpaperReference" character varying(100),
    "testAttributes" jsonb,
    "testConclusion" text,
    "exceptionsDescription" text,
    "isKeyControl" boolean DEFAULT false NOT NULL,
    "isITGC" boolean DEFAULT false NOT NULL,
    "requiresRetest" boolean DEFAULT false NOT NULL,
    "retestDate" date,
    "retestResult" public.test_result,
    notes text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "createdBy" character varying(255) NOT NULL,
    "updatedBy" character varying(255) NOT NULL
);

CREATE TABLE public.soc_audits (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "auditNumber" character varying(50) NOT NULL,
    "clientId" character varying(255) NOT NULL,
    "organizationId" character varying(255) NOT NULL,
    "auditType" public.audit_type NOT NULL,
    status public.audit_status DEFAULT 'PLANNING'::public.audit_status NOT NULL,
    "currentPhase" public.audit_phase DEFAULT 'KICKOFF'::public.audit_phase NOT NULL,
    "auditPeriodStart" date NOT NULL,
    "auditPeriodEnd" date NOT NULL,
    "reportDate" date,
    "plannedCompletionDate" date,
    "actualCompletionDate" date,
    "trustServiceCriteria" text[] DEFAULT '{}'::text[] NOT NULL,
    "leadAuditorId" character varying(255) NOT NULL,
    "engagementPartnerId" character varying(255) NOT NULL,
    "auditTeamIds" text[] DEFAULT '{}'::text[] NOT NULL,
    "qualityReviewerId" character varying(255),
    "cpaFirmId" character varying(255) NOT NULL,
    "cpaFirmName" character varying(255) NOT NULL,
    "cpaEngagementLetter" character varying(500),
    "auditObjectives" text NOT NULL,
    "scopeDescription" text NOT NULL,
    "inScopeServices" text[] DEFAULT '{}'::text[] NOT NULL,
    "inScopeLocations" text[] DEFAULT '{}'::text[] NOT NULL,
    "outOfScopeItems" text[] DEFAULT '{}'::text[] NOT NULL,
    "controlFrameworkId" character varying(255),
    "totalControls" integer DEFAULT 0 NOT NULL,
    "testedControls" integer DEFAULT 0 NOT NULL,
    "effectiveControls" integer DEFAULT 0 NOT NULL,
    "deficientControls" integer DEFAULT 0 NOT NULL,
    "overallRiskRating" public.risk_rating DEFAULT 'MEDIUM'::public.risk_rating NOT NULL,
    "riskFactors" jsonb,
    "reportTemplateId" character varying(255),
    "draftReportUrl" character varying(500),
    "finalReportUrl" character varying(500),
    "reportIssuedDate" date,
    "hasQualifiedOpinion" boolean DEFAULT false NOT NULL,
    "opinionModifications" text,
    "managementAssertionReceived" boolean DEFAULT false NOT NULL,
    "managementAssertionDate" date,
    "managementAssertionDocument" character varying(500),
    "complianceRequirements" jsonb,
    "regulatoryFrameworks" text[] DEFAULT '{}'::text[] NOT NULL,
    "completionPercentage" numeric(5,2) DEFAULT 0 NOT NULL,
    "totalFindings" integer DEFAULT 0 NOT NULL,
    "criticalFindings" integer DEFAULT 0 NOT NULL,
    "majorFindings" integer DEFAULT 0 NOT NULL,
    "minorFindings" integer DEFAULT 0 NOT NULL,
    "remediatedFindings" integer DEFAULT 0 NOT NULL,
    "budgetedHours" numeric(10,2),
    "actualHours" numeric(10,2) DEFAULT 0 NOT NULL,
    "budgetedCost" numeric(10,2),
    "actualCost" numeric(10,2) DEFAULT 0 NOT NULL,
    "clientMeetingsHeld" integer DEFAULT 0 NOT NULL,
    "lastClientCommunication" date,
    "nextScheduledMeeting" date,
    "peerReviewCompleted" boolean DEFAULT false NOT NULL,
    "peerReviewDate" date,
    "peerReviewComments" text,
    "qualityReviewPassed" boolean DEFAULT false NOT NULL,
    "qualityReviewDate" date,
    "isArchived" boolean DEFAULT false NOT NULL,
    "archiveDate" date,
    "archiveLocation" character varying(500),
    "customFields" jsonb,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    notes text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "createdBy" character varying(255) NOT NULL,
    "updatedBy" character varying(255) NOT NULL,
    CONSTRAINT "CHK_soc_audits_period" CHECK (("auditPeriodEnd" >= "auditPeriodStart"))
);

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT "PK_6b1623bcad4d04530b76548d619" PRIMARY KEY (id);

ALTER TABLE ONLY public.control_tests
    ADD CONSTRAINT "PK_ae9c5fdfb9c9775a06fc1bc7fc1" PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_programs
    ADD CONSTRAINT "PK_aea29d049c3937b67a5413e07af" PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_findings
    ADD CONSTRAINT "PK_b66fb855ac062aabeccdd4ec1b4" PRIMARY KEY (id);

ALTER TABLE ONLY public.soc_audits
    ADD CONSTRAINT "PK_e8c58371912c55c982cede748d0" PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_sessions
    ADD CONSTRAINT "PK_edfdd76908c4e6139251775c0e2" PRIMARY KEY (id);

ALTER TABLE ONLY public.audit_sessions
    ADD CONSTRAINT "UQ_1dd90bb6993d59de5814033bb0d" UNIQUE ("sessionId");

ALTER TABLE ONLY public.soc_audits
    ADD CONSTRAINT "UQ_320fe0e5b5c44b7fef9ad9bce43" UNIQUE ("auditNumber");

CREATE INDEX idx_audit_client ON public.soc_audits USING btree ("clientId");

CREATE INDEX idx_audit_dates ON public.soc_audits USING btree ("auditPeriodStart", "auditPeriodEnd");

CREATE INDEX idx_audit_entry_entity ON public.audit_entries USING btree ("entityType", "entityId");

CREATE INDEX idx_audit_entry_session ON public.audit_entries USING btree ("sessionId");

CREATE INDEX idx_audit_entry_timestamp ON public.audit_entries USING btree ("timestamp");

CREATE INDEX idx_audit_entry_user ON public.audit_entries USING btree ("userId");

CREATE INDEX idx_audit_number ON public.soc_audits USING btree ("auditNumber");

CREATE INDEX idx_audit_program_audit ON public.audit_programs USING btree ("auditId");

CREATE INDEX idx_audit_session_org ON public.audit_sessions USING btree ("organizationId");

CREATE INDEX idx_audit_session_time ON public.audit_sessions USING btree ("startTime");

CREATE INDEX idx_audit_session_user ON public.audit_sessions USING btree ("userId");

CREATE INDEX idx_audit_status ON public.soc_audits USING btree (status);

CREATE INDEX idx_control_test_audit ON public.control_tests USING btree ("auditId");

CREATE INDEX idx_control_test_control ON public.control_tests USING btree ("controlId");

CREATE INDEX idx_control_test_result ON public.control_tests USING btree ("testResult");

CREATE INDEX idx_finding_audit ON public.audit_findings USING btree ("auditId");

CREATE INDEX idx_finding_control ON public.audit_findings USING btree ("controlId");

CREATE INDEX idx_finding_severity ON public.audit_findings USING btree (severity);

CREATE INDEX idx_finding_status ON public.audit_findings USING btree (status);

CREATE TRIGGER update_audit_findings_updated_at BEFORE UPDATE ON public.audit_findings FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_audit_programs_updated_at BEFORE UPDATE ON public.audit_programs FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_control_tests_updated_at BEFORE UPDATE ON public.control_tests FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_soc_audits_updated_at BEFORE UPDATE ON public.soc_audits FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.audit_programs
    ADD CONSTRAINT "FK_369b0fb79ea5a578b14fffbe92c" FOREIGN KEY ("auditId") REFERENCES public.soc_audits(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.control_tests
    ADD CONSTRAINT "FK_4a7099d9c9a682808cd9a907635" FOREIGN KEY ("auditId") REFERENCES public.soc_audits(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_entries
    ADD CONSTRAINT "FK_6575b52a454bd7d59fbcb894caf" FOREIGN KEY ("sessionId") REFERENCES public.audit_sessions("sessionId") ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_findings
    ADD CONSTRAINT "FK_6ccd2d3078c5f9ddc6a656f8e9f" FOREIGN KEY ("auditId") REFERENCES public.soc_audits(id) ON DELETE CASCADE;
