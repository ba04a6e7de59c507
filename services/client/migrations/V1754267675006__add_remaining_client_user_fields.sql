-- Invitations to a client, and when a user was deactivated. Dates without a time of day, unlike
-- "invitedAt" and "acceptedAt" of the same table: a legacy fact.

ALTER TABLE client_users
    ADD COLUMN "invitationToken"     varchar,
    ADD COLUMN "invitationExpiresAt" date,
    ADD COLUMN "deactivatedAt"       date;
