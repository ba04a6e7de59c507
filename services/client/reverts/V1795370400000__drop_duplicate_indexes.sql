-- migration: no-transaction
-- migration: allow index-drop-not-concurrent "dropping takes no time once it has its lock, lock-timeout bounds the wait for that, and it is both or none"
--
-- CONCURRENTLY: the tables stay writable. The columns are unique already, so the builds cannot fail on
-- a duplicate.

CREATE UNIQUE INDEX CONCURRENTLY "IDX_375897948211b379ad8726c5e6" ON contracts ("contractNumber");
CREATE UNIQUE INDEX CONCURRENTLY "IDX_2a850b0972b11500683fe49b3c" ON clients (slug);
