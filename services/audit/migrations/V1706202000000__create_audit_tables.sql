-- audit: SOC audits with their programmes, control tests and findings, and the log of the application.
--
-- Ids of other services' rows ("clientId", "organizationId", "controlId", user ids) are varchar here and
-- uuid in most other services, a legacy fact.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE audit_type AS ENUM (
    'SOC1_TYPE1', 'SOC1_TYPE2', 'SOC2_TYPE1', 'SOC2_TYPE2', 'SOC3', 'SOCPS'
);
CREATE TYPE audit_status AS ENUM (
    'PLANNING', 'IN_FIELDWORK', 'REVIEW', 'DRAFT_REPORT', 'FINAL_REVIEW', 'COMPLETED', 'ON_HOLD',
    'CANCELLED'
);
CREATE TYPE audit_phase AS ENUM (
    'KICKOFF', 'RISK_ASSESSMENT', 'CONTROL_DESIGN', 'CONTROL_TESTING', 'DEFICIENCY_REMEDIATION',
    'REPORT_PREPARATION', 'QUALITY_REVIEW', 'ISSUANCE'
);
CREATE TYPE risk_rating AS ENUM ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL');
CREATE TYPE test_method AS ENUM (
    'INQUIRY', 'OBSERVATION', 'INSPECTION', 'REPERFORMANCE', 'RECALCULATION', 'CONFIRMATION',
    'ANALYTICAL_PROCEDURES'
);
CREATE TYPE test_result AS ENUM (
    'NOT_STARTED', 'IN_PROGRESS', 'PASS', 'FAIL', 'PASS_WITH_EXCEPTION', 'NOT_APPLICABLE'
);
CREATE TYPE finding_type AS ENUM (
    'CONTROL_DEFICIENCY', 'CONTROL_GAP', 'OPERATING_EFFECTIVENESS', 'DESIGN_DEFICIENCY',
    'DOCUMENTATION_GAP', 'POLICY_VIOLATION', 'COMPLIANCE_GAP'
);
CREATE TYPE finding_severity AS ENUM ('CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'OBSERVATION');
CREATE TYPE finding_status AS ENUM (
    'IDENTIFIED', 'CONFIRMED', 'IN_REMEDIATION', 'REMEDIATED', 'ACCEPTED', 'CLOSED', 'REOPENED'
);

-- One engagement from planning to the issued report.
CREATE TABLE soc_audits (
    id                            uuid          NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    "auditNumber"                 varchar(50)   NOT NULL,
    "clientId"                    varchar(255)  NOT NULL,
    "organizationId"              varchar(255)  NOT NULL,

    -- State
    "auditType"                   audit_type    NOT NULL,
    status                        audit_status  NOT NULL DEFAULT 'PLANNING',
    "currentPhase"                audit_phase   NOT NULL DEFAULT 'KICKOFF',

    -- Period
    "auditPeriodStart"            date          NOT NULL,
    "auditPeriodEnd"              date          NOT NULL,
    "reportDate"                  date,
    "plannedCompletionDate"       date,
    "actualCompletionDate"        date,

    -- Criteria, team and firm
    "trustServiceCriteria"        text[]        NOT NULL DEFAULT '{}',
    "leadAuditorId"               varchar(255)  NOT NULL,
    "engagementPartnerId"         varchar(255)  NOT NULL,
    "auditTeamIds"                text[]        NOT NULL DEFAULT '{}',
    "qualityReviewerId"           varchar(255),
    "cpaFirmId"                   varchar(255)  NOT NULL,
    "cpaFirmName"                 varchar(255)  NOT NULL,
    "cpaEngagementLetter"         varchar(500),

    -- Scope
    "auditObjectives"             text          NOT NULL,
    "scopeDescription"            text          NOT NULL,
    "inScopeServices"             text[]        NOT NULL DEFAULT '{}',
    "inScopeLocations"            text[]        NOT NULL DEFAULT '{}',
    "outOfScopeItems"             text[]        NOT NULL DEFAULT '{}',
    "controlFrameworkId"          varchar(255),

    -- Controls and risk
    "totalControls"               integer       NOT NULL DEFAULT 0,
    "testedControls"              integer       NOT NULL DEFAULT 0,
    "effectiveControls"           integer       NOT NULL DEFAULT 0,
    "deficientControls"           integer       NOT NULL DEFAULT 0,
    "overallRiskRating"           risk_rating   NOT NULL DEFAULT 'MEDIUM',
    "riskFactors"                 jsonb,

    -- Report
    "reportTemplateId"            varchar(255),
    "draftReportUrl"              varchar(500),
    "finalReportUrl"              varchar(500),
    "reportIssuedDate"            date,
    "hasQualifiedOpinion"         boolean       NOT NULL DEFAULT false,
    "opinionModifications"        text,

    -- Management assertion
    "managementAssertionReceived" boolean       NOT NULL DEFAULT false,
    "managementAssertionDate"     date,
    "managementAssertionDocument" varchar(500),

    -- Requirements
    "complianceRequirements"      jsonb,
    "regulatoryFrameworks"        text[]        NOT NULL DEFAULT '{}',

    -- Progress
    "completionPercentage"        numeric(5,2)  NOT NULL DEFAULT 0,
    "totalFindings"               integer       NOT NULL DEFAULT 0,
    "criticalFindings"            integer       NOT NULL DEFAULT 0,
    "majorFindings"               integer       NOT NULL DEFAULT 0,
    "minorFindings"               integer       NOT NULL DEFAULT 0,
    "remediatedFindings"          integer       NOT NULL DEFAULT 0,

    -- Budget
    "budgetedHours"               numeric(10,2),
    "actualHours"                 numeric(10,2) NOT NULL DEFAULT 0,
    "budgetedCost"                numeric(10,2),
    "actualCost"                  numeric(10,2) NOT NULL DEFAULT 0,

    -- Communication
    "clientMeetingsHeld"          integer       NOT NULL DEFAULT 0,
    "lastClientCommunication"     date,
    "nextScheduledMeeting"        date,

    -- Reviews
    "peerReviewCompleted"         boolean       NOT NULL DEFAULT false,
    "peerReviewDate"              date,
    "peerReviewComments"          text,
    "qualityReviewPassed"         boolean       NOT NULL DEFAULT false,
    "qualityReviewDate"           date,

    -- Archive
    "isArchived"                  boolean       NOT NULL DEFAULT false,
    "archiveDate"                 date,
    "archiveLocation"             varchar(500),

    -- Bookkeeping
    "customFields"                jsonb,
    tags                          text[]        NOT NULL DEFAULT '{}',
    notes                         text,
    "createdAt"                   timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                   timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy"                   varchar(255)  NOT NULL,
    "updatedBy"                   varchar(255)  NOT NULL,

    CONSTRAINT "PK_e8c58371912c55c982cede748d0" PRIMARY KEY (id),
    CONSTRAINT "UQ_320fe0e5b5c44b7fef9ad9bce43" UNIQUE ("auditNumber")
);

CREATE INDEX idx_audit_client ON soc_audits ("clientId");
CREATE INDEX idx_audit_dates ON soc_audits ("auditPeriodStart", "auditPeriodEnd");
-- Doubles the unique constraint's own index; adopted databases have both.
CREATE INDEX idx_audit_number ON soc_audits ("auditNumber");
CREATE INDEX idx_audit_status ON soc_audits (status);

-- How an engagement is going to be carried out.
CREATE TABLE audit_programs (
    id                uuid          NOT NULL DEFAULT uuid_generate_v4(),
    "auditId"         uuid          NOT NULL,
    "programName"     varchar(255)  NOT NULL,
    description       text,
    version           varchar(20)   NOT NULL DEFAULT '1.0',
    "isActive"        boolean       NOT NULL DEFAULT true,
    "approvedBy"      varchar(255),
    "approvalDate"    date,
    sections          jsonb,
    milestones        jsonb,
    "riskAssessment"  jsonb,
    "testingStrategy" jsonb,
    timeline          jsonb,
    resources         jsonb,
    "budgetHours"     numeric(10,2),
    "customFields"    jsonb,
    "createdAt"       timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy"       varchar(255)  NOT NULL,
    "updatedBy"       varchar(255)  NOT NULL,

    CONSTRAINT "PK_aea29d049c3937b67a5413e07af" PRIMARY KEY (id),
    CONSTRAINT "FK_369b0fb79ea5a578b14fffbe92c" FOREIGN KEY ("auditId")
        REFERENCES soc_audits (id) ON DELETE CASCADE
);

CREATE INDEX idx_audit_program_audit ON audit_programs ("auditId");

-- A control as tested in one engagement.
CREATE TABLE control_tests (
    id                      uuid          NOT NULL DEFAULT uuid_generate_v4(),
    "auditId"               uuid          NOT NULL,

    -- The control
    "controlId"             varchar(255)  NOT NULL,
    "controlCode"           varchar(50)   NOT NULL,
    "controlName"           varchar(255)  NOT NULL,

    -- Period, method and sample
    "testPeriodStart"       date          NOT NULL,
    "testPeriodEnd"         date          NOT NULL,
    "testMethod"            test_method[] NOT NULL DEFAULT '{}',
    "populationSize"        integer       NOT NULL DEFAULT 0,
    "sampleSize"            integer       NOT NULL DEFAULT 0,
    "samplingMethod"        varchar(100),

    -- Result
    "testResult"            test_result   NOT NULL DEFAULT 'NOT_STARTED',
    "exceptionsFound"       integer       NOT NULL DEFAULT 0,
    "deviationRate"         numeric(5,2)  NOT NULL DEFAULT 0,

    -- Procedure
    "testProcedures"        text          NOT NULL,
    "testObjective"         text,
    "testCompleteDate"      date,
    "testedBy"              varchar(255),
    "reviewedBy"            varchar(255),
    "reviewDate"            date,

    -- Evidence
    "evidenceIds"           text[]        NOT NULL DEFAULT '{}',
    "workpaperReference"    varchar(100),
    "testAttributes"        jsonb,
    "testConclusion"        text,
    "exceptionsDescription" text,

    -- Classification and retest
    "isKeyControl"          boolean       NOT NULL DEFAULT false,
    "isITGC"                boolean       NOT NULL DEFAULT false,
    "requiresRetest"        boolean       NOT NULL DEFAULT false,
    "retestDate"            date,
    "retestResult"          test_result,

    -- Bookkeeping
    notes                   text,
    "createdAt"             timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"             timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy"             varchar(255)  NOT NULL,
    "updatedBy"             varchar(255)  NOT NULL,

    CONSTRAINT "PK_ae9c5fdfb9c9775a06fc1bc7fc1" PRIMARY KEY (id),
    CONSTRAINT "FK_4a7099d9c9a682808cd9a907635" FOREIGN KEY ("auditId")
        REFERENCES soc_audits (id) ON DELETE CASCADE
);

CREATE INDEX idx_control_test_audit ON control_tests ("auditId");
CREATE INDEX idx_control_test_control ON control_tests ("controlId");
CREATE INDEX idx_control_test_result ON control_tests ("testResult");

-- What an engagement found, and what became of it.
CREATE TABLE audit_findings (
    id                             uuid             NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    "findingNumber"                varchar(50)      NOT NULL,
    "auditId"                      uuid             NOT NULL,

    -- The control
    "controlId"                    varchar(255)     NOT NULL,
    "controlCode"                  varchar(50)      NOT NULL,
    "controlName"                  varchar(255)     NOT NULL,

    -- State
    "findingType"                  finding_type     NOT NULL,
    severity                       finding_severity NOT NULL,
    status                         finding_status   NOT NULL DEFAULT 'IDENTIFIED',

    -- The finding
    title                          varchar(255)     NOT NULL,
    description                    text             NOT NULL,
    condition                      text             NOT NULL,
    criteria                       text             NOT NULL,
    cause                          text             NOT NULL,
    effect                         text             NOT NULL,
    recommendation                 text             NOT NULL,

    -- Risk
    "riskRating"                   risk_rating      NOT NULL DEFAULT 'MEDIUM',
    "affectedTrustServiceCriteria" text[]           NOT NULL DEFAULT '{}',
    "businessImpact"               text,
    "isSystematic"                 boolean          NOT NULL DEFAULT false,
    "isPervasive"                  boolean          NOT NULL DEFAULT false,
    "isCompensatingControlsExist"  boolean          NOT NULL DEFAULT false,

    -- Management response
    "managementResponse"           text,
    "managementResponseBy"         varchar(255),
    "managementResponseDate"       date,
    "targetRemediationDate"        date,
    "remediationOwner"             varchar(255),
    "remediationPlan"              text,

    -- Evidence and testing
    "evidenceIds"                  text[]           NOT NULL DEFAULT '{}',
    "testingProcedures"            text,
    "testingDate"                  date,
    "testedBy"                     varchar(255),
    "sampleSize"                   integer          NOT NULL DEFAULT 0,
    "exceptionsFound"              integer          NOT NULL DEFAULT 0,

    -- Remediation
    "remediationStartDate"         date,
    "remediationCompleteDate"      date,
    "remediationEvidence"          text,
    "remediationValidatedBy"       varchar(255),
    "remediationValidationDate"    date,

    -- Retest
    "requiresRetest"               boolean          NOT NULL DEFAULT false,
    "retestDate"                   date,
    "retestResults"                text,

    -- Relations
    "relatedFindingIds"            text[]           NOT NULL DEFAULT '{}',
    "rootCauseFindingId"           varchar(255),
    "isPriorYearFinding"           boolean          NOT NULL DEFAULT false,
    "priorYearFindingId"           varchar(255),
    "isRecurring"                  boolean          NOT NULL DEFAULT false,
    "occurrenceCount"              integer          NOT NULL DEFAULT 0,

    -- Report
    "includeInReport"              boolean          NOT NULL DEFAULT true,
    "reportNarrative"              text,
    "reportSection"                varchar(100),
    "reportOrder"                  integer          NOT NULL DEFAULT 0,

    -- Review
    "assignedTo"                   varchar(255),
    "reviewedBy"                   varchar(255),
    "reviewDate"                   date,
    "approvedBy"                   varchar(255),
    "approvalDate"                 date,

    -- Communication
    "communicatedToClient"         boolean          NOT NULL DEFAULT false,
    "clientCommunicationDate"      date,
    "clientFeedback"               text,

    -- Bookkeeping
    "customFields"                 jsonb,
    tags                           text[]           NOT NULL DEFAULT '{}',
    notes                          text,
    "createdAt"                    timestamp        NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                    timestamp        NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdBy"                    varchar(255)     NOT NULL,
    "updatedBy"                    varchar(255)     NOT NULL,

    CONSTRAINT "PK_b66fb855ac062aabeccdd4ec1b4" PRIMARY KEY (id),
    CONSTRAINT "FK_6ccd2d3078c5f9ddc6a656f8e9f" FOREIGN KEY ("auditId")
        REFERENCES soc_audits (id) ON DELETE CASCADE
);

CREATE INDEX idx_finding_audit ON audit_findings ("auditId");
CREATE INDEX idx_finding_control ON audit_findings ("controlId");
CREATE INDEX idx_finding_severity ON audit_findings (severity);
CREATE INDEX idx_finding_status ON audit_findings (status);

-- A user's session as the application logged it.
CREATE TABLE audit_sessions (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "sessionId"      varchar(100) NOT NULL,
    "userId"         varchar(255) NOT NULL,
    "userEmail"      varchar(255) NOT NULL,
    "userName"       varchar(255) NOT NULL,
    "organizationId" varchar(255) NOT NULL,
    "ipAddress"      varchar(45),
    "userAgent"      text,
    "startTime"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "endTime"        timestamp,
    "isActive"       boolean      NOT NULL DEFAULT true,
    metadata         jsonb,

    CONSTRAINT "PK_edfdd76908c4e6139251775c0e2" PRIMARY KEY (id),
    CONSTRAINT "UQ_1dd90bb6993d59de5814033bb0d" UNIQUE ("sessionId")
);

CREATE INDEX idx_audit_session_org ON audit_sessions ("organizationId");
CREATE INDEX idx_audit_session_time ON audit_sessions ("startTime");
CREATE INDEX idx_audit_session_user ON audit_sessions ("userId");

-- One logged request. The key refers to the session's own "sessionId", not to its row id.
CREATE TABLE audit_entries (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "sessionId"      varchar(100) NOT NULL,
    "userId"         varchar(255) NOT NULL,
    "organizationId" varchar(255) NOT NULL,
    action           varchar(100) NOT NULL,
    "entityType"     varchar(100) NOT NULL,
    "entityId"       varchar(255),
    method           varchar(10)  NOT NULL,
    endpoint         varchar(500) NOT NULL,
    "statusCode"     integer,
    "ipAddress"      varchar(45),
    changes          jsonb,
    "oldValues"      jsonb,
    "newValues"      jsonb,
    metadata         jsonb,
    "timestamp"      timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_6b1623bcad4d04530b76548d619" PRIMARY KEY (id),
    CONSTRAINT "FK_6575b52a454bd7d59fbcb894caf" FOREIGN KEY ("sessionId")
        REFERENCES audit_sessions ("sessionId") ON DELETE CASCADE
);

CREATE INDEX idx_audit_entry_entity ON audit_entries ("entityType", "entityId");
CREATE INDEX idx_audit_entry_session ON audit_entries ("sessionId");
CREATE INDEX idx_audit_entry_timestamp ON audit_entries ("timestamp");
CREATE INDEX idx_audit_entry_user ON audit_entries ("userId");

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

CREATE TRIGGER update_soc_audits_updated_at
    BEFORE UPDATE ON soc_audits
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_audit_programs_updated_at
    BEFORE UPDATE ON audit_programs
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_control_tests_updated_at
    BEFORE UPDATE ON control_tests
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_audit_findings_updated_at
    BEFORE UPDATE ON audit_findings
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
