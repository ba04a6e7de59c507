-- Audit by triggers, rules and event triggers.
CREATE SCHEMA audit;
CREATE TABLE audit.log (
    id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), who name DEFAULT CURRENT_USER,
    tab regclass, op text, old_row jsonb, new_row jsonb
);
CREATE TABLE accounts (id integer PRIMARY KEY, owner text, balance numeric DEFAULT 0, closed boolean);
CREATE TABLE transfers (id integer PRIMARY KEY, source integer REFERENCES accounts, target integer REFERENCES accounts, amount numeric);
CREATE VIEW account_view AS SELECT id, owner, balance FROM accounts;

CREATE FUNCTION audit.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    INSERT INTO audit.log (tab, op, old_row, new_row) VALUES (TG_RELID, TG_OP, to_jsonb(OLD), to_jsonb(NEW));
    RETURN coalesce(NEW, OLD);
END
$body$;
CREATE FUNCTION audit.transition() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM count(*) FROM fresh; RETURN NULL; END $$;
CREATE FUNCTION audit.check_balance() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION audit.instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
COMMENT ON FUNCTION audit.record() IS 'writes the log';

CREATE TRIGGER accounts_audit AFTER INSERT OR UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION audit.record();
CREATE TRIGGER accounts_when BEFORE UPDATE OF balance, owner ON accounts FOR EACH ROW WHEN (OLD.balance IS DISTINCT FROM NEW.balance) EXECUTE FUNCTION audit.record('a', 'it''s');
CREATE TRIGGER accounts_truncate BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION audit.record();
CREATE TRIGGER accounts_fresh AFTER INSERT ON accounts REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION audit.transition();
CREATE CONSTRAINT TRIGGER accounts_balance AFTER INSERT OR UPDATE ON accounts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.check_balance();
CREATE CONSTRAINT TRIGGER transfers_balance AFTER INSERT ON transfers FROM accounts NOT DEFERRABLE FOR EACH ROW EXECUTE FUNCTION audit.check_balance();
CREATE TRIGGER sleeping AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION audit.record();
ALTER TABLE transfers DISABLE TRIGGER sleeping;
CREATE TRIGGER on_replica AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION audit.record();
ALTER TABLE transfers ENABLE REPLICA TRIGGER on_replica;
CREATE TRIGGER always_on AFTER INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION audit.record();
ALTER TABLE transfers ENABLE ALWAYS TRIGGER always_on;
CREATE TRIGGER view_insert INSTEAD OF INSERT ON account_view FOR EACH ROW EXECUTE FUNCTION audit.instead();
COMMENT ON TRIGGER accounts_audit ON accounts IS 'who did it';

CREATE RULE no_delete AS ON DELETE TO audit.log DO INSTEAD NOTHING;
CREATE RULE view_update AS ON UPDATE TO account_view DO INSTEAD UPDATE accounts SET owner = NEW.owner WHERE id = OLD.id;
CREATE RULE log_insert AS ON INSERT TO transfers WHERE (NEW.amount > 1000) DO ALSO INSERT INTO audit.log (op) VALUES ('big');
CREATE RULE quiet AS ON UPDATE TO audit.log DO INSTEAD NOTHING;
ALTER TABLE audit.log DISABLE RULE quiet;
COMMENT ON RULE no_delete ON audit.log IS 'for ever';

CREATE FUNCTION audit.ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER watch_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION audit.ddl();
CREATE EVENT TRIGGER watch_drop ON sql_drop EXECUTE FUNCTION audit.ddl();
ALTER EVENT TRIGGER watch_drop DISABLE;
COMMENT ON EVENT TRIGGER watch_ddl IS 'tells';
