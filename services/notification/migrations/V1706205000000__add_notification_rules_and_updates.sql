-- Rules that decide which event notifies whom, and templates with codes and structured content.
--
-- The legacy migration failed as soon as notification_templates held a row (its UPDATE ran into the
-- broken trigger), and its revert did not restore. This one moves the rows, and its revert moves them
-- back: "templateId" becomes code, the text content becomes jsonb {"body": text}.

-- Both labels are used by no statement of this file: a label can be used only after the transaction
-- that adds it.
ALTER TYPE notification_channel ADD VALUE 'push';
ALTER TYPE notification_type ADD VALUE 'marketing';

CREATE TYPE notification_rule_type AS ENUM ('EVENT_BASED', 'SCHEDULED', 'CONDITIONAL', 'THRESHOLD');

-- Templates. "newContent" takes the place of the text column when that is gone.
ALTER TABLE notification_templates
    ADD COLUMN code               varchar(100),
    ADD COLUMN "isActive"         boolean     DEFAULT true,
    ADD COLUMN "isSystem"         boolean     DEFAULT false,
    ADD COLUMN priority           integer     DEFAULT 100,
    ADD COLUMN "isTransactional"  boolean     DEFAULT false,
    ADD COLUMN performance        jsonb       DEFAULT '{}',
    ADD COLUMN "defaultVariables" jsonb,
    ADD COLUMN "supportedLocales" text[],
    ADD COLUMN "defaultLocale"    varchar(10) DEFAULT 'en',
    ADD COLUMN "newContent"       jsonb;

-- Moving data is no change of the template, so "updatedAt" must keep its value; besides, the trigger is
-- broken at this version and would let no UPDATE through.
ALTER TABLE notification_templates DISABLE TRIGGER update_notification_templates_updated_at;

UPDATE notification_templates
SET code         = "templateId",
    "newContent" = jsonb_build_object('body', content);

ALTER TABLE notification_templates ENABLE TRIGGER update_notification_templates_updated_at;

-- Drops the unique constraint of "templateId" with it.
ALTER TABLE notification_templates
    DROP COLUMN "templateId",
    DROP COLUMN content;

ALTER TABLE notification_templates RENAME COLUMN "htmlContent" TO "htmlBody";
ALTER TABLE notification_templates RENAME COLUMN "newContent" TO content;

CREATE UNIQUE INDEX "UQ_notification_templates_org_code"
    ON notification_templates ("organizationId", code);

-- Which notifications an event or a schedule brings about. "ruleId" is the name that people give a
-- rule, unique within an organisation; the other tables refer to the row id.
CREATE TABLE notification_rules (
    id                uuid                   NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId"  uuid                   NOT NULL,
    "ruleId"          varchar(100)           NOT NULL,
    name              varchar(255)           NOT NULL,
    description       text,
    "isActive"        boolean                NOT NULL DEFAULT true,
    enabled           boolean                NOT NULL DEFAULT true,
    priority          integer                NOT NULL DEFAULT 0,
    "ruleType"        notification_rule_type NOT NULL DEFAULT 'EVENT_BASED',
    conditions        jsonb                  NOT NULL,
    actions           jsonb                  NOT NULL,
    schedule          jsonb,
    "rateLimits"      jsonb,
    metadata          jsonb,
    version           integer                NOT NULL DEFAULT 1,
    "eventType"       varchar(100),
    "eventCategory"   varchar(50),
    "startDate"       date,
    "endDate"         date,
    "maxTriggers"     integer,
    "cooldownMinutes" integer,
    tags              text[],
    "createdBy"       uuid                   NOT NULL,
    "updatedBy"       uuid,
    "createdAt"       timestamptz            NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"       timestamptz            NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_eb87ba4f7f01eabf003fcf4e65c" PRIMARY KEY (id)
);

-- Partial: scheduled rules have no event, and few rules have tags.
CREATE INDEX "IDX_notification_rules_eventType"
    ON notification_rules ("eventType") WHERE "eventType" IS NOT NULL;
CREATE INDEX "IDX_notification_rules_organizationId_isActive"
    ON notification_rules ("organizationId", "isActive");
CREATE UNIQUE INDEX "IDX_notification_rules_organizationId_ruleId"
    ON notification_rules ("organizationId", "ruleId");
CREATE INDEX "IDX_notification_rules_ruleType_priority" ON notification_rules ("ruleType", priority);
CREATE INDEX "IDX_notification_rules_tags"
    ON notification_rules USING gin (tags) WHERE tags IS NOT NULL;

-- Every version of a rule, and why it changed.
CREATE TABLE notification_rule_history (
    id             uuid        NOT NULL DEFAULT uuid_generate_v4(),
    "ruleId"       uuid        NOT NULL,
    version        integer     NOT NULL,
    changes        jsonb       NOT NULL,
    "changedBy"    uuid        NOT NULL,
    "changeReason" text,
    "createdAt"    timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_7f18f41c23cdd3c16d2718029fd" PRIMARY KEY (id),
    CONSTRAINT "FK_d4a8841c2a3179749e2e157a63c" FOREIGN KEY ("ruleId")
        REFERENCES notification_rules (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_notification_rule_history_createdAt" ON notification_rule_history ("createdAt");
CREATE INDEX "IDX_notification_rule_history_ruleId" ON notification_rule_history ("ruleId");

-- How often a rule was evaluated on a day, and how long that took.
CREATE TABLE rule_evaluation_metrics (
    id                       uuid             NOT NULL DEFAULT uuid_generate_v4(),
    "ruleId"                 uuid             NOT NULL,
    "evaluationDate"         date             NOT NULL,
    "totalEvaluations"       integer          NOT NULL DEFAULT 0,
    "matchedEvaluations"     integer          NOT NULL DEFAULT 0,
    "failedEvaluations"      integer          NOT NULL DEFAULT 0,
    "avgExecutionTimeMs"     double precision NOT NULL DEFAULT 0,
    "notificationsTriggered" integer          NOT NULL DEFAULT 0,
    "createdAt"              timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"              timestamptz      NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_1b3f43c89a1613193efe5e6c21e" PRIMARY KEY (id),
    CONSTRAINT "FK_8aff7d25d183162b4ec41ed16ea" FOREIGN KEY ("ruleId")
        REFERENCES notification_rules (id) ON DELETE CASCADE
);

CREATE INDEX "IDX_rule_evaluation_metrics_ruleId_evaluationDate"
    ON rule_evaluation_metrics ("ruleId", "evaluationDate");

-- The short way from an event to a rule or a template; outlives both.
CREATE TABLE event_notification_mapping (
    id               uuid         NOT NULL DEFAULT uuid_generate_v4(),
    "organizationId" uuid         NOT NULL,
    "eventType"      varchar(100) NOT NULL,
    "ruleId"         uuid,
    "templateId"     uuid,
    channel          notification_channel,
    priority         integer      NOT NULL DEFAULT 100,
    "isActive"       boolean      NOT NULL DEFAULT true,
    metadata         jsonb,
    "createdAt"      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "PK_910eafdfd6c61dd1b84859386a9" PRIMARY KEY (id),
    CONSTRAINT "FK_1cd01380510a72028fed2d3cb74" FOREIGN KEY ("ruleId")
        REFERENCES notification_rules (id) ON DELETE SET NULL,
    CONSTRAINT "FK_e1c148424fe5151c1b6b54c5a27" FOREIGN KEY ("templateId")
        REFERENCES notification_templates (id) ON DELETE SET NULL
);

CREATE INDEX "IDX_event_notification_mapping_isActive" ON event_notification_mapping ("isActive");
CREATE INDEX "IDX_event_notification_mapping_organizationId_eventType"
    ON event_notification_mapping ("organizationId", "eventType");

CREATE TRIGGER update_notification_rules_updated_at
    BEFORE UPDATE ON notification_rules
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_rule_evaluation_metrics_updated_at
    BEFORE UPDATE ON rule_evaluation_metrics
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();

CREATE TRIGGER update_event_notification_mapping_updated_at
    BEFORE UPDATE ON event_notification_mapping
    FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
