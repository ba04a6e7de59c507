-- Types, operators and everything that a usable type needs.
CREATE SCHEMA kit;
CREATE TYPE kit.label;
CREATE FUNCTION kit.label_in(cstring) RETURNS kit.label LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textin';
CREATE FUNCTION kit.label_out(kit.label) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textout';
CREATE FUNCTION kit.label_recv(internal) RETURNS kit.label LANGUAGE internal STABLE STRICT AS 'textrecv';
CREATE FUNCTION kit.label_send(kit.label) RETURNS bytea LANGUAGE internal STABLE STRICT AS 'textsend';
CREATE TYPE kit.label (INPUT = kit.label_in, OUTPUT = kit.label_out, RECEIVE = kit.label_recv, SEND = kit.label_send,
    LIKE = text, CATEGORY = 'U', PREFERRED = false, DELIMITER = ';', DEFAULT = 'none', COLLATABLE = true);
CREATE TYPE kit.never_finished;
COMMENT ON TYPE kit.label IS 'a text of another name';

CREATE FUNCTION kit.label_eq(kit.label, kit.label) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'texteq';
CREATE FUNCTION kit.label_ne(kit.label, kit.label) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'textne';
CREATE FUNCTION kit.label_lt(kit.label, kit.label) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'text_lt';
CREATE FUNCTION kit.label_gt(kit.label, kit.label) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'text_gt';
CREATE FUNCTION kit.label_cmp(kit.label, kit.label) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'bttextcmp';
CREATE OPERATOR kit.= (LEFTARG = kit.label, RIGHTARG = kit.label, FUNCTION = kit.label_eq, COMMUTATOR = OPERATOR(kit.=), NEGATOR = OPERATOR(kit.<>), RESTRICT = eqsel, JOIN = eqjoinsel, MERGES, HASHES);
CREATE OPERATOR kit.<> (LEFTARG = kit.label, RIGHTARG = kit.label, FUNCTION = kit.label_ne, COMMUTATOR = OPERATOR(kit.<>), NEGATOR = OPERATOR(kit.=));
CREATE OPERATOR kit.< (LEFTARG = kit.label, RIGHTARG = kit.label, FUNCTION = kit.label_lt, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR kit.> (LEFTARG = kit.label, RIGHTARG = kit.label, FUNCTION = kit.label_gt);
CREATE FUNCTION kit.absolute(integer) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'int4abs';
CREATE OPERATOR kit.|@ (RIGHTARG = integer, FUNCTION = kit.absolute);
COMMENT ON OPERATOR kit.= (kit.label, kit.label) IS 'the same';
COMMENT ON OPERATOR kit.|@ (NONE, integer) IS 'absolute';

CREATE OPERATOR FAMILY kit.label_family USING btree;
CREATE OPERATOR CLASS kit.label_ops DEFAULT FOR TYPE kit.label USING btree FAMILY kit.label_family AS
    OPERATOR 1 kit.<, OPERATOR 3 kit.=, OPERATOR 5 kit.>, FUNCTION 1 kit.label_cmp(kit.label, kit.label);
CREATE OPERATOR FAMILY kit.lonely USING hash;
COMMENT ON OPERATOR CLASS kit.label_ops USING btree IS 'sorts';
COMMENT ON OPERATOR FAMILY kit.label_family USING btree IS 'sorters';
CREATE OPERATOR CLASS kit.array_ops FOR TYPE integer[] USING gin AS
    OPERATOR 1 && (anyarray, anyarray), FUNCTION 1 btint4cmp(integer, integer), FUNCTION 2 pg_catalog.ginarrayextract(anyarray, internal, internal), STORAGE integer;

CREATE FUNCTION kit.to_label(integer) RETURNS kit.label LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text::kit.label $$;
CREATE CAST (kit.label AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS kit.label) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (integer AS kit.label) WITH FUNCTION kit.to_label(integer);
CREATE CAST (kit.label AS json) WITH INOUT;
COMMENT ON CAST (integer AS kit.label) IS 'spelled';

CREATE FUNCTION kit.add(state bigint, value integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT state + coalesce(value, 0) $$;
CREATE FUNCTION kit.undo(state bigint, value integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT state - coalesce(value, 0) $$;
CREATE FUNCTION kit.finish(state bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT state::text $$;
CREATE FUNCTION kit.combine(a bigint, b bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT a + b $$;
CREATE AGGREGATE kit.total(integer) (SFUNC = kit.add, STYPE = bigint, FINALFUNC = kit.finish, COMBINEFUNC = kit.combine, INITCOND = '0', PARALLEL = SAFE, SSPACE = 64,
    MSFUNC = kit.add, MINVFUNC = kit.undo, MSTYPE = bigint, MINITCOND = '0', MFINALFUNC = kit.finish);
CREATE FUNCTION kit.larger(kit.label, kit.label) RETURNS kit.label LANGUAGE internal IMMUTABLE STRICT AS 'text_larger';
CREATE AGGREGATE kit.biggest(kit.label) (SFUNC = kit.larger, STYPE = kit.label, SORTOP = OPERATOR(kit.>));
CREATE AGGREGATE kit.share(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE kit.middle(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE kit.nothing(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
COMMENT ON AGGREGATE kit.total(integer) IS 'sum';
CREATE FUNCTION kit.winner(anyelement) RETURNS anyelement LANGUAGE internal WINDOW IMMUTABLE STRICT AS 'window_first_value';
CREATE FUNCTION kit.support(internal) RETURNS internal LANGUAGE internal STRICT AS 'array_unnest_support';
CREATE FUNCTION kit.spread(anyarray) RETURNS SETOF anyelement LANGUAGE internal IMMUTABLE STRICT SUPPORT kit.support AS 'array_unnest';
GRANT EXECUTE ON FUNCTION kit.add(bigint, integer) TO app_reader;
GRANT ALL ON FUNCTION kit.total(integer) TO app_writer;

CREATE FUNCTION kit.call_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE FUNCTION kit.inline_handler(internal) RETURNS void LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_inline_handler';
CREATE FUNCTION kit.validator(oid) RETURNS void LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_validator';
CREATE LANGUAGE other_sql HANDLER kit.call_handler INLINE kit.inline_handler VALIDATOR kit.validator;
CREATE TRUSTED LANGUAGE trusted_sql HANDLER kit.call_handler;
CREATE LANGUAGE system_sql HANDLER plpgsql_call_handler INLINE plpgsql_inline_handler;
COMMENT ON LANGUAGE other_sql IS 'the same';
GRANT USAGE ON LANGUAGE trusted_sql TO app_reader;
CREATE FUNCTION kit.transform_in(internal) RETURNS kit.label LANGUAGE internal IMMUTABLE AS 'textin';
CREATE FUNCTION kit.transform_out(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'textout';
CREATE TRANSFORM FOR kit.label LANGUAGE other_sql (FROM SQL WITH FUNCTION kit.transform_out(internal), TO SQL WITH FUNCTION kit.transform_in(internal));
COMMENT ON TRANSFORM FOR kit.label LANGUAGE other_sql IS 'as text';
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE ACCESS METHOD other_btree TYPE INDEX HANDLER bthandler;
COMMENT ON ACCESS METHOD other_heap IS 'the same heap';

CREATE TABLE kit.things (id integer PRIMARY KEY, l kit.label DEFAULT 'x', ls kit.label[]);
CREATE INDEX things_label ON kit.things (l);
CREATE TABLE kit.other_things (id integer) USING other_heap;
