-- Open invitations are lost with these columns: they have to be sent again.

ALTER TABLE client_users
    DROP COLUMN "deactivatedAt",
    DROP COLUMN "invitationExpiresAt",
    DROP COLUMN "invitationToken";
