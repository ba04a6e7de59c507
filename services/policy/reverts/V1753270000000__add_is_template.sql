-- Which policies were templates is lost with the column.

ALTER TABLE policies DROP COLUMN "isTemplate";
