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

CREATE TYPE public.contract_line_items_billingcycle_enum AS ENUM (
    'one_time',
    'monthly',
    'quarterly',
    'semi_annual',
    'annual',
    'usage_based'
);

CREATE TYPE public.contract_line_items_type_enum AS ENUM (
    'service',
    'product',
    'discount',
    'tax',
    'fee',
    'credit'
);

CREATE TYPE public.contracts_billingfrequency_enum AS ENUM (
    'one_time',
    'monthly',
    'quarterly',
    'semi_annual',
    'annual',
    'custom'
);

CREATE TYPE public.contracts_paymentterms_enum AS ENUM (
    'net_0',
    'net_15',
    'net_30',
    'net_45',
    'net_60',
    'net_90',
    'custom'
);

CREATE TYPE public.contracts_status_enum AS ENUM (
    'draft',
    'sent',
    'negotiation',
    'signed',
    'active',
    'expired',
    'terminated',
    'renewed'
);

CREATE TYPE public.contracts_type_enum AS ENUM (
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
    "userName" character varying NOT NULL,
    "userEmail" character varying,
    "userRole" character varying,
    "clientId" uuid,
    "organizationId" uuid,
    "organizationName" character varying,
    "ipAddress" character varying,
    "userAgent" character varying,
    "sessionId" character varying,
    description text,
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
    "scheduledStartDate" date NOT NULL,
    "scheduledEndDate" date NOT NULL,
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
    "fileUrl" character varying NOT NULL,
    "fileName" character varying,
    "mimeType" character varying,
    "fileSize" integer,
    checksum character varying,
    version character varying,
    "versionNumber" integer DEFAULT 1 NOT NULL,
    "parentDocumentId" character varying,
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
    "lastLoginAt" date,
    "invitedAt" date,
    "acceptedAt" date,
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
    "annualRevenue" character varying,
    status public.client_status DEFAULT 'pending'::public.client_status NOT NULL,
    "complianceStatus" public.compliance_status DEFAULT 'not_started'::public.compliance_status NOT NULL,
    "targetFrameworks" text,
    "riskLevel" public.risk_level DEFAULT 'medium'::public.risk_level NOT NULL,
    "complianceScore" numeric(3,2) DEFAULT '0'::numeric NOT NULL,
    "contactInfo" text,
    address text,
    "billingInfo" text,
    "partnerId" character varying,
    "partnerReferralDate" timestamp without time zone,
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
    type public.contract_line_items_type_enum DEFAULT 'service'::public.contract_line_items_type_enum NOT NULL,
    name character varying NOT NULL,
    description character varying,
    sku character varying,
    quantity numeric(10,2) DEFAULT '1'::numeric NOT NULL,
    "unitPrice" numeric(12,2) NOT NULL,
    "totalPrice" numeric(12,2) NOT NULL,
    "unitOfMeasure" character varying DEFAULT 'units'::character varying NOT NULL,
    "billingCycle" public.contract_line_items_billingcycle_enum DEFAULT 'monthly'::public.contract_line_items_billingcycle_enum NOT NULL,
    "isRecurring" boolean DEFAULT true NOT NULL,
    "startDate" date,
    "endDate" date,
    "taxRate" numeric(5,2),
    "taxAmount" numeric(12,2),
    "isTaxable" boolean DEFAULT true NOT NULL,
    "discountPercentage" numeric(5,2),
    "discountAmount" numeric(12,2),
    "discountReason" character varying,
    "sortOrder" integer DEFAULT 0 NOT NULL,
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
    type public.contracts_type_enum NOT NULL,
    status public.contracts_status_enum DEFAULT 'draft'::public.contracts_status_enum NOT NULL,
    currency character varying DEFAULT 'USD'::character varying NOT NULL,
    "totalValue" numeric(12,2) NOT NULL,
    "monthlyValue" numeric(12,2) DEFAULT '0'::numeric NOT NULL,
    "billingFrequency" public.contracts_billingfrequency_enum DEFAULT 'monthly'::public.contracts_billingfrequency_enum NOT NULL,
    "paymentTerms" public.contracts_paymentterms_enum DEFAULT 'net_30'::public.contracts_paymentterms_enum NOT NULL,
    "customPaymentTerms" character varying,
    "startDate" date NOT NULL,
    "endDate" date NOT NULL,
    "signedDate" date,
    "autoRenew" boolean DEFAULT false NOT NULL,
    "renewalNoticePeriod" integer,
    "terminationNoticePeriod" integer,
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
    notes character varying,
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

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "UQ_f7c91e57a5f344e18b93f97ed54" UNIQUE ("contractNumber");

CREATE INDEX "IDX_19d7175743a4aa8910845d4d3e" ON public.contract_line_items USING btree ("contractId");

CREATE INDEX "IDX_209cc6bcf244f05c2620afe8d5" ON public.client_audits USING btree (framework);

CREATE INDEX "IDX_25deab70a449af0386535f617b" ON public.client_documents USING btree ("clientId");

CREATE INDEX "IDX_29560e66c5741a2625488b8faf" ON public.client_documents USING btree (type);

CREATE INDEX "IDX_3cd05fd13c044ffd22f5bf2ec1" ON public.client_users USING btree ("clientId");

CREATE INDEX "IDX_43d5e8e713e719ef4e8d352198" ON public.audit_trails USING btree (action);

CREATE INDEX "IDX_55ec00129278196a50b04c38f1" ON public.client_audits USING btree (status);

CREATE INDEX "IDX_581774c8c3fbc2d9853b1bdabe" ON public.audit_trails USING btree ("timestamp");

CREATE INDEX "IDX_5b27ec57ce8bb103e25d388ebd" ON public.client_users USING btree (status);

CREATE INDEX "IDX_62a5163bebb9d95e503b01c0fb" ON public.contracts USING btree ("clientId");

CREATE INDEX "IDX_76dfe30570bcaf7e461aa4c8ae" ON public.audit_trails USING btree ("resourceType", "resourceId");

CREATE INDEX "IDX_78fd0b9f9cbfc7869ca4d9f5e3" ON public.contracts USING btree (status);

CREATE INDEX "IDX_7aeb7b91e442482a67f369b3b0" ON public.contracts USING btree ("startDate");

CREATE INDEX "IDX_8468e296bc86338b10e1db1a77" ON public.clients USING btree (status);

CREATE INDEX "IDX_8d3cec4a5221398155c784ff78" ON public.clients USING btree ("organizationId");

CREATE INDEX "IDX_9ec6461063aa4ba283afb928ac" ON public.contracts USING btree ("endDate");

CREATE INDEX "IDX_ac0f324441f362df0882f552bd" ON public.client_audits USING btree ("clientId");

CREATE INDEX "IDX_b23a2d14bcb0fdc3a746d4550a" ON public.audit_trails USING btree ("clientId");

CREATE INDEX "IDX_c75f9501856f4747a8069edab7" ON public.audit_trails USING btree ("userId");

CREATE UNIQUE INDEX "IDX_cbb0ef7805f14d44e10573df13" ON public.client_users USING btree ("clientId", "userId");

CREATE INDEX "IDX_clients_parentClientId" ON public.clients USING btree ("parentClientId");

CREATE INDEX "IDX_contracts_parentContractId" ON public.contracts USING btree ("parentContractId");

CREATE INDEX "IDX_d51f0c13ed457cabc2075a9bd7" ON public.client_users USING btree ("userId");

CREATE INDEX "IDX_d7c8696627e6ba54e00175960a" ON public.client_audits USING btree ("scheduledStartDate");

CREATE INDEX "IDX_f1f90e5e873f6da2e82179065b" ON public.client_documents USING btree (status);

CREATE INDEX "IDX_f89fc8680995cadfd06064e902" ON public.clients USING btree ("complianceStatus");

ALTER TABLE ONLY public.contract_line_items
    ADD CONSTRAINT "FK_19d7175743a4aa8910845d4d3ea" FOREIGN KEY ("contractId") REFERENCES public.contracts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_documents
    ADD CONSTRAINT "FK_25deab70a449af0386535f617bd" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_users
    ADD CONSTRAINT "FK_3cd05fd13c044ffd22f5bf2ec1a" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "FK_62a5163bebb9d95e503b01c0fb0" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.client_audits
    ADD CONSTRAINT "FK_ac0f324441f362df0882f552bdc" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_trails
    ADD CONSTRAINT "FK_b23a2d14bcb0fdc3a746d4550a2" FOREIGN KEY ("clientId") REFERENCES public.clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.clients
    ADD CONSTRAINT "FK_f5bc6b15b0b5eb05338b9f82919" FOREIGN KEY ("parentClientId") REFERENCES public.clients(id);

ALTER TABLE ONLY public.contracts
    ADD CONSTRAINT "FK_faa829094a2e8592055be5b435e" FOREIGN KEY ("parentContractId") REFERENCES public.contracts(id);
