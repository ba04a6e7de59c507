-- migration: lock-timeout 2s
-- migration: allow column-type-change "one rewrite of each table keeps the values, which synchronisation dropped with the columns"
-- migration: allow index-not-concurrent "client_users is written anew with its indexes anyhow, and one row per client and user must hold throughout"
-- migration: allow timestamp-without-zone "partnerReferralDate, as the application's entity declares it"
-- migration: allow foreign-key-not-valid "clients is rewritten under the same lock, and the foreign key that this one replaces already held for every row"
-- migration: allow loses-data "times of day and gaps were given up by synchronisation, which this migration follows; a gap and a 0 cannot be told apart later"
-- migration: allow scans-under-lock "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
-- migration: allow rewrites-table "one of five steps to a state that is adopted as a whole; reads and writes wait for this one"
--
-- Gives clients and client_users their former types back, under ACCESS EXCLUSIVE, with one rewrite each.
--
--   * "lastLoginAt", "invitedAt" and "acceptedAt" become midnight of their day: the times of day that
--     the migration took away do not come back;
--   * "partnerReferralDate" keeps its day; a time of day that was entered since then is lost;
--   * "complianceScore" stays 0 where the migration filled it in;
--   * "annualRevenue" becomes a number. Texts that are none ('5M', '1-10 million'), and dates too late
--     for a timestamp, have no place in the former schema: with one of them the revert stops before
--     anything is changed. An empty text becomes NULL.

DO $$
DECLARE
    odd bigint;
BEGIN
    SELECT count(*) INTO odd
    FROM clients
    WHERE "annualRevenue" !~ '^\s*([+-]?(\d{1,13}(\.\d{0,2}0*)?|\.\d{1,2}0*)|NaN)?\s*$';

    IF odd > 0 THEN
        RAISE EXCEPTION '% row(s) of clients have an "annualRevenue" that is no numeric(15,2)', odd
            USING ERRCODE = 'invalid_text_representation',
                  HINT = 'Write it as a number or set it to NULL, and revert again: '
                         'SELECT id, "annualRevenue" FROM clients WHERE "annualRevenue" IS NOT NULL';
    END IF;

    SELECT count(*) INTO odd
    FROM client_users
    WHERE isfinite("lastLoginAt") AND "lastLoginAt" > '294276-12-31'
       OR isfinite("invitedAt") AND "invitedAt" > '294276-12-31'
       OR isfinite("acceptedAt") AND "acceptedAt" > '294276-12-31';

    IF odd > 0 THEN
        RAISE EXCEPTION '% row(s) of client_users have a date too late for a timestamp', odd
            USING ERRCODE = 'datetime_field_overflow',
                  HINT = 'Correct "lastLoginAt", "invitedAt", "acceptedAt" after the year 294276, and '
                         'revert again';
    END IF;
END;
$$;

-- Takes the index over under the constraint's name.
ALTER TABLE client_users
    ADD CONSTRAINT "UQ_client_user" UNIQUE USING INDEX "IDX_cbb0ef7805f14d44e10573df13";

ALTER TABLE client_users
    ALTER COLUMN "acceptedAt" TYPE timestamp,
    ALTER COLUMN "invitedAt" TYPE timestamp,
    ALTER COLUMN "lastLoginAt" TYPE timestamp;

ALTER TABLE clients
    DROP CONSTRAINT "FK_f5bc6b15b0b5eb05338b9f82919",
    ALTER COLUMN "complianceScore" DROP NOT NULL,
    ALTER COLUMN "partnerReferralDate" TYPE date,
    ALTER COLUMN "annualRevenue" TYPE numeric(15,2)
        USING nullif(btrim("annualRevenue", E' \t\n\r'), '')::numeric,
    ADD CONSTRAINT "FK_c47fe86b09ef5bb993680471802" FOREIGN KEY ("parentClientId")
        REFERENCES clients (id) ON DELETE SET NULL;
