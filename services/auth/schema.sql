CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TABLE public.audit_logs (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    "userId" uuid,
    action character varying NOT NULL,
    resource character varying NOT NULL,
    "resourceId" character varying,
    details jsonb,
    "ipAddress" character varying,
    "userAgent" text,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
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

CREATE TABLE public.users (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    email character varying NOT NULL,
    password character varying NOT NULL,
    "firstName" character varying NOT NULL,
    "lastName" character varying NOT NULL,
    role character varying DEFAULT 'user'::character varying NOT NULL,
    "organizationId" uuid,
    "isActive" boolean DEFAULT true NOT NULL,
    "mfaEnabled" boolean DEFAULT false NOT NULL,
    "mfaSecret" character varying,
    "emailVerified" boolean DEFAULT false NOT NULL,
    "emailVerificationToken" character varying,
    "passwordResetToken" character varying,
    "passwordResetExpires" timestamp without time zone,
    "lastLogin" timestamp without time zone,
    "createdAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.audit_logs
    ADD CONSTRAINT "PK_1bb179d048bbc581caa3b013439" PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "PK_3238ef96f18b355b671619111bc" PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT "PK_a3ffb1c0c8416b9fc6f907b7433" PRIMARY KEY (id);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT "UQ_97672ac88f789774dd47f7c8be3" UNIQUE (email);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "UQ_b443618a8149644123d48eceed4" UNIQUE ("refreshToken");

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT "UQ_e9f62f5dcb8a54b84234c9e7a06" UNIQUE (token);

CREATE INDEX "IDX_AUDIT_ACTION" ON public.audit_logs USING btree (action);

CREATE INDEX "IDX_AUDIT_CREATED" ON public.audit_logs USING btree ("createdAt");

CREATE INDEX "IDX_AUDIT_USER" ON public.audit_logs USING btree ("userId");

CREATE INDEX "IDX_SESSION_TOKEN" ON public.sessions USING btree (token);

CREATE INDEX "IDX_SESSION_USER" ON public.sessions USING btree ("userId");

CREATE INDEX "IDX_USER_EMAIL" ON public.users USING btree (email);

CREATE INDEX "IDX_USER_ORGANIZATION" ON public.users USING btree ("organizationId");
