-- migration: allow naming-style "user_sessions is in snake_case in the application's entity, whose schema is adopted as it is"
-- migration: allow timestamp-without-zone "the state of synchronized databases is adopted exactly, with the types of the application's entities"
--
-- LOST: the rows of user_sessions. Save them first (orchestrator backup) where they matter.
--
-- IF EXISTS: the running application never needed the table, and somebody may have dropped it.

DROP TABLE IF EXISTS user_sessions;
