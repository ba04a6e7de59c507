-- Text search, collations, conversions, and functions with every kind of argument.

-- case: a dictionary's options
-- names: search.stem
ALTER TEXT SEARCH DICTIONARY search.stem (stopwords = dutch);
-- case: no option
-- names: search.stem
ALTER TEXT SEARCH DICTIONARY search.stem (stopwords);
-- case: no dictionary
-- names: search.extra
CREATE TEXT SEARCH DICTIONARY search.extra (TEMPLATE = simple);
-- case: a dictionary's comment
-- names: search.stem
COMMENT ON TEXT SEARCH DICTIONARY search.stem IS NULL;
-- case: a dictionary's owner
-- names: search.stem
ALTER TEXT SEARCH DICTIONARY search.stem OWNER TO app_owner;
-- case: a mapping
-- names: search.articles
ALTER TEXT SEARCH CONFIGURATION search.articles ALTER MAPPING FOR asciiword WITH search.stem;
-- case: dictionaries in another order
-- names: search.articles
ALTER TEXT SEARCH CONFIGURATION search.articles ALTER MAPPING FOR asciiword, word WITH search.stem, search.plain;
-- case: a new mapping
-- names: search.articles
ALTER TEXT SEARCH CONFIGURATION search.articles ADD MAPPING FOR email WITH simple;
-- case: a mapping dropped
-- names: search.own
ALTER TEXT SEARCH CONFIGURATION search.own DROP MAPPING FOR asciiword;
-- case: the same mapping again
-- same
ALTER TEXT SEARCH CONFIGURATION search.own DROP MAPPING FOR asciiword;
ALTER TEXT SEARCH CONFIGURATION search.own ADD MAPPING FOR asciiword WITH search.stem;
-- case: a configuration's comment
-- names: search.articles
COMMENT ON TEXT SEARCH CONFIGURATION search.articles IS 'x';
-- case: a renamed configuration
-- names: search.own, search.mine
ALTER TEXT SEARCH CONFIGURATION search.own RENAME TO mine;
-- case: another parser of a configuration
-- names: search.own
DROP TEXT SEARCH CONFIGURATION search.own;
CREATE TEXT SEARCH CONFIGURATION search.own (PARSER = pg_catalog.default);
ALTER TEXT SEARCH CONFIGURATION search.own ADD MAPPING FOR asciiword WITH search.stem;
-- case: a parser without headlines
-- names: search.words2
CREATE TEXT SEARCH PARSER search.words2 (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
-- case: a parser's comment
-- names: search.words
COMMENT ON TEXT SEARCH PARSER search.words IS NULL;
-- case: a template
-- names: search.copy
DROP TEXT SEARCH TEMPLATE search.copy;
CREATE TEXT SEARCH TEMPLATE search.copy (LEXIZE = dsimple_lexize);
COMMENT ON TEXT SEARCH TEMPLATE search.copy IS 'of simple';
-- case: a collation
-- names: search.extra
CREATE COLLATION search.extra (provider = libc, lc_collate = 'C', lc_ctype = 'POSIX');
-- case: another locale of a collation
-- names: search.posix
DROP INDEX search.articles_title;
DROP COLLATION search.posix;
CREATE COLLATION search.posix (locale = 'C.UTF-8');
CREATE INDEX articles_title ON search.articles (title COLLATE search.posix, rank);
-- case: a collation's comment
-- names: search.bytes
COMMENT ON COLLATION search.bytes IS NULL;
-- case: a collation's owner
-- names: search.bytes
ALTER COLLATION search.bytes OWNER TO app_owner;
-- case: a renamed collation
-- names: search.bytes, search.octets, articles.title
ALTER COLLATION search.bytes RENAME TO octets;
-- case: an icu collation that is not deterministic
-- needs: icu
-- names: search.loose
CREATE COLLATION search.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
-- case: rules of a collation
-- needs: icu
-- needs: 16
-- names: search.loose
CREATE COLLATION search.loose (provider = icu, locale = 'und', rules = '& V << w <<< W');
-- case: a builtin collation
-- needs: 17
-- names: search.built
CREATE COLLATION search.built (provider = builtin, locale = 'C.UTF-8');
-- case: a conversion
-- names: search.to_utf8
DROP CONVERSION search.to_utf8;
CREATE DEFAULT CONVERSION search.to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION search.to_utf8 IS 'old mail';
-- case: a conversion's comment
-- names: search.to_utf8
COMMENT ON CONVERSION search.to_utf8 IS NULL;
-- case: a conversion's owner
-- names: search.to_utf8
ALTER CONVERSION search.to_utf8 OWNER TO app_owner;
-- case: an index parameter
-- names: articles_words
ALTER INDEX search.articles_words RESET (fastupdate);
-- case: a parameter of an operator class
-- names: articles_words_gist
DROP INDEX search.articles_words_gist;
CREATE INDEX articles_words_gist ON search.articles USING gist (words tsvector_ops (siglen = 32));
-- case: a function's default argument
-- names: search.find
CREATE OR REPLACE FUNCTION search.find(query text, VARIADIC limits integer[] DEFAULT ARRAY[20]) RETURNS SETOF search.articles LANGUAGE sql STABLE ROWS 50 COST 200 PARALLEL SAFE
    AS $$ SELECT * FROM search.articles WHERE words @@ plainto_tsquery(query) $$;
-- case: a function's argument name
-- names: search.find
DROP FUNCTION search.find;
CREATE FUNCTION search.find(wanted text, VARIADIC limits integer[] DEFAULT ARRAY[10]) RETURNS SETOF search.articles LANGUAGE sql STABLE ROWS 50 COST 200 PARALLEL SAFE
    AS $$ SELECT * FROM search.articles WHERE words @@ plainto_tsquery($1) $$;
-- case: rows
-- names: search.find
ALTER FUNCTION search.find ROWS 60;
-- case: cost
-- names: search.find
ALTER FUNCTION search.find COST 100;
-- case: parallel
-- names: search.find
ALTER FUNCTION search.find PARALLEL RESTRICTED;
-- case: volatility
-- names: search.headline
ALTER FUNCTION search.headline VOLATILE;
-- case: strict
-- names: search.headline
ALTER FUNCTION search.headline STRICT;
-- case: leakproof
-- names: search.headline
ALTER FUNCTION search.headline LEAKPROOF;
-- case: a setting of a function
-- names: search.headline
ALTER FUNCTION search.headline SET work_mem = '5MB';
-- case: a result column
-- names: search.rows
DROP FUNCTION search.rows;
CREATE FUNCTION search.rows() RETURNS TABLE (id integer, heading text) LANGUAGE sql AS $$ SELECT id, title FROM search.articles $$;
-- case: an overload
-- names: search.rows
CREATE FUNCTION search.rows(integer) RETURNS TABLE (id integer, title text) LANGUAGE sql AS $$ SELECT id, title FROM search.articles $$;
-- case: a generated column's weight
-- names: articles.words
ALTER TABLE search.articles DROP COLUMN words;
ALTER TABLE search.articles ADD COLUMN words tsvector GENERATED ALWAYS AS (setweight(to_tsvector('search.articles', title), 'B') || to_tsvector('pg_catalog.english', coalesce(body, ''))) STORED;
CREATE INDEX articles_words ON search.articles USING gin (words) WITH (fastupdate = off);
CREATE INDEX articles_words_gist ON search.articles USING gist (words tsvector_ops (siglen = 64));
-- case: the type of an identity's sequence is its column's for pg_dump
-- same
ALTER SEQUENCE search.articles_id_seq AS bigint;
