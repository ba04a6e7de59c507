-- migration: no-transaction
--
-- IF EXISTS, so that an interrupted revert can be run again.

DROP INDEX CONCURRENTLY IF EXISTS "IDX_contracts_parentContractId";
DROP INDEX CONCURRENTLY IF EXISTS "IDX_clients_parentClientId";
