-- migration: no-transaction
--
-- Indexes for the foreign keys that have none on the referencing side. Without one, deleting a client
-- or a contract reads the whole table for rows that name it as their parent, and holds its locks
-- meanwhile; so does listing subsidiaries and amendments.
--
-- The application's synchronisation must be off by now: it drops indexes that its entities do not know.
--
-- CONCURRENTLY: the tables stay writable. No IF NOT EXISTS: it would take the INVALID index that an
-- interrupted build leaves for a finished one.

CREATE INDEX CONCURRENTLY "IDX_clients_parentClientId" ON clients ("parentClientId");
CREATE INDEX CONCURRENTLY "IDX_contracts_parentContractId" ON contracts ("parentContractId");
