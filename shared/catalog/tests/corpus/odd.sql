-- Names that need quotes, and other oddities.
CREATE SCHEMA "Weird Schema";
CREATE SCHEMA "select";
COMMENT ON SCHEMA "Weird Schema" IS 'with a blank';
CREATE TYPE "Weird Schema"."Staté" AS ENUM ('Über', 'it''s', 'with "quotes"', 'back\slash', '');
CREATE TABLE "Weird Schema"."Mixed Case" (
    "Id" integer GENERATED ALWAYS AS IDENTITY,
    "the ""quoted"" one" text DEFAULT E'tab\tand \\ and ''quote''',
    "näme" text,
    "名前" varchar(5) DEFAULT '無名',
    "order" integer DEFAULT 1,
    "user" text,
    "a.b" text,
    "semi;colon" text DEFAULT ';',
    state "Weird Schema"."Staté" DEFAULT 'it''s',
    "$dollar$" text DEFAULT '$$',
    CONSTRAINT "PK of Mixed" PRIMARY KEY ("Id"),
    CONSTRAINT "check, really" CHECK ("order" > 0 AND "näme" <> 'a;b' AND "a.b" <> '--')
);
COMMENT ON COLUMN "Weird Schema"."Mixed Case"."a.b" IS E'a \\ backslash and a ''quote''; -- no comment';
CREATE TABLE "select"."table" ("from" integer PRIMARY KEY, "where" text, "Fk" integer REFERENCES "Weird Schema"."Mixed Case" ("Id"));
CREATE TABLE "select"."TABLE" ("from" integer);
CREATE TABLE public."a.b" (c integer);
CREATE SCHEMA a;
CREATE TABLE a.b (c integer);
CREATE TABLE public.no_columns ();
CREATE TABLE public.this_name_is_as_long_as_a_name_can_be_that_is_sixty_three_bytes (id serial, this_column_too_is_as_long_as_any_column_can_be_before_it_is_cu integer UNIQUE);
CREATE INDEX "Index: näme" ON "Weird Schema"."Mixed Case" ("näme", "order" DESC);
CREATE SEQUENCE "select"."Seq""ence";
ALTER TABLE "select"."table" ALTER COLUMN "from" SET DEFAULT nextval('"select"."Seq""ence"');
ALTER SEQUENCE "select"."Seq""ence" OWNED BY "select"."table"."from";
CREATE FUNCTION "Weird Schema"."Do It"("A b" integer, OUT "C" text) LANGUAGE plpgsql AS $$
-- a comment; with 'quotes' and "more
BEGIN
    "C" := '$x$';
    SET default_tablespace = '';
END
$$;
CREATE FUNCTION "select"."overload"(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION "select"."overload"(text) RETURNS integer LANGUAGE sql AS $q$ SELECT '$$'::text::integer $q$;
CREATE FUNCTION "select"."overload"(text, integer DEFAULT 7) RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE VIEW "Weird Schema"."Vïew" ("Column 1", "column 1") AS SELECT "Id", "näme" FROM "Weird Schema"."Mixed Case";
CREATE VIEW "select".no_column_view AS SELECT;
CREATE TRIGGER "Trigger ""x""" BEFORE UPDATE ON "Weird Schema"."Mixed Case" FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE "Rule" AS ON INSERT TO "select"."TABLE" DO ALSO NOTHING;
ALTER TABLE "Weird Schema"."Mixed Case" ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Policy; here" ON "Weird Schema"."Mixed Case" TO "Odd Role" USING ("user" = CURRENT_USER);
GRANT SELECT ("a.b") ON "Weird Schema"."Mixed Case" TO "Odd Role";
ALTER SCHEMA a OWNER TO "Odd Role";
CREATE PUBLICATION "Pub;" FOR TABLE "select"."table";
