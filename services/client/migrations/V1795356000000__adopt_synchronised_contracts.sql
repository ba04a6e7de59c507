-- migration: lock-timeout 2s
--
-- Third of five steps to the application's synchronised schema: contracts and contract_line_items.
--
-- Nothing that is there changes. What may no longer be empty gets a value:
--   * contracts."totalValue", "monthlyValue": 0, the default they had;
--   * contracts."startDate": the day of signature, else of the row's creation, but not after "endDate";
--   * contracts."endDate": 9999-12-31, no end agreed. The revert empties it again;
--   * contract_line_items."unitOfMeasure": 'units', the new default. 'unit', the old one, stays;
--   * contract_line_items."sortOrder": 0, the default it had.
-- LOST is which of them were empty, except for "endDate".
--
-- New rows have to say more than before: several defaults go. A contract that others name as their
-- parent can no longer be deleted (23503), unless in the same statement: the foreign key does not set
-- "parentContractId" to NULL any more.
--
-- No table is rewritten. While the gaps are filled both can be read, not written; then they are locked
-- for a scan that looks for what is still NULL and one that checks the foreign key.

LOCK TABLE contracts, contract_line_items IN SHARE ROW EXCLUSIVE MODE;

UPDATE contracts
SET "totalValue"   = coalesce("totalValue", 0),
    "monthlyValue" = coalesce("monthlyValue", 0),
    "startDate"    = coalesce(
        "startDate", least(coalesce("signedDate", "createdAt"::date), "endDate")
    ),
    "endDate"      = coalesce("endDate", '9999-12-31')
WHERE num_nulls("totalValue", "monthlyValue", "startDate", "endDate") > 0;

UPDATE contract_line_items
SET "unitOfMeasure" = coalesce("unitOfMeasure", 'units'),
    "sortOrder"     = coalesce("sortOrder", 0)
WHERE num_nulls("unitOfMeasure", "sortOrder") > 0;

ALTER TABLE contracts
    DROP CONSTRAINT "FK_8e9f7a5b3c2d45678901ab1c2d3",
    ALTER COLUMN type DROP DEFAULT,
    ALTER COLUMN "totalValue" DROP DEFAULT,
    ALTER COLUMN "totalValue" SET NOT NULL,
    ALTER COLUMN "monthlyValue" SET NOT NULL,
    ALTER COLUMN "startDate" SET NOT NULL,
    ALTER COLUMN "endDate" SET NOT NULL,
    ALTER COLUMN "renewalNoticePeriod" DROP DEFAULT,
    ALTER COLUMN "terminationNoticePeriod" DROP DEFAULT,
    ALTER COLUMN notes TYPE varchar,
    ADD CONSTRAINT "FK_faa829094a2e8592055be5b435e" FOREIGN KEY ("parentContractId")
        REFERENCES contracts (id);

ALTER TABLE contract_line_items
    ALTER COLUMN "unitPrice" DROP DEFAULT,
    ALTER COLUMN "totalPrice" DROP DEFAULT,
    ALTER COLUMN "unitOfMeasure" SET DEFAULT 'units',
    ALTER COLUMN "unitOfMeasure" SET NOT NULL,
    ALTER COLUMN "isRecurring" SET DEFAULT true,
    ALTER COLUMN "taxRate" DROP DEFAULT,
    ALTER COLUMN "taxAmount" DROP DEFAULT,
    ALTER COLUMN "discountPercentage" DROP DEFAULT,
    ALTER COLUMN "discountAmount" DROP DEFAULT,
    ALTER COLUMN "sortOrder" SET NOT NULL;
