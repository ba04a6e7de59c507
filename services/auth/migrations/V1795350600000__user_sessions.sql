-- The table of the application's entity UserSession. The running application does not load that entity,
-- so a synchronized production database does not have the table, while one that was synchronized by the
-- command line or by a development build does. The first is adopted at the migration before this one and
-- gets the table here; the second is adopted at this one.
--
-- IF NOT EXISTS: a release that loads the entity may synchronize between adoption and run.
--
-- HAZARD: writes to users wait (SHARE ROW EXCLUSIVE) while the foreign key of the empty table is added.

CREATE TABLE IF NOT EXISTS user_sessions (
    id                 uuid      NOT NULL DEFAULT uuid_generate_v4(),
    user_id            uuid      NOT NULL,
    session_token      varchar   NOT NULL,
    ip_address         varchar,
    user_agent         varchar,
    device_fingerprint varchar,
    device_name        varchar,
    device_type        varchar,
    device_os          varchar,
    device_browser     varchar,
    is_active          boolean   NOT NULL DEFAULT true,
    last_activity_at   timestamp NOT NULL,
    expires_at         timestamp NOT NULL,
    metadata           jsonb,
    created_at         timestamp NOT NULL DEFAULT now(),
    updated_at         timestamp NOT NULL DEFAULT now(),

    CONSTRAINT "PK_e93e031a5fed190d4789b6bfd83" PRIMARY KEY (id),
    CONSTRAINT "UQ_e5eb7a3c7766f941fe16b9edecb" UNIQUE (session_token),
    CONSTRAINT "FK_e9658e959c490b0a634dfc54783" FOREIGN KEY (user_id)
        REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS "IDX_2c6e259a9af837c1a7090bdda1" ON user_sessions (user_id, is_active);
CREATE INDEX IF NOT EXISTS "IDX_dbc81ff542b1b3366bae195f2a" ON user_sessions (expires_at);
CREATE INDEX IF NOT EXISTS "IDX_e5eb7a3c7766f941fe16b9edec" ON user_sessions (session_token);
