-- migration: lock-timeout 2s
--
-- Two unique indexes that double the one of a unique constraint: every write to clients and contracts
-- kept both. UQ_ad0c1c446ac158de654e8820221 (slug) and UQ_f7c91e57a5f344e18b93f97ed54
-- ("contractNumber") stay, so both columns are as unique as before.
--
-- Not CONCURRENTLY: dropping takes no time once it has its lock, and this way it is both or none.

DROP INDEX "IDX_2a850b0972b11500683fe49b3c";
DROP INDEX "IDX_375897948211b379ad8726c5e6";
