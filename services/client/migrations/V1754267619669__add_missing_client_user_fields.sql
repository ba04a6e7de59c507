-- Name and address of a client's user, so that the client service need not ask auth for them. Nullable:
-- existing rows have none until their user is saved again.

ALTER TABLE client_users
    ADD COLUMN email       varchar,
    ADD COLUMN "firstName" varchar,
    ADD COLUMN "lastName"  varchar,
    ADD COLUMN phone       varchar;
