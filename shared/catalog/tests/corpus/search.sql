-- Full text search, collations, conversions.
CREATE SCHEMA search;
CREATE COLLATION search.bytes (provider = libc, locale = 'C');
CREATE COLLATION search.posix FROM "POSIX";
COMMENT ON COLLATION search.bytes IS 'plain';
CREATE TEXT SEARCH DICTIONARY search.stem (TEMPLATE = snowball, language = english, stopwords = english);
CREATE TEXT SEARCH DICTIONARY search.plain (TEMPLATE = simple, accept = false);
CREATE TEXT SEARCH PARSER search.words (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE search.copy (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH CONFIGURATION search.articles (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION search.articles ALTER MAPPING FOR asciiword, word WITH search.plain, search.stem;
ALTER TEXT SEARCH CONFIGURATION search.articles DROP MAPPING FOR email, url;
CREATE TEXT SEARCH CONFIGURATION search.own (PARSER = search.words);
ALTER TEXT SEARCH CONFIGURATION search.own ADD MAPPING FOR asciiword WITH search.stem;
COMMENT ON TEXT SEARCH CONFIGURATION search.articles IS 'for articles';
COMMENT ON TEXT SEARCH DICTIONARY search.stem IS 'stems';
COMMENT ON TEXT SEARCH PARSER search.words IS 'the default''s';
COMMENT ON TEXT SEARCH TEMPLATE search.copy IS 'of simple';
CREATE CONVERSION search.to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION search.to_utf8 IS 'old mail';

CREATE TABLE search.articles (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text COLLATE search.bytes NOT NULL,
    body text,
    words tsvector GENERATED ALWAYS AS (setweight(to_tsvector('search.articles', title), 'A') || to_tsvector('pg_catalog.english', coalesce(body, ''))) STORED,
    rank real DEFAULT 0.1
);
CREATE INDEX articles_words ON search.articles USING gin (words) WITH (fastupdate = off);
CREATE INDEX articles_words_gist ON search.articles USING gist (words tsvector_ops (siglen = 64));
CREATE INDEX articles_title ON search.articles (title COLLATE search.posix, rank);
CREATE FUNCTION search.find(query text, VARIADIC limits integer[] DEFAULT ARRAY[10]) RETURNS SETOF search.articles LANGUAGE sql STABLE ROWS 50 COST 200 PARALLEL SAFE
    AS $$ SELECT * FROM search.articles WHERE words @@ plainto_tsquery(query) $$;
CREATE FUNCTION search.headline(a search.articles, OUT head text, INOUT score real) LANGUAGE sql IMMUTABLE AS $$ SELECT a.title, score $$;
CREATE FUNCTION search.rows() RETURNS TABLE (id integer, title text) LANGUAGE sql AS $$ SELECT id, title FROM search.articles $$;
