-- Triggers, rules, event triggers and their functions.

-- case: no trigger
-- names: accounts_audit
DROP TRIGGER accounts_audit ON accounts;
-- case: a disabled trigger
-- names: accounts_audit
ALTER TABLE accounts DISABLE TRIGGER accounts_audit;
-- case: an enabled trigger
-- names: sleeping
ALTER TABLE transfers ENABLE TRIGGER sleeping;
-- case: a replica trigger
-- names: accounts_audit
ALTER TABLE accounts ENABLE REPLICA TRIGGER accounts_audit;
-- case: always instead of replica
-- names: on_replica
ALTER TABLE transfers ENABLE ALWAYS TRIGGER on_replica;
-- case: all user triggers disabled
-- names: accounts
ALTER TABLE accounts DISABLE TRIGGER USER;
-- case: the triggers of foreign keys disabled
-- same
ALTER TABLE transfers DISABLE TRIGGER ALL;
ALTER TABLE transfers ENABLE TRIGGER ALL;
ALTER TABLE transfers DISABLE TRIGGER sleeping;
ALTER TABLE transfers ENABLE REPLICA TRIGGER on_replica;
ALTER TABLE transfers ENABLE ALWAYS TRIGGER always_on;
-- case: a disabled view trigger
-- names: view_insert
DROP TRIGGER view_insert ON account_view;
-- case: a trigger's condition
-- names: accounts_when
DROP TRIGGER accounts_when ON accounts;
CREATE TRIGGER accounts_when BEFORE UPDATE OF balance, owner ON accounts FOR EACH ROW WHEN (OLD.balance <> NEW.balance) EXECUTE FUNCTION audit.record('a', 'it''s');
-- case: a trigger's arguments
-- names: accounts_when
DROP TRIGGER accounts_when ON accounts;
CREATE TRIGGER accounts_when BEFORE UPDATE OF balance, owner ON accounts FOR EACH ROW WHEN (OLD.balance IS DISTINCT FROM NEW.balance) EXECUTE FUNCTION audit.record('a');
-- case: a trigger's columns
-- names: accounts_when
DROP TRIGGER accounts_when ON accounts;
CREATE TRIGGER accounts_when BEFORE UPDATE OF balance ON accounts FOR EACH ROW WHEN (OLD.balance IS DISTINCT FROM NEW.balance) EXECUTE FUNCTION audit.record('a', 'it''s');
-- case: a trigger for each statement
-- names: sleeping
DROP TRIGGER sleeping ON transfers;
CREATE TRIGGER sleeping AFTER INSERT ON transfers FOR EACH STATEMENT EXECUTE FUNCTION audit.record();
ALTER TABLE transfers DISABLE TRIGGER sleeping;
-- case: before instead of after
-- names: accounts_audit
CREATE OR REPLACE TRIGGER accounts_audit BEFORE INSERT OR UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION audit.record();
-- case: another function
-- names: accounts_balance
DROP TRIGGER accounts_balance ON accounts;
CREATE CONSTRAINT TRIGGER accounts_balance AFTER INSERT OR UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.record();
-- case: a transition table's name
-- names: accounts_fresh
DROP TRIGGER accounts_fresh ON accounts;
CREATE TRIGGER accounts_fresh AFTER INSERT ON accounts REFERENCING NEW TABLE AS newer FOR EACH STATEMENT EXECUTE FUNCTION audit.transition();
-- case: a constraint trigger that is not deferrable
-- names: accounts_balance
DROP TRIGGER accounts_balance ON accounts;
CREATE CONSTRAINT TRIGGER accounts_balance AFTER INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION audit.check_balance();
-- case: a constraint trigger from no table
-- names: transfers_balance
DROP TRIGGER transfers_balance ON transfers;
CREATE CONSTRAINT TRIGGER transfers_balance AFTER INSERT ON transfers NOT DEFERRABLE FOR EACH ROW EXECUTE FUNCTION audit.check_balance();
-- case: a renamed trigger
-- names: accounts_truncate, emptied
ALTER TRIGGER accounts_truncate ON accounts RENAME TO emptied;
-- case: a trigger's comment
-- names: accounts_audit
COMMENT ON TRIGGER accounts_audit ON accounts IS NULL;
-- case: the same trigger again
-- same
DROP TRIGGER accounts_fresh ON accounts;
CREATE TRIGGER accounts_fresh AFTER INSERT ON accounts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit.transition();
-- case: no rule
-- names: log_insert
DROP RULE log_insert ON transfers;
-- case: another rule
-- names: log_insert
CREATE OR REPLACE RULE log_insert AS ON INSERT TO transfers WHERE (NEW.amount > 2000) DO ALSO INSERT INTO audit.log (op) VALUES ('big');
-- case: a disabled rule
-- names: no_delete
ALTER TABLE audit.log DISABLE RULE no_delete;
-- case: an enabled rule
-- names: quiet
ALTER TABLE audit.log ENABLE RULE quiet;
-- case: a rule on replicas
-- names: quiet
ALTER TABLE audit.log ENABLE REPLICA RULE quiet;
-- case: a rule of a view
-- names: view_update
DROP RULE view_update ON account_view;
-- case: a renamed rule
-- names: no_delete, keep
ALTER RULE no_delete ON audit.log RENAME TO keep;
-- case: a rule's comment
-- names: no_delete
COMMENT ON RULE no_delete ON audit.log IS NULL;
-- case: no event trigger
-- names: watch_ddl
DROP EVENT TRIGGER watch_ddl;
-- case: a disabled event trigger
-- names: watch_ddl
ALTER EVENT TRIGGER watch_ddl DISABLE;
-- case: an enabled event trigger
-- names: watch_drop
ALTER EVENT TRIGGER watch_drop ENABLE ALWAYS;
-- case: other tags
-- names: watch_ddl
DROP EVENT TRIGGER watch_ddl;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION audit.ddl();
COMMENT ON EVENT TRIGGER watch_ddl IS 'tells';
-- case: another event
-- names: watch_ddl
DROP EVENT TRIGGER watch_ddl;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_start WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION audit.ddl();
COMMENT ON EVENT TRIGGER watch_ddl IS 'tells';
-- case: an event trigger's comment
-- names: watch_ddl
COMMENT ON EVENT TRIGGER watch_ddl IS NULL;
-- case: a renamed event trigger
-- names: watch_ddl, look
ALTER EVENT TRIGGER watch_ddl RENAME TO look;
-- case: a function's body
-- names: audit.ddl
CREATE OR REPLACE FUNCTION audit.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL;  END $$;
-- case: a function's security
-- names: audit.record
ALTER FUNCTION audit.record() SECURITY INVOKER;
-- case: a function's comment
-- names: audit.record
COMMENT ON FUNCTION audit.record() IS NULL;
-- case: a regclass default
-- names: audit.log.id
ALTER TABLE audit.log ALTER COLUMN id SET DEFAULT 1;
-- case: another special default
-- names: audit.log.who
ALTER TABLE audit.log ALTER COLUMN who SET DEFAULT SESSION_USER;
-- case: a view's default
-- names: account_view
ALTER VIEW account_view ALTER COLUMN balance SET DEFAULT 5;
