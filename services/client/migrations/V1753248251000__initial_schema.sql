-- client: the organisations that are audited, their people, contracts, documents and audits.
--
-- Ids of other services' rows ("organizationId", "userId", "partnerId", ...) are varchar here, except in
-- audit_trails, and uuid in most other services. Columns such as "contactInfo", "auditHistory" and tags
-- hold lists and objects that the application serialises to text. Both are legacy facts.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE client_type AS ENUM ('direct', 'partner_referral', 'managed');
CREATE TYPE industry AS ENUM (
    'technology', 'healthcare', 'finance', 'retail', 'manufacturing', 'education', 'government',
    'nonprofit', 'other'
);
CREATE TYPE company_size AS ENUM ('1-50', '51-200', '201-500', '501-1000', '1000+');
CREATE TYPE client_status AS ENUM ('active', 'inactive', 'pending', 'suspended', 'archived');
CREATE TYPE compliance_status AS ENUM (
    'not_started', 'assessment', 'remediation', 'implementation', 'ready_for_audit', 'under_audit',
    'compliant', 'non_compliant', 'expired'
);
CREATE TYPE risk_level AS ENUM ('low', 'medium', 'high', 'critical');
CREATE TYPE client_user_role AS ENUM ('owner', 'admin', 'manager', 'user', 'viewer', 'auditor');
CREATE TYPE client_user_status AS ENUM ('active', 'inactive', 'pending', 'suspended');
CREATE TYPE contract_type AS ENUM (
    'msa', 'sow', 'nda', 'subscription', 'project', 'retainer', 'amendment'
);
CREATE TYPE contract_status AS ENUM (
    'draft', 'sent', 'negotiation', 'signed', 'active', 'expired', 'terminated', 'renewed'
);
CREATE TYPE billing_frequency AS ENUM (
    'one_time', 'monthly', 'quarterly', 'semi_annual', 'annual', 'custom'
);
CREATE TYPE payment_terms AS ENUM (
    'net_0', 'net_15', 'net_30', 'net_45', 'net_60', 'net_90', 'custom'
);
CREATE TYPE line_item_type AS ENUM ('service', 'product', 'discount', 'tax', 'fee', 'credit');
CREATE TYPE line_item_billing_cycle AS ENUM (
    'one_time', 'monthly', 'quarterly', 'semi_annual', 'annual', 'usage_based'
);
CREATE TYPE audit_type AS ENUM (
    'internal', 'external', 'readiness', 'surveillance', 'recertification'
);
CREATE TYPE audit_status AS ENUM (
    'planned', 'scheduled', 'in_preparation', 'in_progress', 'field_work_complete',
    'pending_report', 'completed', 'cancelled'
);
CREATE TYPE audit_result AS ENUM ('passed', 'passed_with_conditions', 'failed', 'pending');
CREATE TYPE audit_scope AS ENUM ('full', 'limited', 'focused');
CREATE TYPE compliance_framework AS ENUM (
    'soc1_type1', 'soc1_type2', 'soc2_type1', 'soc2_type2', 'iso27001', 'hipaa', 'gdpr', 'pci_dss',
    'nist', 'fedramp'
);
CREATE TYPE document_type AS ENUM (
    'contract', 'policy', 'procedure', 'evidence', 'report', 'certificate', 'audit_report',
    'assessment', 'other'
);
CREATE TYPE document_status AS ENUM (
    'draft', 'pending_review', 'approved', 'rejected', 'expired', 'archived'
);
CREATE TYPE document_confidentiality AS ENUM (
    'public', 'internal', 'confidential', 'highly_confidential'
);
CREATE TYPE audit_action AS ENUM (
    'create', 'update', 'delete', 'view', 'export', 'status_change', 'permission_change', 'login',
    'logout', 'contract_signed', 'contract_terminated', 'contract_renewed', 'document_uploaded',
    'document_deleted', 'audit_started', 'audit_completed', 'compliance_status_changed'
);
CREATE TYPE audit_resource_type AS ENUM (
    'client', 'contract', 'document', 'user', 'organization', 'audit', 'evidence', 'policy',
    'control', 'risk', 'finding', 'report'
);

-- An audited organisation; "parentClientId" makes a tree of groups and subsidiaries.
CREATE TABLE clients (
    id                       uuid              NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    name                     varchar           NOT NULL,
    "legalName"              varchar,
    slug                     varchar           NOT NULL,
    "clientType"             client_type       NOT NULL DEFAULT 'direct',
    "organizationId"         varchar,
    "parentClientId"         uuid,

    -- Profile
    logo                     varchar,
    website                  varchar,
    description              varchar,
    industry                 industry,
    size                     company_size,
    "employeeCount"          integer,
    "annualRevenue"          numeric(15,2),

    -- State
    status                   client_status     NOT NULL DEFAULT 'active',
    "complianceStatus"       compliance_status NOT NULL DEFAULT 'not_started',
    "targetFrameworks"       text,
    "riskLevel"              risk_level        NOT NULL DEFAULT 'medium',
    "complianceScore"        numeric(3,2)      DEFAULT '0',

    -- Contacts and billing
    "contactInfo"            text,
    address                  text,
    "billingInfo"            text,

    -- Responsible people and partners
    "partnerId"              varchar,
    "partnerReferralDate"    date,
    "salesRepId"             varchar,
    "accountManagerId"       varchar,
    "technicalLeadId"        varchar,

    -- Dates
    "onboardingStartDate"    date,
    "onboardingCompleteDate" date,
    "firstAuditDate"         date,
    "lastAuditDate"          date,
    "nextAuditDate"          date,
    "certificateExpiryDate"  date,

    -- Serialised details
    "auditHistory"           text,
    integrations             text,
    settings                 text,
    metadata                 text,
    tags                     text,

    -- Bookkeeping
    "isDeleted"              boolean           NOT NULL DEFAULT false,
    "createdAt"              timestamp         NOT NULL DEFAULT now(),
    "updatedAt"              timestamp         NOT NULL DEFAULT now(),
    "createdBy"              varchar,
    "updatedBy"              varchar,
    "deletedAt"              timestamp,
    "deletedBy"              varchar,

    CONSTRAINT "PK_f1cd1a279e3e338feb7d47eaabc" PRIMARY KEY (id),
    CONSTRAINT "UQ_ad0c1c446ac158de654e8820221" UNIQUE (slug),
    CONSTRAINT "FK_c47fe86b09ef5bb993680471802" FOREIGN KEY ("parentClientId")
        REFERENCES clients (id) ON DELETE SET NULL
);

CREATE INDEX "IDX_0a7eb01e21b1bfd0797ec1db50a" ON clients ("organizationId");
CREATE INDEX "IDX_54bb80ce854029cdc1ca9b7c6c5" ON clients ("complianceStatus");
-- Doubles the unique constraint's own index; adopted databases have both.
CREATE UNIQUE INDEX "IDX_ad0c1c446ac158de654e8820221" ON clients (slug);
CREATE INDEX "IDX_f5cf96d22cbc89ee6f67f7e3e8a" ON clients (status);

-- Who may act for a client, and as what. One row per client and user.
CREATE TABLE client_users (
    id                   uuid               NOT NULL DEFAULT uuid_generate_v4(),
    "clientId"           uuid               NOT NULL,
    "userId"             varchar            NOT NULL,

    -- What the user may do
    role                 client_user_role   NOT NULL DEFAULT 'user',
    status               client_user_status NOT NULL DEFAULT 'active',
    title                varchar,
    department           varchar,

    -- What the client uses the person for
    "isPrimaryContact"   boolean            NOT NULL DEFAULT false,
    "isBillingContact"   boolean            NOT NULL DEFAULT false,
    "isTechnicalContact" boolean            NOT NULL DEFAULT false,
    "isSecurityContact"  boolean            NOT NULL DEFAULT false,

    -- Serialised details
    permissions          text,
    preferences          text,

    -- Bookkeeping
    "lastLoginAt"        timestamp,
    "invitedAt"          timestamp,
    "acceptedAt"         timestamp,
    "invitedBy"          varchar,
    "createdAt"          timestamp          NOT NULL DEFAULT now(),
    "updatedAt"          timestamp          NOT NULL DEFAULT now(),
    "createdBy"          varchar,
    "updatedBy"          varchar,

    CONSTRAINT "PK_445d27cfebdb37ff8fd89a68b67" PRIMARY KEY (id),
    CONSTRAINT "UQ_client_user" UNIQUE ("clientId", "userId"),
    CONSTRAINT "FK_e2e4dc395e772074fb2fb64b8e6" FOREIGN KEY ("clientId")
        REFERENCES clients (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_6c68f25bb5f1e8c58c89f59cf38" ON client_users (status);
CREATE INDEX "IDX_e2e4dc395e772074fb2fb64b8e6" ON client_users ("clientId");
CREATE INDEX "IDX_f0c67c77c5e638e147c67ed2b84" ON client_users ("userId");

-- Agreements with a client; an amendment names the contract that it amends.
CREATE TABLE contracts (
    id                        uuid              NOT NULL DEFAULT uuid_generate_v4(),

    -- Identity
    "contractNumber"          varchar           NOT NULL,
    "clientId"                uuid              NOT NULL,
    "parentContractId"        uuid,
    title                     varchar           NOT NULL,
    description               varchar,

    -- State
    type                      contract_type     NOT NULL DEFAULT 'sow',
    status                    contract_status   NOT NULL DEFAULT 'draft',

    -- Money
    currency                  varchar           NOT NULL DEFAULT 'USD',
    "totalValue"              numeric(12,2)     DEFAULT '0',
    "monthlyValue"            numeric(12,2)     DEFAULT '0',
    "billingFrequency"        billing_frequency NOT NULL DEFAULT 'monthly',
    "paymentTerms"            payment_terms     NOT NULL DEFAULT 'net_30',
    "customPaymentTerms"      varchar,

    -- Term
    "startDate"               date,
    "endDate"                 date,
    "signedDate"              date,
    "autoRenew"               boolean           NOT NULL DEFAULT false,
    "renewalNoticePeriod"     integer           DEFAULT 90,
    "terminationNoticePeriod" integer           DEFAULT 30,

    -- Signatures
    "signedBy"                varchar,
    "clientSignatory"         varchar,
    "clientSignatoryTitle"    varchar,
    "clientSignatoryEmail"    varchar,
    "mspSignatory"            varchar,
    "mspSignatoryTitle"       varchar,

    -- Documents
    "documentUrl"             varchar,
    "signedDocumentUrl"       varchar,
    "attachmentUrls"          text,

    -- Serialised details
    services                  text,
    deliverables              text,
    pricing                   text,
    sla                       text,
    terms                     text,
    "renewalHistory"          text,
    metadata                  text,
    notes                     text,
    tags                      text,

    -- Bookkeeping
    "createdAt"               timestamp         NOT NULL DEFAULT now(),
    "updatedAt"               timestamp         NOT NULL DEFAULT now(),
    "createdBy"               varchar,
    "updatedBy"               varchar,

    CONSTRAINT "PK_2c7b8f3a7b1acdd49497d83d0fb" PRIMARY KEY (id),
    CONSTRAINT "UQ_f7c91e57a5f344e18b93f97ed54" UNIQUE ("contractNumber"),
    CONSTRAINT "FK_8e9f7a5b3c2d45678901ab1c2d3" FOREIGN KEY ("parentContractId")
        REFERENCES contracts (id) ON DELETE SET NULL,
    CONSTRAINT "FK_d3c91e4b2e3f48359c7b8000e12" FOREIGN KEY ("clientId")
        REFERENCES clients (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_1a2b3c4d5e6f7890ab1c2d3e456" ON contracts ("startDate");
CREATE INDEX "IDX_2b3c4d5e6f7890ab1c2d3e45678" ON contracts ("endDate");
CREATE INDEX "IDX_d3c91e4b2e3f48359c7b8000e12" ON contracts ("clientId");
CREATE INDEX "IDX_e4f73a5b3c2d45678a9b1d3e456" ON contracts (status);
-- Doubles the unique constraint's own index; adopted databases have both.
CREATE UNIQUE INDEX "IDX_f7c91e57a5f344e18b93f97ed54" ON contracts ("contractNumber");

-- What a contract consists of, priced.
CREATE TABLE contract_line_items (
    id                   uuid                    NOT NULL DEFAULT uuid_generate_v4(),
    "contractId"         uuid                    NOT NULL,

    -- What is sold
    type                 line_item_type          NOT NULL DEFAULT 'service',
    name                 varchar                 NOT NULL,
    description          varchar,
    sku                  varchar,

    -- Price
    quantity             numeric(10,2)           NOT NULL DEFAULT '1',
    "unitPrice"          numeric(12,2)           NOT NULL DEFAULT '0',
    "totalPrice"         numeric(12,2)           NOT NULL DEFAULT '0',
    "unitOfMeasure"      varchar                 DEFAULT 'unit',

    -- Billing
    "billingCycle"       line_item_billing_cycle NOT NULL DEFAULT 'monthly',
    "isRecurring"        boolean                 NOT NULL DEFAULT false,
    "startDate"          date,
    "endDate"            date,

    -- Tax
    "taxRate"            numeric(5,2)            DEFAULT '0',
    "taxAmount"          numeric(12,2)           DEFAULT '0',
    "isTaxable"          boolean                 NOT NULL DEFAULT true,

    -- Discount
    "discountPercentage" numeric(5,2)            DEFAULT '0',
    "discountAmount"     numeric(12,2)           DEFAULT '0',
    "discountReason"     varchar,

    -- Bookkeeping
    "sortOrder"          integer                 DEFAULT 0,
    tags                 text,
    metadata             text,
    "createdAt"          timestamp               NOT NULL DEFAULT now(),
    "updatedAt"          timestamp               NOT NULL DEFAULT now(),
    "createdBy"          varchar,
    "updatedBy"          varchar,

    CONSTRAINT "PK_7d8f9a5b3c2e4567890ab1c2d3e" PRIMARY KEY (id),
    CONSTRAINT "FK_9e8f7a5b3c2d4567890ab1c2d3f" FOREIGN KEY ("contractId")
        REFERENCES contracts (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_9e8f7a5b3c2d4567890ab1c2d3f" ON contract_line_items ("contractId");

-- A client's audits as the client sees them; the audit service runs them.
CREATE TABLE client_audits (
    id                      uuid                 NOT NULL DEFAULT uuid_generate_v4(),
    "clientId"              uuid                 NOT NULL,
    name                    varchar              NOT NULL,
    description             varchar,

    -- State
    type                    audit_type           NOT NULL,
    status                  audit_status         NOT NULL DEFAULT 'planned',
    result                  audit_result,
    scope                   audit_scope          NOT NULL DEFAULT 'full',
    framework               compliance_framework NOT NULL,

    -- Who audits
    "leadAuditorId"         varchar,
    "auditFirmId"           varchar,
    "auditFirmName"         varchar,
    "certificateNumber"     varchar,

    -- Serialised lists of ids
    "auditTeamIds"          text,
    "findingIds"            text,
    "documentIds"           text,
    "evidenceRequestIds"    text,

    -- Dates
    "scheduledStartDate"    date,
    "scheduledEndDate"      date,
    "actualStartDate"       date,
    "actualEndDate"         date,
    "reportDueDate"         date,
    "reportDeliveredDate"   date,
    "certificateIssueDate"  date,
    "certificateExpiryDate" date,

    -- Serialised details
    "scopeDetails"          text,
    findings                text,
    timeline                text,
    "costBreakdown"         text,
    metrics                 text,
    feedback                text,
    metadata                text,

    -- Bookkeeping
    "createdAt"             timestamp            NOT NULL DEFAULT now(),
    "updatedAt"             timestamp            NOT NULL DEFAULT now(),
    "createdBy"             varchar,
    "updatedBy"             varchar,

    CONSTRAINT "PK_3f9d8b5e19c44e269c00c7b5ae2" PRIMARY KEY (id),
    CONSTRAINT "FK_6a4e9cfb19b44a269b00b6a5cd3" FOREIGN KEY ("clientId")
        REFERENCES clients (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_6a4e9cfb19b44a269b00b6a5cd3" ON client_audits ("clientId");
CREATE INDEX "IDX_8b7f9d1e2c3e4567ab1d2e4f789" ON client_audits (status);
CREATE INDEX "IDX_9c8fa2b3d4e5678bc2e3f5a890" ON client_audits (framework);
CREATE INDEX "IDX_ad9eb3c5e6f7890cd3f4a5b9012" ON client_audits ("scheduledStartDate");

-- Files of a client. "parentDocumentId" names the previous version and has no foreign key.
CREATE TABLE client_documents (
    id                 uuid                     NOT NULL DEFAULT uuid_generate_v4(),
    "clientId"         uuid                     NOT NULL,
    name               varchar                  NOT NULL,
    description        varchar,

    -- State
    type               document_type            NOT NULL,
    status             document_status          NOT NULL DEFAULT 'draft',
    confidentiality    document_confidentiality NOT NULL DEFAULT 'internal',

    -- The file
    "fileUrl"          varchar,
    "fileName"         varchar,
    "mimeType"         varchar,
    "fileSize"         integer,
    checksum           varchar,

    -- Versions
    version            varchar,
    "versionNumber"    integer                  DEFAULT 1,
    "parentDocumentId" uuid,

    -- Serialised details
    tags               text,
    metadata           text,
    "approvalHistory"  text,
    "accessControl"    text,

    -- Review
    "effectiveDate"    date,
    "expiryDate"       date,
    "reviewDate"       date,
    "approvedDate"     date,
    "reviewedBy"       varchar,
    "approvedBy"       varchar,

    -- Bookkeeping
    "createdAt"        timestamp                NOT NULL DEFAULT now(),
    "updatedAt"        timestamp                NOT NULL DEFAULT now(),
    "createdBy"        varchar,
    "updatedBy"        varchar,

    CONSTRAINT "PK_2c7e8cfb19b44a269b00b6a4ad1" PRIMARY KEY (id),
    CONSTRAINT "FK_4a3c8cfb19b44a269b00b6a4be7" FOREIGN KEY ("clientId")
        REFERENCES clients (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_4a3c8cfb19b44a269b00b6a4be7" ON client_documents ("clientId");
CREATE INDEX "IDX_a8d7d6e1d3f5463aa1e7f3c9876" ON client_documents (type);
CREATE INDEX "IDX_b9e8f7c2e4d74832bb5f8a2c431" ON client_documents (status);

-- Who did what to which resource. "resourceId" may point at any table or service: no foreign key.
CREATE TABLE audit_trails (
    id                    uuid                NOT NULL DEFAULT uuid_generate_v4(),

    -- What was done
    action                audit_action        NOT NULL,
    "resourceType"        audit_resource_type NOT NULL,
    "resourceId"          uuid                NOT NULL,
    "resourceName"        varchar,

    -- By whom
    "userId"              uuid                NOT NULL,
    "userName"            varchar,
    "userEmail"           varchar,
    "userRole"            varchar,

    -- For whom
    "clientId"            uuid,
    "organizationId"      uuid,
    "organizationName"    varchar,

    -- From where
    "ipAddress"           varchar,
    "userAgent"           varchar,
    "sessionId"           varchar,

    -- Details
    description           varchar,
    changes               jsonb,
    metadata              jsonb,
    "isSystemAction"      boolean             NOT NULL DEFAULT false,
    "isSensitive"         boolean             NOT NULL DEFAULT false,
    "complianceFramework" varchar,
    "controlId"           varchar,
    "riskLevel"           varchar,

    -- When, and until when it is kept
    "timestamp"           timestamptz         NOT NULL DEFAULT now(),
    "expiresAt"           timestamptz,

    CONSTRAINT "PK_0a1f2b3c4d5e6f7890ab1c2d3e4" PRIMARY KEY (id),
    CONSTRAINT "FK_3d4e5f6789ab01c2d3e45678901" FOREIGN KEY ("clientId")
        REFERENCES clients (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_1b2c3d4e5f6789ab01c2d3e4567" ON audit_trails ("resourceType", "resourceId");
CREATE INDEX "IDX_2c3d4e5f67890ab1c2d3e456789" ON audit_trails ("userId");
CREATE INDEX "IDX_3d4e5f6789ab01c2d3e45678901" ON audit_trails ("clientId");
CREATE INDEX "IDX_4e5f67890ab1c2d3e45678901ab" ON audit_trails (action);
CREATE INDEX "IDX_5f67890ab1c2d3e45678901abcd" ON audit_trails ("timestamp");
