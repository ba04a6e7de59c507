-- Views on views, functions with SQL bodies, and their dependencies.
CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, boss integer REFERENCES people, salary numeric, team text);
CREATE TABLE teams (name text PRIMARY KEY, budget numeric);
CREATE VIEW bosses AS SELECT DISTINCT b.* FROM people p JOIN people b ON p.boss = b.id;
CREATE VIEW rich_bosses AS SELECT id, name FROM bosses WHERE salary > 100000;
CREATE VIEW checked AS SELECT id, name, team FROM people WHERE team IS NOT NULL WITH CASCADED CHECK OPTION;
ALTER VIEW checked ALTER COLUMN team SET DEFAULT 'none';
CREATE VIEW barrier WITH (security_barrier) AS SELECT id FROM people;
CREATE RECURSIVE VIEW tree (id, depth) AS SELECT id, 1 FROM people WHERE boss IS NULL UNION ALL SELECT p.id, t.depth + 1 FROM people p JOIN tree t ON p.boss = t.id;
CREATE MATERIALIZED VIEW budgets AS SELECT t.name, t.budget, sum(p.salary) AS spent FROM teams t LEFT JOIN people p ON p.team = t.name GROUP BY t.name;
CREATE MATERIALIZED VIEW over_budget WITH (fillfactor = 80) AS SELECT * FROM budgets WHERE spent > budget WITH NO DATA;
CREATE VIEW on_matview AS SELECT name FROM over_budget;
CREATE UNIQUE INDEX budgets_name ON budgets (name);
ALTER MATERIALIZED VIEW budgets ALTER COLUMN name SET STORAGE EXTERNAL;
COMMENT ON MATERIALIZED VIEW budgets IS 'once a night';

CREATE FUNCTION raise(who integer, percent numeric DEFAULT 5) RETURNS numeric LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
    UPDATE people SET salary = salary * (1 + percent / 100) WHERE people.id = who;
    SELECT salary FROM people WHERE id = who;
END;
CREATE FUNCTION double_it(x integer) RETURNS integer IMMUTABLE RETURN x * 2;
CREATE PROCEDURE close_books(INOUT year integer, reason text DEFAULT NULL) LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE PROCEDURE sweep() BEGIN ATOMIC DELETE FROM people WHERE false; END;
CREATE FUNCTION boss_of(p people) RETURNS people LANGUAGE sql STABLE AS $$ SELECT b FROM people b WHERE b.id = p.boss $$;
CREATE FUNCTION checked_name(text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURNS NULL ON NULL INPUT LEAKPROOF AS $$ SELECT $1 <> '' $$;
CREATE FUNCTION with_settings() RETURNS void LANGUAGE plpgsql SET work_mem = '8MB' SET search_path TO public, "Odd" SET "my.setting" = 'a b' AS $$ BEGIN NULL; END $$;
ALTER TABLE people ADD CONSTRAINT name_checked CHECK (checked_name(name));
ALTER TABLE people ADD COLUMN twice integer GENERATED ALWAYS AS (double_it(id)) STORED;
CREATE INDEX people_twice ON people (double_it(id));
CREATE VIEW uses_function AS SELECT id, double_it(id) AS d FROM people ORDER BY id;
GRANT SELECT ON rich_bosses, budgets TO app_reader;
COMMENT ON PROCEDURE close_books(integer, text) IS 'yearly';
COMMENT ON FUNCTION double_it(integer) IS 'doubles';
