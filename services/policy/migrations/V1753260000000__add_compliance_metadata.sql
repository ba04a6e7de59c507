-- Room for what a compliance framework wants to know of a policy. Nullable and without a default: the
-- table is not rewritten.

ALTER TABLE policies ADD COLUMN "complianceMetadata" jsonb;
