CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.api_keys_status_enum AS ENUM (
    'active',
    'revoked',
    'expired'
);

CREATE TYPE public.audit_logs_action_enum AS ENUM (
    'login_success',
    'login_failed',
    'logout',
    'password_reset_request',
    'password_reset_success',
    'password_changed',
    'mfa_enabled',
    'mfa_disabled',
    'mfa_verified',
    'mfa_failed',
    'user_created',
    'user_updated',
    'user_deleted',
    'user_suspended',
    'user_activated',
    'user_invited',
    'role_assigned',
    'role_removed',
    'role_created',
    'role_updated',
    'role_deleted',
    'organization_created',
    'organization_updated',
    'organization_deleted',
    'suspicious_activity',
    'account_locked',
    'account_unlocked',
    'ip_blocked',
    'session_expired',
    'token_refresh',
    'token_revoke',
    'token_revoke_all'
);

CREATE TYPE public.login_events_eventtype_enum AS ENUM (
    'success',
    'failed',
    'blocked',
    'mfa_required',
    'mfa_failed'
);

CREATE TYPE public.login_events_risklevel_enum AS ENUM (
    'low',
    'medium',
    'high',
    'critical'
);

CREATE TYPE public.organizations_status_enum AS ENUM (
    'active',
    'inactive',
    'suspended',
    'trial'
);

CREATE TYPE public.organizations_type_enum AS ENUM (
    'msp',
    'client',
    'partner'
);

CREATE TYPE public.roles_type_enum AS ENUM (
    'system',
    'custom'
);

CREATE TYPE public.sso_providers_status_enum AS ENUM (
    'active',
    'inactive',
    'pending'
);

CREATE TYPE public.sso_providers_type_enum AS ENUM (
    'saml',
    'oidc',
    'oauth2'
);

CREATE TYPE public.users_status_enum AS ENUM (
    'active',
    'inactive',
    'pending',
    'suspended'
);

CREATE TYPE public.users_usertype_enum AS ENUM (
    'internal',
    'client',
    'partner',
    'auditor'
);

CREATE TABLE public.api_key_usage (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "apiKeyId" uuid NOT NULL,
    endpoint character varying NOT NULL,
    method character varying NOT NULL,
    "statusCode" integer NOT NULL,
    "responseTime" bigint NOT NULL,
    "requestSize" bigint,
    "responseSize" bigint,
    "ipAddress" character varying NOT NULL,
    "userAgent" character varying,
    headers text,
    "queryParams" text,
    "errorMessage" character varying,
    "errorCode" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.api_keys (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    description character varying,
    key character varying NOT NULL,
    "keyHash" character varying NOT NULL,
    status public.api_keys_status_enum DEFAULT 'active'::public.api_keys_status_enum NOT NULL,
    scopes text DEFAULT 'read'::text NOT NULL,
    permissions text,
    "ipWhitelist" text,
    metadata text,
    "lastUsedAt" timestamp without time zone,
    "lastUsedIp" character varying,
    "usageCount" integer DEFAULT 0 NOT NULL,
    "rateLimit" integer,
    "rateLimitWindow" integer,
    "expiresAt" timestamp without time zone,
    "userId" uuid,
    "organizationId" uuid,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "revokedAt" timestamp without time zone,
    "revokedBy" character varying,
    "revokedReason" character varying
);

CREATE TABLE public.audit_logs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid,
    action public.audit_logs_action_enum NOT NULL,
    "targetResourceType" character varying,
    "targetResourceId" character varying,
    metadata text,
    "ipAddress" character varying,
    "userAgent" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "organizationId" character varying,
    "targetUserId" character varying,
    "sessionId" character varying,
    location text,
    status character varying DEFAULT 'success'::character varying NOT NULL,
    "errorMessage" character varying
);

CREATE TABLE public.login_events (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid,
    email character varying NOT NULL,
    "eventType" public.login_events_eventtype_enum NOT NULL,
    "ipAddress" character varying,
    "userAgent" character varying,
    "deviceFingerprint" character varying,
    "deviceInfo" jsonb,
    location jsonb,
    "riskLevel" public.login_events_risklevel_enum DEFAULT 'low'::public.login_events_risklevel_enum NOT NULL,
    "riskScore" double precision DEFAULT '0'::double precision NOT NULL,
    anomalies jsonb,
    "behaviorMetrics" jsonb,
    "sessionId" character varying,
    "failureReason" text,
    metadata jsonb,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.organizations (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    "legalName" character varying,
    type public.organizations_type_enum DEFAULT 'client'::public.organizations_type_enum NOT NULL,
    status public.organizations_status_enum DEFAULT 'active'::public.organizations_status_enum NOT NULL,
    logo character varying,
    website character varying,
    industry character varying,
    size character varying,
    address text,
    "primaryContactId" uuid,
    "parentOrganizationId" uuid,
    settings text,
    billing text,
    metadata text,
    "passwordPolicy" text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "deletedAt" timestamp without time zone
);

CREATE TABLE public.permissions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    resource character varying NOT NULL,
    action character varying NOT NULL,
    "displayName" character varying NOT NULL,
    description character varying,
    category character varying,
    actions text NOT NULL,
    conditions text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.refresh_tokens (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    token text NOT NULL,
    "userId" uuid NOT NULL,
    family character varying(255),
    "sessionId" character varying,
    metadata jsonb,
    "issuedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "expiresAt" timestamp without time zone NOT NULL,
    "lastUsedAt" timestamp without time zone,
    "isRevoked" boolean DEFAULT false NOT NULL,
    "revokedAt" timestamp without time zone,
    "revokedReason" character varying(255),
    "replacedByToken" character varying(255)
);

CREATE TABLE public.role_permissions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "roleId" uuid NOT NULL,
    "permissionId" uuid NOT NULL,
    conditions text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.roles (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    "displayName" character varying NOT NULL,
    description character varying,
    type public.roles_type_enum DEFAULT 'custom'::public.roles_type_enum NOT NULL,
    "isActive" boolean DEFAULT true NOT NULL,
    "organizationId" uuid,
    metadata text,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sessions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid NOT NULL,
    token character varying NOT NULL,
    "refreshToken" character varying NOT NULL,
    "expiresAt" timestamp without time zone NOT NULL,
    "ipAddress" character varying,
    "userAgent" text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.sso_providers (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    name character varying NOT NULL,
    type public.sso_providers_type_enum NOT NULL,
    status public.sso_providers_status_enum DEFAULT 'pending'::public.sso_providers_status_enum NOT NULL,
    description character varying,
    configuration text NOT NULL,
    "attributeMapping" text,
    metadata text,
    "organizationId" uuid,
    "allowJitProvisioning" boolean DEFAULT true NOT NULL,
    "enforceEncryption" boolean DEFAULT false NOT NULL,
    "lastSyncAt" timestamp without time zone,
    "lastErrorAt" timestamp without time zone,
    "lastErrorMessage" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    "deletedAt" timestamp without time zone
);

CREATE TABLE public.sso_sessions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid NOT NULL,
    "ssoProviderId" uuid NOT NULL,
    "sessionIndex" character varying NOT NULL,
    "nameId" character varying,
    "nameIdFormat" character varying,
    attributes text,
    "samlResponse" text,
    "accessToken" text,
    "refreshToken" text,
    "idToken" text,
    "expiresAt" timestamp without time zone NOT NULL,
    "lastActivityAt" timestamp without time zone,
    "ipAddress" character varying,
    "userAgent" character varying,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.user_roles (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid NOT NULL,
    "roleId" uuid NOT NULL,
    "grantedBy" character varying,
    "expiresAt" timestamp without time zone,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.user_sessions (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    user_id uuid NOT NULL,
    session_token character varying NOT NULL,
    ip_address character varying,
    user_agent character varying,
    device_fingerprint character varying,
    device_name character varying,
    device_type character varying,
    device_os character varying,
    device_browser character varying,
    is_active boolean DEFAULT true NOT NULL,
    last_activity_at timestamp without time zone NOT NULL,
    expires_at timestamp without time zone NOT NULL,
    metadata jsonb,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    updated_at timestamp without time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.users (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    email character varying NOT NULL,
    password character varying NOT NULL,
    "firstName" character varying NOT NULL,
    "lastName" character varying NOT NULL,
    roles text,
    "organizationId" uuid,
    "isActive" boolean DEFAULT true NOT NULL,
    "mfaEnabled" boolean DEFAULT false NOT NULL,
    "mfaSecret" character varying,
    "emailVerified" boolean DEFAULT false NOT NULL,
    "resetPasswordToken" character varying,
    "resetPasswordExpires" timestamp without time zone,
    "lastLoginAt" timestamp without time zone,
    "createdAt" timestamp without time zone DEFAULT now() NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT now() NOT NULL,
    phone character varying,
    title character varying,
    status public.users_status_enum DEFAULT 'pending'::public.users_status_enum NOT NULL,
    "userType" public.users_usertype_enum DEFAULT 'client'::public.users_usertype_enum NOT NULL,
    "profilePicture" character varying,
    "emailVerifiedAt" timestamp without time zone,
    "mfaBackupCodes" text,
    permissions text,
    "previousPasswords" text,
    "lastLoginIp" character varying,
    "failedLoginAttempts" integer DEFAULT 0 NOT NULL,
    "lockedUntil" timestamp without time zone,
    preferences text,
    "passwordChangedAt" timestamp without time zone,
    "deletedAt" timestamp without time zone,
    "disabledAt" timestamp without time zone
);

ALTER TABLE ONLY public.audit_logs
    ADD CONSTRAINT "PK_1bb179d048bbc581caa3b013439" PRIMARY KEY (id);

ALTER TABLE ONLY public.api_key_usage
    ADD CONSTRAINT "PK_1dfaaf6fd004e3fe39e513b58f2" PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "PK_3238ef96f18b355b671619111bc" PRIMARY KEY (id);

ALTER TABLE ONLY public.sso_providers
    ADD CONSTRAINT "PK_348feeee9ed68f9161a2f5ffeb0" PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT "PK_5c8a79801b44bd27b79228e1dad" PRIMARY KEY (id);

ALTER TABLE ONLY public.login_events
    ADD CONSTRAINT "PK_5cd6102474db62bc181590b9902" PRIMARY KEY (id);

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT "PK_6b031fcd0863e3f6b44230163f9" PRIMARY KEY (id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT "PK_7d8bee0204106019488c4c50ffa" PRIMARY KEY (id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT "PK_84059017c90bfcb701b8fa42297" PRIMARY KEY (id);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT "PK_8acd5cf26ebd158416f477de799" PRIMARY KEY (id);

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT "PK_920331560282b8bd21bb02290df" PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT "PK_a3ffb1c0c8416b9fc6f907b7433" PRIMARY KEY (id);

ALTER TABLE ONLY public.sso_sessions
    ADD CONSTRAINT "PK_a5483deb1e52bf7d168eb94494f" PRIMARY KEY (id);

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT "PK_c1433d71a4838793a49dcad46ab" PRIMARY KEY (id);

ALTER TABLE ONLY public.user_sessions
    ADD CONSTRAINT "PK_e93e031a5fed190d4789b6bfd83" PRIMARY KEY (id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT "UQ_4542dd2f38a61354a040ba9fd57" UNIQUE (token);

ALTER TABLE ONLY public.sso_sessions
    ADD CONSTRAINT "UQ_8cfa60e2935f4b4f35eaa09606c" UNIQUE ("sessionIndex");

ALTER TABLE ONLY public.users
    ADD CONSTRAINT "UQ_97672ac88f789774dd47f7c8be3" UNIQUE (email);

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT "UQ_9b7ca6d30b94fef571cff876884" UNIQUE (name);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "UQ_b443618a8149644123d48eceed4" UNIQUE ("refreshToken");

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT "UQ_e42cf55faeafdcce01a82d24849" UNIQUE (key);

ALTER TABLE ONLY public.user_sessions
    ADD CONSTRAINT "UQ_e5eb7a3c7766f941fe16b9edecb" UNIQUE (session_token);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "UQ_e9f62f5dcb8a54b84234c9e7a06" UNIQUE (token);

CREATE INDEX "IDX_1888b4544f52d274e98f6f1aa6" ON public.api_keys USING btree ("organizationId");

CREATE INDEX "IDX_25fafc98bbe3b6de4544745fec" ON public.api_key_usage USING btree ("apiKeyId", "createdAt");

CREATE INDEX "IDX_2c6e259a9af837c1a7090bdda1" ON public.user_sessions USING btree (user_id, is_active);

CREATE INDEX "IDX_2d031e6155834882f54dcd6b4f" ON public.audit_logs USING btree ("organizationId");

CREATE INDEX "IDX_2e56273458d16b989cd64db7d4" ON public.sso_providers USING btree (type, "organizationId");

CREATE INDEX "IDX_3676155292d72c67cd4e090514" ON public.users USING btree (status);

CREATE INDEX "IDX_4b6f3a5c15ceeeb59557570b5e" ON public.sso_sessions USING btree ("ssoProviderId");

CREATE INDEX "IDX_57ddc3869cffd9300c18b43eed" ON public.login_events USING btree ("ipAddress", "createdAt");

CREATE INDEX "IDX_5a8e0c18328a68facab7f01132" ON public.organizations USING btree (type);

CREATE INDEX "IDX_5c0b0ba18119311201c4100404" ON public.api_keys USING btree ("expiresAt");

CREATE INDEX "IDX_6c2e267ae764a9413b863a2934" ON public.api_keys USING btree ("userId");

CREATE UNIQUE INDEX "IDX_7331684c0c5b063803a425001a" ON public.permissions USING btree (resource, action);

CREATE INDEX "IDX_86fe9670857ca54e2d6e0ba63c" ON public.api_key_usage USING btree ("statusCode");

CREATE INDEX "IDX_882915c1e26dc83d2300e18d90" ON public.api_key_usage USING btree ("createdAt");

CREATE UNIQUE INDEX "IDX_88481b0c4ed9ada47e9fdd6747" ON public.user_roles USING btree ("userId", "roleId");

CREATE INDEX "IDX_8ddc86298ac7fadad468b28d83" ON public.audit_logs USING btree ("ipAddress");

CREATE INDEX "IDX_968936751ab847471635be8dc0" ON public.refresh_tokens USING btree (family);

CREATE INDEX "IDX_SESSION_USER" ON public.sessions USING btree ("userId");

CREATE INDEX "IDX_a9de3e93ea27707e8c7b7c77d3" ON public.api_key_usage USING btree (endpoint);

CREATE INDEX "IDX_aa8be3a5ec6ce1f74d63c87ed3" ON public.sso_providers USING btree (status);

CREATE INDEX "IDX_afcbb1ea9e59a81070303f9e4e" ON public.sso_providers USING btree ("organizationId");

CREATE INDEX "IDX_ba04fa6153ba4d4c4629e78908" ON public.sso_sessions USING btree ("expiresAt");

CREATE INDEX "IDX_c69efb19bf127c97e6740ad530" ON public.audit_logs USING btree ("createdAt");

CREATE INDEX "IDX_cee5459245f652b75eb2759b4c" ON public.audit_logs USING btree (action);

CREATE INDEX "IDX_cfa83f61e4d27a87fcae1e025a" ON public.audit_logs USING btree ("userId");

CREATE INDEX "IDX_d243fa737f206a31ff6e342ef5" ON public.api_keys USING btree (status);

CREATE UNIQUE INDEX "IDX_d27a5e69fb41256abed347a85e" ON public.roles USING btree (name, "organizationId");

CREATE UNIQUE INDEX "IDX_d430a02aad006d8a70f3acd7d0" ON public.role_permissions USING btree ("roleId", "permissionId");

CREATE INDEX "IDX_d7a8fc91526033366e2bb0c574" ON public.login_events USING btree ("deviceFingerprint", "createdAt");

CREATE INDEX "IDX_dbc81ff542b1b3366bae195f2a" ON public.user_sessions USING btree (expires_at);

CREATE INDEX "IDX_e4f8570802616d7a9e71f4ca45" ON public.sso_sessions USING btree ("userId");

CREATE INDEX "IDX_e94e3aaed1fbfa905394ccb667" ON public.login_events USING btree ("userId", "createdAt");

CREATE INDEX "IDX_ec511b89bba27b211e32a2a12f" ON public.refresh_tokens USING btree ("userId", "expiresAt");

CREATE INDEX "IDX_f3770f157bd77d83ab022e92fc" ON public.organizations USING btree (status);

CREATE INDEX "IDX_f3d6aea8fcca58182b2e80ce97" ON public.users USING btree ("organizationId");

CREATE INDEX "IDX_ff503f858b61860b2b7d7a55ce" ON public.roles USING btree (type);

CREATE INDEX "IDX_organizations_parentOrganizationId" ON public.organizations USING btree ("parentOrganizationId");

CREATE INDEX "IDX_organizations_primaryContactId" ON public.organizations USING btree ("primaryContactId");

CREATE INDEX "IDX_role_permissions_permissionId" ON public.role_permissions USING btree ("permissionId");

CREATE INDEX "IDX_roles_organizationId" ON public.roles USING btree ("organizationId");

CREATE INDEX "IDX_user_roles_roleId" ON public.user_roles USING btree ("roleId");

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT "FK_06792d0c62ce6b0203c03643cdd" FOREIGN KEY ("permissionId") REFERENCES public.permissions(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.roles
    ADD CONSTRAINT "FK_0933e1dfb2993d672af1a98f08e" FOREIGN KEY ("organizationId") REFERENCES public.organizations(id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT "FK_1888b4544f52d274e98f6f1aa62" FOREIGN KEY ("organizationId") REFERENCES public.organizations(id);

ALTER TABLE ONLY public.login_events
    ADD CONSTRAINT "FK_1fd154de0075f094be611bed079" FOREIGN KEY ("userId") REFERENCES public.users(id);

ALTER TABLE ONLY public.api_key_usage
    ADD CONSTRAINT "FK_3054073b0eabdb930d9a79c9f91" FOREIGN KEY ("apiKeyId") REFERENCES public.api_keys(id);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT "FK_472b25323af01488f1f66a06b67" FOREIGN KEY ("userId") REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.sso_sessions
    ADD CONSTRAINT "FK_4b6f3a5c15ceeeb59557570b5ea" FOREIGN KEY ("ssoProviderId") REFERENCES public.sso_providers(id);

ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT "FK_610102b60fea1455310ccd299de" FOREIGN KEY ("userId") REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT "FK_6c2e267ae764a9413b863a29342" FOREIGN KEY ("userId") REFERENCES public.users(id);

ALTER TABLE ONLY public.user_roles
    ADD CONSTRAINT "FK_86033897c009fcca8b6505d6be2" FOREIGN KEY ("roleId") REFERENCES public.roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT "FK_9e94780c81039e7b402914c60e1" FOREIGN KEY ("primaryContactId") REFERENCES public.users(id);

ALTER TABLE ONLY public.sso_providers
    ADD CONSTRAINT "FK_afcbb1ea9e59a81070303f9e4ef" FOREIGN KEY ("organizationId") REFERENCES public.organizations(id);

ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT "FK_b4599f8b8f548d35850afa2d12c" FOREIGN KEY ("roleId") REFERENCES public.roles(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.audit_logs
    ADD CONSTRAINT "FK_cfa83f61e4d27a87fcae1e025ab" FOREIGN KEY ("userId") REFERENCES public.users(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.sso_sessions
    ADD CONSTRAINT "FK_e4f8570802616d7a9e71f4ca453" FOREIGN KEY ("userId") REFERENCES public.users(id);

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT "FK_e909a37947292f24c82044f5c7b" FOREIGN KEY ("parentOrganizationId") REFERENCES public.organizations(id);

ALTER TABLE ONLY public.user_sessions
    ADD CONSTRAINT "FK_e9658e959c490b0a634dfc54783" FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.users
    ADD CONSTRAINT "FK_f3d6aea8fcca58182b2e80ce979" FOREIGN KEY ("organizationId") REFERENCES public.organizations(id);
