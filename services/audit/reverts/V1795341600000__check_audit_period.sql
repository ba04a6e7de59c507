-- migration: lock-timeout 2s

ALTER TABLE soc_audits DROP CONSTRAINT "CHK_soc_audits_period";
