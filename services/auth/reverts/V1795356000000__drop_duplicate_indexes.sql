-- migration: no-transaction
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE UNIQUE INDEX CONCURRENTLY "IDX_97672ac88f789774dd47f7c8be" ON users (email);
CREATE INDEX CONCURRENTLY "IDX_e5eb7a3c7766f941fe16b9edec" ON user_sessions (session_token);
CREATE INDEX CONCURRENTLY "IDX_8cfa60e2935f4b4f35eaa09606" ON sso_sessions ("sessionIndex");
CREATE INDEX CONCURRENTLY "IDX_SESSION_TOKEN" ON sessions (token);
CREATE UNIQUE INDEX CONCURRENTLY "IDX_4542dd2f38a61354a040ba9fd5" ON refresh_tokens (token);
CREATE INDEX CONCURRENTLY "IDX_9b7ca6d30b94fef571cff87688" ON organizations (name);
CREATE UNIQUE INDEX CONCURRENTLY "IDX_e42cf55faeafdcce01a82d2484" ON api_keys (key);
