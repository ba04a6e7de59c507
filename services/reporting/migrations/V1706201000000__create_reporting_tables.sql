-- reporting: report templates, the reports made from them, and the schedules that make them.
--
-- The one service with snake_case columns; its index names keep the application's camelCase.

CREATE EXTENSION IF NOT EXISTS "uuid-ossp";

CREATE TYPE report_status AS ENUM ('pending', 'processing', 'completed', 'failed', 'cancelled');
CREATE TYPE report_format AS ENUM ('PDF', 'EXCEL', 'WORD', 'CSV', 'JSON');
CREATE TYPE delivery_method AS ENUM ('email', 'webhook', 'storage');

-- What a kind of report consists of.
CREATE TABLE report_templates (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    organization_id  uuid         NOT NULL,
    name             varchar(255) NOT NULL,
    description      text,
    report_type      varchar(100) NOT NULL,
    format           varchar(20)  NOT NULL DEFAULT 'PDF',
    template_content text,
    configuration    jsonb,
    parameters       jsonb,
    default_sections jsonb,
    sections         jsonb,
    data_schema      jsonb,
    metadata         jsonb,
    is_active        boolean      NOT NULL DEFAULT true,
    version          integer      NOT NULL DEFAULT 1,
    created_by       varchar(255) NOT NULL,
    updated_by       varchar(255),
    created_at       timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at       timestamp    NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_f85e16e6beea41a2b3a3350b84e" PRIMARY KEY (id)
);

CREATE INDEX "IDX_report_templates_organizationId" ON report_templates (organization_id);
CREATE INDEX "IDX_report_templates_organizationId_isActive"
    ON report_templates (organization_id, is_active);
CREATE INDEX "IDX_report_templates_organizationId_reportType"
    ON report_templates (organization_id, report_type);

-- One generated report; it outlives its template.
CREATE TABLE reports (
    id                      uuid          NOT NULL DEFAULT uuid_generate_v4(),
    organization_id         uuid          NOT NULL,
    template_id             uuid,
    title                   varchar(255)  NOT NULL,
    description             text,
    report_type             varchar(100)  NOT NULL,

    -- State
    status                  report_status NOT NULL DEFAULT 'pending',
    format                  report_format NOT NULL DEFAULT 'PDF',

    -- The file
    file_path               varchar(500),
    file_name               varchar(255),
    file_size               bigint,
    mime_type               varchar(100),
    checksum                varchar(64),
    file_url                varchar(500),

    -- Generation
    generated_at            timestamp,
    generated_by            varchar(255),
    period_start            date,
    period_end              date,

    -- Content
    reporting_period_start  date,
    reporting_period_end    date,
    parameters              jsonb,
    sections                jsonb,
    filters                 jsonb,
    metadata                jsonb,
    summary                 jsonb,

    -- Processing
    error                   text,
    error_details           jsonb,
    processing_started_at   timestamp,
    processing_completed_at timestamp,
    generation_time_ms      integer,
    created_at              timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at              timestamp     NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_d9013193989303580053c0b5ef6" PRIMARY KEY (id),
    CONSTRAINT "FK_6f8e618c3d55635fdbbc6cbe01c" FOREIGN KEY (template_id)
        REFERENCES report_templates (id) ON DELETE SET NULL
);

CREATE INDEX "IDX_reports_organizationId" ON reports (organization_id);
CREATE INDEX "IDX_reports_organizationId_createdAt" ON reports (organization_id, created_at);
CREATE INDEX "IDX_reports_organizationId_reportType" ON reports (organization_id, report_type);
CREATE INDEX "IDX_reports_organizationId_status" ON reports (organization_id, status);

-- Reports made at set times. "format" is free text here and an enum in reports.
CREATE TABLE report_schedules (
    id                 uuid            NOT NULL DEFAULT uuid_generate_v4(),
    organization_id    uuid            NOT NULL,
    report_template_id uuid            NOT NULL,
    name               varchar(255)    NOT NULL,
    description        text,

    -- When
    cron_expression    varchar(100)    NOT NULL,
    timezone           varchar(50)     NOT NULL DEFAULT 'UTC',

    -- What, to whom
    recipients         jsonb           NOT NULL DEFAULT '[]',
    format             varchar(20)     NOT NULL DEFAULT 'PDF',
    parameters         jsonb,
    filters            jsonb,
    delivery_method    delivery_method NOT NULL DEFAULT 'email',
    delivery_config    jsonb,
    is_active          boolean         NOT NULL DEFAULT true,

    -- Runs
    last_run_at        timestamp,
    next_run_at        timestamp,
    execution_count    integer         NOT NULL DEFAULT 0,
    success_count      integer         NOT NULL DEFAULT 0,
    failure_count      integer         NOT NULL DEFAULT 0,
    last_error         text,
    last_error_at      timestamp,

    -- Bookkeeping
    created_by         varchar(255)    NOT NULL,
    updated_by         varchar(255),
    created_at         timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at         timestamp       NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_603f9cdaaf4c1193d7399c1e79c" PRIMARY KEY (id),
    CONSTRAINT "FK_b4047a159a844857c1feeac1e91" FOREIGN KEY (report_template_id)
        REFERENCES report_templates (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_report_schedules_organizationId" ON report_schedules (organization_id);
CREATE INDEX "IDX_report_schedules_organizationId_isActive"
    ON report_schedules (organization_id, is_active);

-- Keeps the time of the last change.
CREATE FUNCTION update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
AS $$
      BEGIN
          NEW.updated_at = CURRENT_TIMESTAMP;
          RETURN NEW;
      END;
      $$;

CREATE TRIGGER update_report_templates_updated_at
    BEFORE UPDATE ON report_templates
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_reports_updated_at
    BEFORE UPDATE ON reports
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_report_schedules_updated_at
    BEFORE UPDATE ON report_schedules
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
