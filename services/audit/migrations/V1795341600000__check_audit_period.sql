-- migration: no-transaction
-- migration: lock-timeout 2s
--
-- An audit period does not end before it begins.
--
-- Two statements, each in a transaction of its own: the first takes ACCESS EXCLUSIVE for a moment and
-- holds for what is written from now on, the second reads the table without blocking anyone. Rows that
-- break the rule make the second fail; once they are corrected, the next run goes on with it. They are
--
--     SELECT id, "auditNumber" FROM soc_audits WHERE "auditPeriodEnd" < "auditPeriodStart";

ALTER TABLE soc_audits
    ADD CONSTRAINT "CHK_soc_audits_period" CHECK ("auditPeriodEnd" >= "auditPeriodStart") NOT VALID;

ALTER TABLE soc_audits VALIDATE CONSTRAINT "CHK_soc_audits_period";
