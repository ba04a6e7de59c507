-- Types and what makes them usable.

-- case: a shell type
-- names: kit.another
CREATE TYPE kit.another;
-- case: a type without binary input
-- names: kit.label
ALTER TYPE kit.label SET (RECEIVE = NONE);
-- case: a type's comment
-- names: kit.label
COMMENT ON TYPE kit.label IS NULL;
-- case: a type's owner
-- names: kit.label
ALTER TYPE kit.label OWNER TO app_owner;
-- case: a type's privilege
-- names: kit.label
REVOKE USAGE ON TYPE kit.label FROM PUBLIC;
-- case: a type analysed otherwise
-- names: kit.label
ALTER TYPE kit.label SET (ANALYZE = array_typanalyze);
-- case: an operator
-- names: kit.
CREATE OPERATOR kit.@@@ (LEFTARG = kit.label, RIGHTARG = kit.label, FUNCTION = kit.label_eq);
-- case: no operator
-- names: |@
DROP OPERATOR kit.|@ (NONE, integer);
-- case: an operator's estimator
-- names: kit.<
ALTER OPERATOR kit.< (kit.label, kit.label) SET (RESTRICT = NONE);
-- case: an operator's join estimator
-- names: kit.=
ALTER OPERATOR kit.= (kit.label, kit.label) SET (JOIN = NONE);
-- case: an operator's function
-- names: |@, other_absolute
DROP OPERATOR kit.|@ (NONE, integer);
CREATE FUNCTION kit.other_absolute(integer) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'int4abs';
CREATE OPERATOR kit.|@ (RIGHTARG = integer, FUNCTION = kit.other_absolute);
COMMENT ON OPERATOR kit.|@ (NONE, integer) IS 'absolute';
-- case: an operator's commutator
-- names: kit.<
UPDATE pg_operator SET oprcom = (SELECT oid FROM pg_operator WHERE oprname = '>' AND oprleft = 'kit.label'::regtype) WHERE oprname = '<' AND oprleft = 'kit.label'::regtype;
-- case: an operator's comment
-- names: kit.=
COMMENT ON OPERATOR kit.= (kit.label, kit.label) IS NULL;
-- case: an operator's owner
-- names: kit.=
ALTER OPERATOR kit.= (kit.label, kit.label) OWNER TO app_owner;
-- case: an operator class of a family
-- names: kit.label_family
ALTER OPERATOR FAMILY kit.label_family USING btree ADD FUNCTION 1 (text, kit.label) bttextcmp(text, text);
-- case: an operator of a family
-- names: kit.lonely, label_hash
CREATE FUNCTION kit.label_hash(kit.label) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'hashtext';
ALTER OPERATOR FAMILY kit.lonely USING hash ADD OPERATOR 1 kit.= (kit.label, kit.label), FUNCTION 1 kit.label_hash(kit.label);
-- case: an empty family
-- names: kit.another_family
CREATE OPERATOR FAMILY kit.another_family USING hash;
-- case: an operator class
-- names: kit.array_ops
DROP OPERATOR CLASS kit.array_ops USING gin;
-- case: the storage of an operator class
-- names: kit.array_ops
DROP OPERATOR FAMILY kit.array_ops USING gin;
CREATE OPERATOR CLASS kit.array_ops FOR TYPE integer[] USING gin AS
    OPERATOR 1 && (anyarray, anyarray), OPERATOR 2 @> (anyarray, anyarray), FUNCTION 1 btint4cmp(integer, integer), FUNCTION 2 pg_catalog.ginarrayextract(anyarray, internal, internal), STORAGE integer;
-- case: an operator class that is not the default
-- names: label_ops, things_label
DROP INDEX kit.things_label;
DROP OPERATOR CLASS kit.label_ops USING btree;
CREATE OPERATOR CLASS kit.label_ops FOR TYPE kit.label USING btree FAMILY kit.label_family AS
    OPERATOR 1 kit.<, OPERATOR 3 kit.=, OPERATOR 5 kit.>, FUNCTION 1 kit.label_cmp(kit.label, kit.label);
COMMENT ON OPERATOR CLASS kit.label_ops USING btree IS 'sorts';
CREATE INDEX things_label ON kit.things (l kit.label_ops);
-- case: an operator class's comment
-- names: label_ops
COMMENT ON OPERATOR CLASS kit.label_ops USING btree IS NULL;
-- case: an operator class's owner
-- names: label_ops
ALTER OPERATOR CLASS kit.label_ops USING btree OWNER TO app_owner;
-- case: a family's comment
-- names: label_family
COMMENT ON OPERATOR FAMILY kit.label_family USING btree IS NULL;
-- case: a family's owner
-- names: label_family
ALTER OPERATOR FAMILY kit.label_family USING btree OWNER TO app_owner;
-- case: an implicit cast
-- names: kit.label AS text
DROP CAST (kit.label AS text);
CREATE CAST (kit.label AS text) WITHOUT FUNCTION AS ASSIGNMENT;
-- case: no cast
-- names: integer AS kit.label
DROP CAST (integer AS kit.label);
-- case: a cast by input and output
-- names: integer AS kit.label
DROP CAST (integer AS kit.label);
CREATE CAST (integer AS kit.label) WITH INOUT;
COMMENT ON CAST (integer AS kit.label) IS 'spelled';
-- case: a cast's comment
-- names: integer AS kit.label
COMMENT ON CAST (integer AS kit.label) IS NULL;
-- case: the same cast again
-- same
DROP CAST (kit.label AS json);
CREATE CAST (kit.label AS json) WITH INOUT;
-- case: an aggregate's start
-- names: kit.total
DROP AGGREGATE kit.total(integer);
CREATE AGGREGATE kit.total(integer) (SFUNC = kit.add, STYPE = bigint, FINALFUNC = kit.finish, COMBINEFUNC = kit.combine, INITCOND = '1', PARALLEL = SAFE, SSPACE = 64,
    MSFUNC = kit.add, MINVFUNC = kit.undo, MSTYPE = bigint, MINITCOND = '0', MFINALFUNC = kit.finish);
COMMENT ON AGGREGATE kit.total(integer) IS 'sum';
GRANT ALL ON FUNCTION kit.total(integer) TO app_writer;
-- case: an aggregate without combine function
-- names: kit.total
DROP AGGREGATE kit.total(integer);
CREATE AGGREGATE kit.total(integer) (SFUNC = kit.add, STYPE = bigint, FINALFUNC = kit.finish, INITCOND = '0', PARALLEL = SAFE, SSPACE = 64,
    MSFUNC = kit.add, MINVFUNC = kit.undo, MSTYPE = bigint, MINITCOND = '0', MFINALFUNC = kit.finish);
COMMENT ON AGGREGATE kit.total(integer) IS 'sum';
GRANT ALL ON FUNCTION kit.total(integer) TO app_writer;
-- case: an aggregate that does not move
-- names: kit.total
DROP AGGREGATE kit.total(integer);
CREATE AGGREGATE kit.total(integer) (SFUNC = kit.add, STYPE = bigint, FINALFUNC = kit.finish, COMBINEFUNC = kit.combine, INITCOND = '0', PARALLEL = SAFE, SSPACE = 64);
COMMENT ON AGGREGATE kit.total(integer) IS 'sum';
GRANT ALL ON FUNCTION kit.total(integer) TO app_writer;
-- case: an aggregate's space
-- names: kit.nothing
CREATE OR REPLACE AGGREGATE kit.nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0', SSPACE = 4);
-- case: an aggregate's parallel safety
-- names: kit.nothing
CREATE OR REPLACE AGGREGATE kit.nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0', PARALLEL = RESTRICTED);
-- case: an aggregate's sort operator
-- names: kit.biggest
CREATE OR REPLACE AGGREGATE kit.biggest(kit.label) (SFUNC = kit.larger, STYPE = kit.label);
-- case: an aggregate's final function may modify
-- names: kit.middle
CREATE OR REPLACE AGGREGATE kit.middle(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = SHAREABLE);
-- case: an aggregate's comment
-- names: kit.total
COMMENT ON AGGREGATE kit.total(integer) IS NULL;
-- case: an aggregate's owner
-- names: kit.total
ALTER AGGREGATE kit.total(integer) OWNER TO app_owner;
-- case: an aggregate's privilege
-- names: kit.total
REVOKE EXECUTE ON FUNCTION kit.total(integer) FROM PUBLIC;
-- case: a hypothetical aggregate dropped
-- names: kit.share
DROP AGGREGATE kit.share(VARIADIC "any" ORDER BY VARIADIC "any");
-- case: a window function becomes volatile
-- names: kit.winner
ALTER FUNCTION kit.winner VOLATILE;
-- case: a support function
-- names: kit.spread
ALTER FUNCTION kit.spread(anyarray) SUPPORT pg_catalog.array_unnest_support;
-- case: a language's handler
-- names: other_sql
CREATE OR REPLACE LANGUAGE other_sql HANDLER kit.call_handler INLINE kit.inline_handler;
-- case: a trusted language
-- names: other_sql
CREATE OR REPLACE TRUSTED LANGUAGE other_sql HANDLER kit.call_handler INLINE kit.inline_handler VALIDATOR kit.validator;
-- case: pg_dump does not print the system's handlers
-- same
CREATE OR REPLACE TRUSTED LANGUAGE system_sql HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler VALIDATOR plpgsql_validator;
-- case: a language's comment
-- names: other_sql
COMMENT ON LANGUAGE other_sql IS NULL;
-- case: a language's owner
-- names: other_sql
ALTER LANGUAGE other_sql OWNER TO app_owner;
-- case: a language's privilege
-- names: trusted_sql
REVOKE USAGE ON LANGUAGE trusted_sql FROM PUBLIC;
-- case: a transform
-- names: kit.label
CREATE OR REPLACE TRANSFORM FOR kit.label LANGUAGE other_sql (FROM SQL WITH FUNCTION kit.transform_out(internal));
-- case: no transform
-- names: kit.label
DROP TRANSFORM FOR kit.label LANGUAGE other_sql;
-- case: a transform's comment
-- names: kit.label
COMMENT ON TRANSFORM FOR kit.label LANGUAGE other_sql IS NULL;
-- case: functions that use a transform
-- names: kit.uses
CREATE FUNCTION kit.uses(kit.label) RETURNS void LANGUAGE other_sql TRANSFORM FOR TYPE kit.label AS 'BEGIN END';
-- case: an access method
-- names: another_heap
CREATE ACCESS METHOD another_heap TYPE TABLE HANDLER heap_tableam_handler;
-- case: an access method's comment
-- names: other_heap
COMMENT ON ACCESS METHOD other_heap IS NULL;
-- case: a table's access method
-- names: kit.other_things
DROP TABLE kit.other_things;
CREATE TABLE kit.other_things (id integer);
-- case: an array column
-- names: things.ls
ALTER TABLE kit.things ALTER COLUMN ls TYPE kit.label USING ls[1];
-- case: a function in C becomes another
-- names: kit.absolute
CREATE OR REPLACE FUNCTION kit.absolute(integer) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'int4um';
