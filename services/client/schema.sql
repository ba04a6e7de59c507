CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.audit_action AS ENUM (
    'create',
    'update',
    'delete',
    'view',
    'export',
    'status_change',
    'permission_change',
    'login',
    'logout',
    'contract_signed',
    'contract_terminated',
    'contract_renewed',
    'document_uploaded',
    'document_deleted',
    'audit_started',
    'audit_completed',
    'compliance_status_changed'
);

CREATE TYPE public.audit_resource_type AS ENUM (
    'client',
    'contract',
    'document',
    'user',
    'organization',
    'audit',
    'evidence',
    'policy',
    'control',
    'risk',
    'finding',
    'report'
);

CREATE TYPE public.audit_result AS ENUM (
    'passed',
    'passed_with_conditions',
    'failed',
    'pending'
);

CREATE TYPE public.audit_scope AS ENUM (
    'full',
    'limited',
    'focused'
);

CREATE TYPE public.audit_status AS ENUM (
    'planned',
    'scheduled',
    'in_preparation',
    'in_progress',
    'field_work_complete',
    'pending_report',
    'completed',
    'cancelled'
);

CREATE TYPE public.audit_type AS ENUM (
    'internal',
    'external',
    'readiness',
    'surveillance',
    'recertification'
);

CREATE TYPE public.billing_frequency AS ENUM (
    'one_time',
    'monthly',
    'quarterly',
    'semi_annual',
    'annual',
    'custom'
);

CREATE TYPE public.client_status AS ENUM (
    'active',
    'inactive',
    'pending',
    'suspended',
    'archived'
);

CREATE TYPE public.client_type AS ENUM (
    'direct',
    'partner_referral',
    'managed'
);

CREATE TYPE public.client_user_role AS ENUM (
    'owner',
    'admin',
    'manager',
    'user',
    'viewer',
    'auditor'
);

CREATE TYPE public.client_user_status AS ENUM (
    'active',
    'inactive',
    'pending',
    'suspended'
);

CREATE TYPE public.company_size AS ENUM (
    '1-50',
    '51-200',
    '201-500',
    '501-1000',
    '1000+'
);

CREATE TYPE public.compliance_framework AS ENUM (
    'soc1_type1',
    'soc1_type2',
    'soc2_type1',
    'soc2_type2',
    'iso27001',
    'hipaa',
    'gdpr',
    'pci_dss',
    'nist',
    'fedramp'
);

CREATE TYPE public.compliance_status AS ENUM (
    'not_started',
    'assessment',
    'remediation',
    'implementation',
    'ready_for_audit',
    'under_audit',
    'compliant',
    'non_compliant',
    'expired'
);

CREATE TYPE public.contract_status AS ENUM (
    'draft',
    'sent',
    'negotiation',
    'signed',
    'active',
    'expired',
    'terminated',
    'renewed'
);

CREATE TYPE public.contract_type AS ENUM (
    'msa',
    'sow',
    'nda',
    'subscription',
    'project',
    'retainer',
    'amendment'
);

CREATE TYPE public.document_confidentiality AS ENUM (
    'public',
    'internal',
    'confidential',
    'highly_confidential'
);

CREATE TYPE public.document_status AS ENUM (
    'draft',
    'pending_review',
    'approved',
    'rejected',
    'expired',
    'archived'
);

CREATE TYPE public.document_type AS ENUM (
    'contract',
    'policy',
    'procedure',
    'evidence',
    'report',
    'certificate',
    'audit_report',
    'assessment',
    'other'
);

CREATE TYPE public.industry AS ENUM (
    'technology',
    'healthcare',
    'finance',
    'retail',
    'manufacturing',
    'education',
    'government',
    'nonprofit',
    'other'
);

CREATE TYPE public.line_item_billing_cycle AS ENUM (
    'one_time',
    'monthly',
    'quarterly',
    'semi_annual',
    'annual',
    'usage_based'
);

CREATE TYPE public.line_item_type AS ENUM (
    'service',
    'product',
    'discount',
    'tax',
    'fee',
    'credit'
);

CREATE TYPE public.payment_terms AS ENUM (
    'net_0',
    'net_15',
    'net_30',
    'net_45',
    'net_60',
    'net_90',
    'custom'
);

CREATE TYPE public.risk_level AS ENUM (
    'low',
    'medium',
    'high',
    'critical'
);

CREATE TABLE public.audit_trails (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    action public.audit_action NOT NULL,
    "resourceType" public.audit_resource_type NOT NULL,
    "resourceId" uuid NOT NULL,
    "resourceName" character varying,
    "userId" uuid NOT NULL,
    "userName" character varying,
    "userEmail" character varying,
    "userRole" character varying,
    "clientId" uuid,
    "organizationId" uuid,
    "organizationName" character varying,
    "ipAddress" character varying,
    "userAgent" character varying,
    "sessionId" character varying,
    description character varying,
    changes jsonb,
    metadata jsonb,
    "isSystemAction" boolean DEFAULT false NOT NULL,
    "isSensitive" boolean DEFAULT false NOT NULL,
    "complianceFramework" character varying,
    "controlId" character varying,
    "riskLevel" character varying,
    "timestamp" timestamp with time zone DEFAULT now() NOT NULL,
    "expiresAt" timestamp with time zone
);

CREATE TABLE public.client_audits (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "clientId" uuid NOT NULL,
    name character varying NOT NULL,
    description character varying,
    type public.audit_type NOT NULL,
    status public.audit_status DEFAULT 'planned'::public.audit_status NOT NULL,
    result public.audit_result,
    scope public.audit_scope DEFAULT 'full'::public.audit_scope NOT NULL,
    framework public.compliance_framework NOT NULL,
    "leadAuditorId" character varying,
    "auditFirmId" character varying,
    "auditFirmName" character varying,
    "certificateNumber" character varying,
    "auditTeamIds" text,
    "findingIds" text,
    "documentIds" text,
    "evidenceRequestIds" text,
    "scheduledStartDate" date,
    "scheduledEndDate" date,
    "actualStartDate" date,
    "actualEndDate" date,
    "reportDueDate" date,
    "reportDeliveredDate" date,
    "certificateIssueDate" date,
    "certificateExpiryDate" date,
    "scopeDetails" text,
    findings text,
    timeline text,
    "costBreakdown" text,
    metrics text,
    feedback text,
    metadata text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying
);

CREATE TABLE public.client_documents (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "clientId" uuid NOT NULL,
    name character varying NOT NULL,
    description character varying,
    type public.document_type NOT NULL,
    status public.document_status DEFAULT 'draft'::public.document_status NOT NULL,
    confidentiality public.document_confidentiality DEFAULT 'internal'::public.document_confidentiality NOT NULL,
    "fileUrl" character varying,
    "fileName" character varying,
    "mimeType" character varying,
    "fileSize" integer,
    checksum character varying,
    version character varying,
    "versionNumber" integer DEFAULT 1,
    "parentDocumentId" uuid,
    tags text,
    metadata text,
    "approvalHistory" text,
    "accessControl" text,
    "effectiveDate" date,
    "expiryDate" date,
    "reviewDate" date,
    "approvedDate" date,
    "reviewedBy" character varying,
    "approvedBy" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying
);

CREATE TABLE public.client_users (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "clientId" uuid NOT NULL,
    "userId" character varying NOT NULL,
    role public.client_user_role DEFAULT 'user'::public.client_user_role NOT NULL,
    status public.client_user_status DEFAULT 'active'::public.client_user_status NOT NULL,
    title character varying,
    department character varying,
    "isPrimaryContact" boolean DEFAULT false NOT NULL,
    "isBillingContact" boolean DEFAULT false NOT NULL,
    "isTechnicalContact" boolean DEFAULT false NOT NULL,
    "isSecurityContact" boolean DEFAULT false NOT NULL,
    permissions text,
    preferences text,
    "lastLoginAt" timestamp without time zone,
    "invitedAt" timestamp without time zone,
    "acceptedAt" timestamp without time zone,
    "invitedBy" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying,
    email character varying,
    "firstName" character varying,
    "lastName" character varying,
    phone character varying,
    "invitationToken" character varying,
    "invitationExpiresAt" date,
    "deactivatedAt" date
);

CREATE TABLE public.clients (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    "legalName" character varying,
    slug character varying NOT NULL,
    "clientType" public.client_type DEFAULT 'direct'::public.client_type NOT NULL,
    "organizationId" character varying,
    "parentClientId" uuid,
    logo character varying,
    website character varying,
    description character varying,
    industry public.industry,
    size public.company_size,
    "employeeCount" integer,
    "annualRevenue" numeric(15,2),
    status public.client_status DEFAULT 'pending'::public.client_status NOT NULL,
    "complianceStatus" public.compliance_status DEFAULT 'not_started'::public.compliance_status NOT NULL,
    "targetFrameworks" text,
    "riskLevel" public.risk_level DEFAULT 'medium'::public.risk_level NOT NULL,
    "complianceScore" numeric(3,2) DEFAULT '0'::numeric,
    "contactInfo" text,
    address text,
    "billingInfo" text,
    "partnerId" character varying,
    "partnerReferralDate" date,
    "salesRepId" character varying,
    "accountManagerId" character varying,
    "technicalLeadId" character varying,
    "onboardingStartDate" date,
    "onboardingCompleteDate" date,
    "firstAuditDate" date,
    "lastAuditDate" date,
    "nextAuditDate" date,
    "certificateExpiryDate" date,
    "auditHistory" text,
    integrations text,
    settings text,
    metadata text,
    tags text,
    "isDeleted" boolean DEFAULT false NOT NULL,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying,
    "deletedAt" timestamp without time zone,
    "deletedBy" character varying
);

CREATE TABLE public.contract_line_items (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "contractId" uuid NOT NULL,
    type public.line_item_type DEFAULT 'service'::public.line_item_type NOT NULL,
    name character varying NOT NULL,
    description character varying,
    sku character varying,
    quantity numeric(10,2) DEFAULT '1'::numeric NOT NULL,
    "unitPrice" numeric(12,2) DEFAULT '0'::numeric NOT NULL,
    "totalPrice" numeric(12,2) DEFAULT '0'::numeric NOT NULL,
    "unitOfMeasure" character varying DEFAULT 'unit'::character varying,
    "billingCycle" public.line_item_billing_cycle DEFAULT 'monthly'::public.line_item_billing_cycle NOT NULL,
    "isRecurring" boolean DEFAULT false NOT NULL,
    "startDate" date,
    "endDate" date,
    "taxRate" numeric(5,2) DEFAULT '0'::numeric,
    "taxAmount" numeric(12,2) DEFAULT '0'::numeric,
    "isTaxable" boolean DEFAULT true NOT NULL,
    "discountPercentage" numeric(5,2) DEFAULT '0'::numeric,
    "discountAmount" numeric(12,2) DEFAULT '0'::numeric,
    "discountReason" character varying,
    "sortOrder" integer DEFAULT 0,
    tags text,
    metadata text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying
);

CREATE TABLE public.contracts (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "contractNumber" character varying NOT NULL,
    "clientId" uuid NOT NULL,
    "parentContractId" uuid,
    title character varying NOT NULL,
    description character varying,
    type public.contract_type DEFAULT 'sow'::public.contract_type NOT NULL,
    status public.contract_status DEFAULT 'draft'::public.contract_status NOT NULL,
    currency character varying DEFAULT 'USD'::character varying NOT NULL,
    "totalValue" numeric(12,2) DEFAULT '0'::numeric,
    "monthlyValue" numeric(12,2) DEFAULT '0'::numeric,
    "billingFrequency" public.billing_frequency DEFAULT 'monthly'::public.billing_frequency NOT NULL,
    "paymentTerms" public.payment_terms DEFAULT 'net_30'::public.payment_terms NOT NULL,
    "customPaymentTerms" character varying,
    "startDate" date,
    "endDate" date,
    "signedDate" date,
    "autoRenew" boolean DEFAULT false NOT NULL,
    "renewalNoticePeriod" integer DEFAULT 90,
    "terminationNoticePeriod" integer DEFAULT 30,
    "signedBy" character varying,
    "clientSignatory" character varying,
    "clientSignatoryTitle" character varying,
    "clientSignatoryEmail" character varying,
    "mspSignatory" character varying,
    "mspSignatoryTitle" character varying,
    "documentUrl" character varying,
    "signedDocumentUrl" character varying,
    "attachmentUrls" text,
    services text,
    deliverables text,
    pricing text,
    sla text,
    terms text,
    "renewalHistory" text,
    metadata text,
    notes text,
    tags text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "createdBy" character varying,
    "updatedBy" character varying
);

ALTER TABLE ONLY public.audit_trails
    ADD CONSTRAINT "PK_0a1f2b3c4d5e6f7890ab1c2d3e4" PRIMARY KEY (id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "PK_2c7b8f3a7b1acdd49497d83d0fb" PRIMARY KEY (id);

ALTER TABLE ONLY public.client_documents
    ADD CONSTRAINT "PK_2c7e8cfb19b44a269b00b6a4ad1" PRIMARY KEY (id);

ALTER TABLE ONLY public.client_audits
    ADD CONSTRAINT "PK_3f9d8b5e19c44e269c00c7b5ae2" PRIMARY KEY (id);

ALTER TABLE ONLY public.client_users
    ADD CONSTRAINT "PK_445d27cfebdb37ff8fd89a68b67" PRIMARY KEY (id);

ALTER TABLE ONLY public.contract_line_items
    ADD CONSTRAINT "PK_7d8f9a5b3c2e4567890ab1c2d3e" PRIMARY KEY (id);

ALTER TABLE ONLY public.clients
    ADD CONSTRAINT "PK_f1cd1a279e3e338feb7d47eaabc" PRIMARY KEY (id);

ALTER TABLE ONLY public.clients
    ADD CONSTRAINT "UQ_ad0c1c446ac158de654e8820221" UNIQUE (slug);

ALTER TABLE ONLY public.client_users
    ADD CONSTRAINT "UQ_client_user" UNIQUE ("clientId", "userId");

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "UQ_f7c91e57a5f344e18b93f97ed54" UNIQUE ("contractNumber");

CREATE INDEX "IDX_0a7eb01e21b1bfd0797ec1db50a" ON public.clients USING btree ("organizationId");

CREATE INDEX "IDX_1a2b3c4d5e6f7890ab1c2d3e456" ON public.contracts USING btree ("startDate");

CREATE INDEX "IDX_1b2c3d4e5f6789ab01c2d3e4567" ON public.audit_trails USING btree ("resourceType", "resourceId");

CREATE INDEX "IDX_2b3c4d5e6f7890ab1c2d3e45678" ON public.contracts USING btree ("endDate");

CREATE INDEX "IDX_2c3d4e5f67890ab1c2d3e456789" ON public.audit_trails USING btree ("userId");

CREATE INDEX "IDX_3d4e5f6789ab01c2d3e45678901" ON public.audit_trails USING btree ("clientId");

CREATE INDEX "IDX_4a3c8cfb19b44a269b00b6a4be7" ON public.client_documents USING btree ("clientId");

CREATE INDEX "IDX_4e5f67890ab1c2d3e45678901ab" ON public.audit_trails USING btree (action);

CREATE INDEX "IDX_54bb80ce854029cdc1ca9b7c6c5" ON public.clients USING btree ("complianceStatus");

CREATE INDEX "IDX_5f67890ab1c2d3e45678901abcd" ON public.audit_trails USING btree ("timestamp");

CREATE INDEX "IDX_6a4e9cfb19b44a269b00b6a5cd3" ON public.client_audits USING btree ("clientId");

CREATE INDEX "IDX_6c68f25bb5f1e8c58c89f59cf38" ON public.client_users USING btree (status);

CREATE INDEX "IDX_8b7f9d1e2c3e4567ab1d2e4f789" ON public.client_audits USING btree (status);

CREATE INDEX "IDX_9c8fa2b3d4e5678bc2e3f5a890" ON public.client_audits USING btree (framework);

CREATE INDEX "IDX_9e8f7a5b3c2d4567890ab1c2d3f" ON public.contract_line_items USING btree ("contractId");

CREATE INDEX "IDX_a8d7d6e1d3f5463aa1e7f3c9876" ON public.client_documents USING btree (type);

CREATE UNIQUE INDEX "IDX_ad0c1c446ac158de654e8820221" ON public.clients USING btree (slug);

CREATE INDEX "IDX_ad9eb3c5e6f7890cd3f4a5b9012" ON public.client_audits USING btree ("scheduledStartDate");

CREATE INDEX "IDX_b9e8f7c2e4d74832bb5f8a2c431" ON public.client_documents USING btree (status);

CREATE INDEX "IDX_d3c91e4b2e3f48359c7b8000e12" ON public.contracts USING btree ("clientId");

CREATE INDEX "IDX_e2e4dc395e772074fb2fb64b8e6" ON public.client_users USING btree ("clientId");

CREATE INDEX "IDX_e4f73a5b3c2d45678a9b1d3e456" ON public.contracts USING btree (status);

CREATE INDEX "IDX_f0c67c77c5e638e147c67ed2b84" ON public.client_users USING btree ("userId");

CREATE INDEX "IDX_f5cf96d22cbc89ee6f67f7e3e8a" ON public.clients USING btree (status);

CREATE UNIQUE INDEX "IDX_f7c91e57a5f344e18b93f97ed54" ON public.contracts USING btree ("contractNumber");

ALTER TABLE ONLY public.audit_trails
    ADD CONSTRAINT "FK_3d4e5f6789ab01c2d3e45678901" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_documents
    ADD CONSTRAINT "FK_4a3c8cfb19b44a269b00b6a4be7" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_audits
    ADD CONSTRAINT "FK_6a4e9cfb19b44a269b00b6a5cd3" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "FK_8e9f7a5b3c2d45678901ab1c2d3" FOREIGN KEY ("parentContractId") REFERENCES public.contracts(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.contract_line_items
    ADD CONSTRAINT "FK_9e8f7a5b3c2d4567890ab1c2d3f" FOREIGN KEY ("contractId") REFERENCES public.contracts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.clients
    ADD CONSTRAINT "FK_c47fe86b09ef5bb993680471802" FOREIGN KEY ("parentClientId") REFERENCES public.clients(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "FK_d3c91e4b2e3f48359c7b8000e12" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_users
    ADD CONSTRAINT "FK_e2e4dc395e772074fb2fb64b8e6" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;
