-- migration: lock-timeout 2s
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
