CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE TYPE public.delivery_method AS ENUM (
    'email',
    'webhook',
    'storage'
);

CREATE TYPE public.report_format AS ENUM (
    'PDF',
    'EXCEL',
    'WORD',
    'CSV',
    'JSON'
);

CREATE TYPE public.report_status AS ENUM (
    'pending',
    'processing',
    'completed',
    'failed',
    'cancelled'
);

CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
      BEGIN
          NEW.updated_at = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;

CREATE TABLE public.report_schedules (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    organization_id uuid NOT NULL,
    report_template_id uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    cron_expression character varying(100) NOT NULL,
    timezone character varying(50) DEFAULT 'UTC'::character varying NOT NULL,
    recipients jsonb DEFAULT '[]'::jsonb NOT NULL,
    format character varying(20) DEFAULT 'PDF'::character varying NOT NULL,
    parameters jsonb,
    filters jsonb,
    delivery_method public.delivery_method DEFAULT 'email'::public.delivery_method NOT NULL,
    delivery_config jsonb,
    is_active boolean DEFAULT true NOT NULL,
    last_run_at timestamp without time zone,
    next_run_at timestamp without time zone,
    execution_count integer DEFAULT 0 NOT NULL,
    success_count integer DEFAULT 0 NOT NULL,
    failure_count integer DEFAULT 0 NOT NULL,
    last_error text,
    last_error_at timestamp without time zone,
    created_by character varying(255) NOT NULL,
    updated_by character varying(255),
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.report_templates (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    organization_id uuid NOT NULL,
    name character varying(255) NOT NULL,
    description text,
    report_type character varying(100) NOT NULL,
    format character varying(20) DEFAULT 'PDF'::character varying NOT NULL,
    template_content text,
    configuration jsonb,
    parameters jsonb,
    default_sections jsonb,
    sections jsonb,
    data_schema jsonb,
    metadata jsonb,
    is_active boolean DEFAULT true NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_by character varying(255) NOT NULL,
    updated_by character varying(255),
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

CREATE TABLE public.reports (
    id uuid DEFAULT public.uuid_generate_v4() NOT NULL,
    organization_id uuid NOT NULL,
    template_id uuid,
    title character varying(255) NOT NULL,
    description text,
    report_type character varying(100) NOT NULL,
    status public.report_status DEFAULT 'pending'::public.report_status NOT NULL,
    format public.report_format DEFAULT 'PDF'::public.report_format NOT NULL,
    file_path character varying(500),
    file_name character varying(255),
    file_size bigint,
    mime_type character varying(100),
    checksum character varying(64),
    file_url character varying(500),
    generated_at timestamp without time zone,
    generated_by character varying(255),
    period_start date,
    period_end date,
    reporting_period_start date,
    reporting_period_end date,
    parameters jsonb,
    sections jsonb,
    filters jsonb,
    metadata jsonb,
    summary jsonb,
    error text,
    error_details jsonb,
    processing_started_at timestamp without time zone,
    processing_completed_at timestamp without time zone,
    generation_time_ms integer,
    created_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamp without time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT "PK_603f9cdaaf4c1193d7399c1e79c" PRIMARY KEY (id);

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT "PK_d9013193989303580053c0b5ef6" PRIMARY KEY (id);

ALTER TABLE ONLY public.report_templates
    ADD CONSTRAINT "PK_f85e16e6beea41a2b3a3350b84e" PRIMARY KEY (id);

CREATE INDEX "IDX_report_schedules_organizationId" ON public.report_schedules USING btree (organization_id);

CREATE INDEX "IDX_report_schedules_organizationId_isActive" ON public.report_schedules USING btree (organization_id, is_active);

CREATE INDEX "IDX_report_schedules_report_template_id" ON public.report_schedules USING btree (report_template_id);

CREATE INDEX "IDX_report_templates_organizationId" ON public.report_templates USING btree (organization_id);

CREATE INDEX "IDX_report_templates_organizationId_isActive" ON public.report_templates USING btree (organization_id, is_active);

CREATE INDEX "IDX_report_templates_organizationId_reportType" ON public.report_templates USING btree (organization_id, report_type);

CREATE INDEX "IDX_reports_organizationId" ON public.reports USING btree (organization_id);

CREATE INDEX "IDX_reports_organizationId_createdAt" ON public.reports USING btree (organization_id, created_at);

CREATE INDEX "IDX_reports_organizationId_reportType" ON public.reports USING btree (organization_id, report_type);

CREATE INDEX "IDX_reports_organizationId_status" ON public.reports USING btree (organization_id, status);

CREATE INDEX "IDX_reports_template_id" ON public.reports USING btree (template_id);

CREATE TRIGGER update_report_schedules_updated_at BEFORE UPDATE ON public.report_schedules FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_report_templates_updated_at BEFORE UPDATE ON public.report_templates FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

CREATE TRIGGER update_reports_updated_at BEFORE UPDATE ON public.reports FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();

ALTER TABLE ONLY public.reports
    ADD CONSTRAINT "FK_6f8e618c3d55635fdbbc6cbe01c" FOREIGN KEY (template_id) REFERENCES public.report_templates(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.report_schedules
    ADD CONSTRAINT "FK_b4047a159a844857c1feeac1e91" FOREIGN KEY (report_template_id) REFERENCES public.report_templates(id) ON DELETE CASCADE;
