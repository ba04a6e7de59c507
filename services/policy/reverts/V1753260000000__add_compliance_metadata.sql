-- The metadata is lost with its column.

ALTER TABLE policies DROP COLUMN "complianceMetadata";
