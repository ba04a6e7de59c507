-- migration: lock-timeout 2s
--
-- Second of five steps to the application's synchronised schema: clients and client_users.
--
-- Synchronisation dropped columns and added them anew under another type, empty. Here they are converted:
--   * clients."annualRevenue", numeric to varchar: the same digits, 1500000.50 is '1500000.50';
--   * clients."partnerReferralDate", date to timestamp: midnight of the day;
--   * clients."complianceScore" must have a value: none becomes 0, the default it always had;
--   * client_users."lastLoginAt", "invitedAt", "acceptedAt", timestamp to date: the day is kept, the
--     time of day is LOST, there is no other place for it.
--
-- A client with subsidiaries can no longer be deleted (23503): the foreign key of "parentClientId" does
-- not set it to NULL any more. One row per client and user holds as before, by a unique index instead
-- of a constraint; ON CONFLICT ON CONSTRAINT "UQ_client_user" has to name the columns from now on.
--
-- Both tables are rewritten once, with all their indexes, under ACCESS EXCLUSIVE.

-- A date reaches further than a timestamp. The conversion would fail as well, but not say which rows.
DO $$
DECLARE
    late bigint;
BEGIN
    SELECT count(*) INTO late
    FROM clients
    WHERE isfinite("partnerReferralDate") AND "partnerReferralDate" > '294276-12-31';

    IF late > 0 THEN
        RAISE EXCEPTION '% row(s) of clients have a "partnerReferralDate" too late for a timestamp', late
            USING ERRCODE = 'datetime_field_overflow',
                  HINT = 'Correct them and run again: SELECT id, "partnerReferralDate" FROM clients '
                         'WHERE isfinite("partnerReferralDate") AND "partnerReferralDate" > ''294276-12-31''';
    END IF;
END;
$$;

-- USING fills the gaps in the rewrite that the types need anyway; an UPDATE would write the rows twice.
ALTER TABLE clients
    DROP CONSTRAINT "FK_c47fe86b09ef5bb993680471802",
    ALTER COLUMN "annualRevenue" TYPE varchar,
    ALTER COLUMN "partnerReferralDate" TYPE timestamp,
    ALTER COLUMN "complianceScore" TYPE numeric(3,2) USING coalesce("complianceScore", 0),
    ALTER COLUMN "complianceScore" SET NOT NULL,
    ADD CONSTRAINT "FK_f5bc6b15b0b5eb05338b9f82919" FOREIGN KEY ("parentClientId")
        REFERENCES clients (id);

ALTER TABLE client_users
    DROP CONSTRAINT "UQ_client_user",
    ALTER COLUMN "lastLoginAt" TYPE date,
    ALTER COLUMN "invitedAt" TYPE date,
    ALTER COLUMN "acceptedAt" TYPE date;

CREATE UNIQUE INDEX "IDX_cbb0ef7805f14d44e10573df13" ON client_users ("clientId", "userId");
