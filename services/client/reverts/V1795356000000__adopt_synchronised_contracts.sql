-- migration: lock-timeout 2s
-- migration: allow foreign-key-not-valid "the key that it replaces has held these rows already; writes wait for the filled gaps anyhow"
-- migration: allow mixed-schema-and-data "no row may be written between filling the gaps and requiring a value; reads go on while they are filled"
-- migration: allow not-null-steps "one of five steps to a state that is adopted as a whole; writes are locked out from the first statement"
-- migration: allow unbatched-data-change "only rows with a gap are written, and no new ones may come until a value is required"
-- migration: allow scans-under-lock "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
-- migration: allow lock-held-over-data-change "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
--
-- Lets columns be empty again and gives them their former defaults. An "endDate" of 9999-12-31 becomes
-- NULL, as it was before the migration; other values stay, also those that the migration filled in. No
-- table is rewritten.

ALTER TABLE contract_line_items
    ALTER COLUMN "sortOrder" DROP NOT NULL,
    ALTER COLUMN "discountAmount" SET DEFAULT '0',
    ALTER COLUMN "discountPercentage" SET DEFAULT '0',
    ALTER COLUMN "taxAmount" SET DEFAULT '0',
    ALTER COLUMN "taxRate" SET DEFAULT '0',
    ALTER COLUMN "isRecurring" SET DEFAULT false,
    ALTER COLUMN "unitOfMeasure" DROP NOT NULL,
    ALTER COLUMN "unitOfMeasure" SET DEFAULT 'unit',
    ALTER COLUMN "totalPrice" SET DEFAULT '0',
    ALTER COLUMN "unitPrice" SET DEFAULT '0';

ALTER TABLE contracts
    DROP CONSTRAINT "FK_faa829094a2e8592055be5b435e",
    ALTER COLUMN notes TYPE text,
    ALTER COLUMN "terminationNoticePeriod" SET DEFAULT 30,
    ALTER COLUMN "renewalNoticePeriod" SET DEFAULT 90,
    ALTER COLUMN "endDate" DROP NOT NULL,
    ALTER COLUMN "startDate" DROP NOT NULL,
    ALTER COLUMN "monthlyValue" DROP NOT NULL,
    ALTER COLUMN "totalValue" DROP NOT NULL,
    ALTER COLUMN "totalValue" SET DEFAULT '0',
    ALTER COLUMN type SET DEFAULT 'sow',
    ADD CONSTRAINT "FK_8e9f7a5b3c2d45678901ab1c2d3" FOREIGN KEY ("parentContractId")
        REFERENCES contracts (id) ON DELETE SET NULL;

UPDATE contracts SET "endDate" = NULL WHERE "endDate" = '9999-12-31';
