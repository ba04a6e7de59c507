-- migration: no-transaction
--
-- Drops the indexes that double the index of a unique constraint over the same column. Each costs a
-- write with every row, and answers nothing that the constraint's own index does not.
--
-- The application declares them beside the constraints: while it still synchronises, each of its starts
-- creates them again. Switch synchronize off first.
--
-- CONCURRENTLY: nobody waits for the drop. IF EXISTS, so that an interrupted run can go on.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_e42cf55faeafdcce01a82d2484"; -- api_keys (key)
DROP INDEX CONCURRENTLY IF EXISTS "IDX_9b7ca6d30b94fef571cff87688"; -- organizations (name)
DROP INDEX CONCURRENTLY IF EXISTS "IDX_4542dd2f38a61354a040ba9fd5"; -- refresh_tokens (token)
DROP INDEX CONCURRENTLY IF EXISTS "IDX_SESSION_TOKEN";              -- sessions (token)
DROP INDEX CONCURRENTLY IF EXISTS "IDX_8cfa60e2935f4b4f35eaa09606"; -- sso_sessions ("sessionIndex")
DROP INDEX CONCURRENTLY IF EXISTS "IDX_e5eb7a3c7766f941fe16b9edec"; -- user_sessions (session_token)
DROP INDEX CONCURRENTLY IF EXISTS "IDX_97672ac88f789774dd47f7c8be"; -- users (email)
