-- Views and functions.

-- case: another query
-- names: rich_bosses
CREATE OR REPLACE VIEW rich_bosses AS SELECT id, name FROM bosses WHERE salary > 200000;
-- case: a view dropped with its dependents
-- names: bosses, rich_bosses
DROP VIEW bosses CASCADE;
-- case: the same views again
-- same
DROP VIEW bosses CASCADE;
CREATE VIEW bosses AS SELECT DISTINCT b.id, b.name, b.boss, b.salary, b.team FROM people p JOIN people b ON p.boss = b.id;
CREATE VIEW rich_bosses AS SELECT id, name FROM bosses WHERE salary > 100000;
GRANT SELECT ON rich_bosses TO app_reader;
-- case: a view without its privileges
-- names: rich_bosses
DROP VIEW rich_bosses;
CREATE VIEW rich_bosses AS SELECT id, name FROM bosses WHERE salary > 100000;
-- case: a check option
-- names: checked
ALTER VIEW checked SET (check_option = local);
-- case: a view's default
-- names: checked
ALTER VIEW checked ALTER COLUMN team DROP DEFAULT;
-- case: another default of a view
-- names: checked
ALTER VIEW checked ALTER COLUMN team SET DEFAULT 'some';
-- case: a barrier
-- names: barrier
ALTER VIEW barrier SET (security_barrier = false);
-- case: a recursive view
-- names: tree
CREATE OR REPLACE RECURSIVE VIEW tree (id, depth) AS SELECT id, 0 FROM people WHERE boss IS NULL UNION ALL SELECT p.id, t.depth + 1 FROM people p JOIN tree t ON p.boss = t.id;
-- case: a materialised view's parameter
-- names: over_budget
ALTER MATERIALIZED VIEW over_budget SET (fillfactor = 81);
-- case: a materialised view filled
-- same
REFRESH MATERIALIZED VIEW over_budget;
-- case: a materialised view's storage
-- names: budgets
ALTER MATERIALIZED VIEW budgets ALTER COLUMN name SET STORAGE EXTENDED;
-- case: a materialised view's statistics target
-- names: budgets
ALTER MATERIALIZED VIEW budgets ALTER COLUMN name SET STATISTICS 10;
-- case: a materialised view's comment
-- names: budgets
COMMENT ON MATERIALIZED VIEW budgets IS NULL;
-- case: a comment on a materialised view's column
-- names: budgets
COMMENT ON COLUMN budgets.spent IS 'in a year';
-- case: a materialised view's owner
-- names: budgets
ALTER MATERIALIZED VIEW budgets OWNER TO app_owner;
-- case: a materialised view's privilege
-- names: budgets
REVOKE SELECT ON budgets FROM app_reader;
-- case: a materialised view clustered
-- names: budgets
ALTER MATERIALIZED VIEW budgets CLUSTER ON budgets_name;
-- case: a renamed materialised view
-- names: over_budget, too_much, on_matview
ALTER MATERIALIZED VIEW over_budget RENAME TO too_much;
-- case: a view turned into a materialised view
-- names: barrier
DROP VIEW barrier;
CREATE MATERIALIZED VIEW barrier AS SELECT id FROM people;
-- case: a view's table renamed
-- names: people, persons, bosses, checked, barrier, tree, budgets, uses_function, sweep, raise, boss_of
ALTER TABLE people RENAME TO persons;
-- case: a body with SQL
-- names: double_it
CREATE OR REPLACE FUNCTION double_it(x integer) RETURNS integer IMMUTABLE RETURN x * 3;
-- case: a body with SQL of several statements
-- names: raise
CREATE OR REPLACE FUNCTION raise(who integer, percent numeric DEFAULT 5) RETURNS numeric LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
    UPDATE people SET salary = salary * (1 + percent / 100) WHERE people.id = who;
    SELECT salary + 1 FROM people WHERE id = who;
END;
-- case: a default argument
-- names: raise
CREATE OR REPLACE FUNCTION raise(who integer, percent numeric DEFAULT 6) RETURNS numeric LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
    UPDATE people SET salary = salary * (1 + percent / 100) WHERE people.id = who;
    SELECT salary FROM people WHERE id = who;
END;
-- case: volatility
-- names: boss_of
ALTER FUNCTION boss_of(people) IMMUTABLE;
-- case: not leakproof
-- names: checked_name
ALTER FUNCTION checked_name(text) NOT LEAKPROOF;
-- case: called on null
-- names: checked_name
ALTER FUNCTION checked_name(text) CALLED ON NULL INPUT;
-- case: settings
-- names: with_settings
ALTER FUNCTION with_settings() RESET "my.setting";
-- case: another value of a setting
-- names: with_settings
ALTER FUNCTION with_settings() SET work_mem = '9MB';
-- case: a setting from the session
-- names: with_settings
ALTER FUNCTION with_settings() SET DateStyle FROM CURRENT;
-- case: a renamed function
-- names: double_it, twice_it, people, uses_function
ALTER FUNCTION double_it(integer) RENAME TO twice_it;
-- case: a dropped function
-- names: boss_of
DROP FUNCTION boss_of(people);
-- case: another return type
-- names: with_settings
DROP FUNCTION with_settings();
CREATE FUNCTION with_settings() RETURNS integer LANGUAGE plpgsql SET work_mem = '8MB' SET search_path TO public, "Odd" SET "my.setting" = 'a b' AS $$ BEGIN NULL; END $$;
-- case: another language
-- names: with_settings
SET check_function_bodies = off;
CREATE OR REPLACE FUNCTION with_settings() RETURNS void LANGUAGE sql SET work_mem = '8MB' SET search_path TO public, "Odd" SET "my.setting" = 'a b' AS $$ BEGIN NULL; END $$;
-- case: a procedure's body
-- names: close_books
CREATE OR REPLACE PROCEDURE close_books(INOUT year integer, reason text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN ROLLBACK; END $$;
-- case: a procedure's SQL body
-- names: sweep
CREATE OR REPLACE PROCEDURE sweep() BEGIN ATOMIC DELETE FROM people WHERE true; END;
-- case: a procedure's argument mode
-- names: close_books
DROP PROCEDURE close_books(integer, text);
CREATE PROCEDURE close_books(IN year integer, reason text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
COMMENT ON PROCEDURE close_books(integer, text) IS 'yearly';
-- case: a function instead of a procedure
-- names: sweep
DROP PROCEDURE sweep();
CREATE FUNCTION sweep() RETURNS void BEGIN ATOMIC DELETE FROM people WHERE false; END;
-- case: a procedure's comment
-- names: close_books
COMMENT ON PROCEDURE close_books(integer, text) IS NULL;
-- case: a procedure's owner
-- names: sweep
ALTER PROCEDURE sweep() OWNER TO app_owner;
-- case: the same function again
-- same
CREATE OR REPLACE FUNCTION boss_of(p people) RETURNS people LANGUAGE sql STABLE AS $$ SELECT b FROM people b WHERE b.id = p.boss $$;
-- case: a generated column's function
-- names: people.twice
ALTER TABLE people DROP COLUMN twice;
ALTER TABLE people ADD COLUMN twice integer GENERATED ALWAYS AS (double_it(id) + 1) STORED;
-- case: a security label
-- names: people
INSERT INTO pg_seclabel VALUES ('people'::regclass, 'pg_class'::regclass, 0, 'test', 'classified');
-- case: a security label of a column
-- names: people
INSERT INTO pg_seclabel VALUES ('people'::regclass, 'pg_class'::regclass, 2, 'test', 'classified');
-- case: a security label of a function
-- names: boss_of
INSERT INTO pg_seclabel VALUES ('boss_of(people)'::regprocedure, 'pg_proc'::regclass, 0, 'test', 'classified');
