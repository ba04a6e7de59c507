-- What was entered in these columns is lost with them.

ALTER TABLE client_users
    DROP COLUMN phone,
    DROP COLUMN "lastName",
    DROP COLUMN "firstName",
    DROP COLUMN email;
