-- migration: allow column-rename "as in the legacy migration: the application's entities know the new names only"
-- migration: allow column-type-change "an enum loses a label only with its type; the tables are written anew once each"
-- migration: allow data-change-without-where "every template moves its templateId and its text to the new columns"
-- migration: allow drop-column "templateId lives on as code, the text as content; the revert moves both back"
-- migration: allow dropped-with-dependants "the unique key has only this column and goes with it; UQ_notification_templates_org_code follows"
-- migration: allow index-not-concurrent "the table is locked by the move of its columns, after which codes must be unique from the first row on"
-- migration: allow mixed-schema-and-data "values move from columns to others that take their place, and no template may be written in between"
-- migration: allow unique-constraint "templateId is filled in the same transaction and must be unique again at its end; the table is locked"
-- migration: allow broken-trigger "the guide's own trigger function, in a migration that is frozen; V1795338000000 mends it"
-- migration: allow scans-under-lock "templates are few, and their rows have to move"
-- migration: allow lock-held-over-data-change "templates are few, and their rows have to move"
--
-- Gives templates back their "templateId" and their text, and takes the rules away.
--
-- Exact for every row from before the migration. Of what came since then
--   * rules, their history, metrics and event mappings are lost with their tables;
--   * the template columns that the migration added are lost, except for code and content;
--   * a template without code gets its row id as "templateId"; where two organisations use one code,
--     the older template keeps it and the others get their row id appended, because "templateId" is
--     unique over all of them;
--   * content other than {"body": text} becomes the text of its JSON, no content an empty text;
--   * the channel push becomes in_app and the type marketing becomes announcement, except that
--     preferences for push are deleted: what a user wished for push is no wish for another channel.
--
-- notifications, notification_preferences and notification_templates are rewritten under ACCESS
-- EXCLUSIVE: an enum label can only be taken away by building the type anew.

DROP TABLE event_notification_mapping;
DROP TABLE rule_evaluation_metrics;
DROP TABLE notification_rule_history;
DROP TABLE notification_rules;
DROP TYPE notification_rule_type;

-- Templates.
ALTER TABLE notification_templates RENAME COLUMN content TO "newContent";
ALTER TABLE notification_templates RENAME COLUMN "htmlBody" TO "htmlContent";

ALTER TABLE notification_templates
    ADD COLUMN "templateId" varchar(100),
    ADD COLUMN content      text;

-- As in the migration: moving data is no change of the template, and the trigger is broken.
ALTER TABLE notification_templates DISABLE TRIGGER update_notification_templates_updated_at;

UPDATE notification_templates AS template
SET "templateId" = CASE
        WHEN coded.code IS NULL THEN coded.id::text
        WHEN coded.place = 1    THEN coded.code
        ELSE left(coded.code, 63) || '-' || coded.id
    END,
    content = CASE
        WHEN "newContent" IS NULL THEN ''
        WHEN jsonb_typeof("newContent" -> 'body') = 'string' AND "newContent" - 'body' = '{}'
            THEN "newContent" ->> 'body'
        ELSE "newContent"::text
    END
FROM (
    SELECT id, code, row_number() OVER (PARTITION BY code ORDER BY "createdAt", id) AS place
    FROM notification_templates
) AS coded
WHERE coded.id = template.id;

ALTER TABLE notification_templates ENABLE TRIGGER update_notification_templates_updated_at;

-- Drops the unique index over "organizationId" and code with its column.
ALTER TABLE notification_templates
    ALTER COLUMN "templateId" SET NOT NULL,
    ALTER COLUMN content SET NOT NULL,
    ADD CONSTRAINT "UQ_85e6a99e1d0d6a31a1f6b8e40a8" UNIQUE ("templateId"),
    DROP COLUMN code,
    DROP COLUMN "isActive",
    DROP COLUMN "isSystem",
    DROP COLUMN priority,
    DROP COLUMN "isTransactional",
    DROP COLUMN performance,
    DROP COLUMN "defaultVariables",
    DROP COLUMN "supportedLocales",
    DROP COLUMN "defaultLocale",
    DROP COLUMN "newContent";

-- The labels push and marketing. ALTER TYPE fires no trigger and rebuilds the indexes.
DELETE FROM notification_preferences WHERE channel = 'push';

ALTER TYPE notification_channel RENAME TO notification_channel_with_push;
ALTER TYPE notification_type RENAME TO notification_type_with_marketing;

CREATE TYPE notification_channel AS ENUM ('email', 'sms', 'in_app', 'slack', 'teams', 'webhook');
CREATE TYPE notification_type AS ENUM (
    'alert', 'info', 'warning', 'error', 'success', 'reminder', 'approval', 'assignment', 'mention',
    'system', 'transactional', 'announcement'
);

ALTER TABLE notification_preferences
    ALTER COLUMN channel TYPE notification_channel USING channel::text::notification_channel;

ALTER TABLE notification_templates
    ALTER COLUMN channel TYPE notification_channel USING (
        CASE channel WHEN 'push' THEN 'in_app' ELSE channel::text END::notification_channel
    ),
    ALTER COLUMN type TYPE notification_type USING (
        CASE type WHEN 'marketing' THEN 'announcement' ELSE type::text END::notification_type
    );

ALTER TABLE notifications
    ALTER COLUMN channel TYPE notification_channel USING (
        CASE channel WHEN 'push' THEN 'in_app' ELSE channel::text END::notification_channel
    ),
    ALTER COLUMN type TYPE notification_type USING (
        CASE type WHEN 'marketing' THEN 'announcement' ELSE type::text END::notification_type
    );

DROP TYPE notification_type_with_marketing;
DROP TYPE notification_channel_with_push;
