-- Odd names.

-- case: a default with a semicolon
-- names: semi;colon
ALTER TABLE "Weird Schema"."Mixed Case" ALTER COLUMN "semi;colon" SET DEFAULT '; --';
-- case: a default with a backslash
-- names: quoted
ALTER TABLE "Weird Schema"."Mixed Case" ALTER COLUMN "the ""quoted"" one" SET DEFAULT E'tab\tand \\\\ and ''quote''';
-- case: a default with dollars
-- names: $dollar$
ALTER TABLE "Weird Schema"."Mixed Case" ALTER COLUMN "$dollar$" SET DEFAULT '$';
-- case: unicode
-- names: 名前
ALTER TABLE "Weird Schema"."Mixed Case" ALTER COLUMN "名前" SET DEFAULT '無';
-- case: another letter case
-- names: Mixed Case
ALTER TABLE "Weird Schema"."Mixed Case" RENAME COLUMN "user" TO "User";
-- case: a table whose name differs in letter case
-- names: TABLE
DROP TABLE "select"."TABLE";
-- case: a column added to the table with the small name
-- names: "table".more
ALTER TABLE "select"."table" ADD COLUMN more text;
-- case: a dotted name
-- names: "a.b".d
ALTER TABLE public."a.b" ADD COLUMN d integer;
-- case: the name without dots
-- names: a.b.d
ALTER TABLE a.b ADD COLUMN d integer;
-- case: a comment with a quote
-- names: a.b
COMMENT ON COLUMN "Weird Schema"."Mixed Case"."a.b" IS E'a \\ backslash and a ''quote''; --no comment';
-- case: a comment of several lines
-- names: Mixed Case
COMMENT ON TABLE "Weird Schema"."Mixed Case" IS E'-- Name: x; Type: TABLE; Schema: y; Owner: z\n--\n\nCREATE TABLE x ();\n\\restrict x\nSET x = y;';
-- case: a table without columns gets one
-- names: no_columns
ALTER TABLE no_columns ADD COLUMN c integer;
-- case: a table without columns dropped
-- names: no_columns
DROP TABLE no_columns;
-- case: a column added and dropped where none was
-- same
ALTER TABLE no_columns ADD COLUMN c integer;
ALTER TABLE no_columns DROP COLUMN c;
-- case: a long name
-- names: this_name
ALTER TABLE this_name_is_as_long_as_a_name_can_be_that_is_sixty_three_bytes ALTER COLUMN id DROP NOT NULL;
-- case: a label with quotes
-- names: Staté
ALTER TYPE "Weird Schema"."Staté" RENAME VALUE 'with "quotes"' TO 'with ''quotes''';
-- case: an odd index
-- names: Index: näme
DROP INDEX "Weird Schema"."Index: näme";
-- case: an odd sequence
-- names: Seq
ALTER SEQUENCE "select"."Seq""ence" OWNED BY NONE;
-- case: a body with quotes
-- names: Do It
CREATE OR REPLACE FUNCTION "Weird Schema"."Do It"("A b" integer, OUT "C" text) LANGUAGE plpgsql AS $$
-- a comment; with 'quotes' and "more
BEGIN
    "C" := '$x$';
    SET default_tablespace = 'x';
END
$$;
-- case: an overload
-- names: overload
DROP FUNCTION "select"."overload"(text);
-- case: the other overload
-- names: overload
CREATE OR REPLACE FUNCTION "select"."overload"(text, integer DEFAULT 8) RETURNS integer LANGUAGE sql AS 'SELECT 2';
-- case: an odd view
-- names: Vïew
ALTER VIEW "Weird Schema"."Vïew" RENAME COLUMN "column 1" TO "column 2";
-- case: a view without columns
-- names: no_column_view
DROP VIEW "select".no_column_view;
-- case: an odd trigger
-- names: Trigger
ALTER TABLE "Weird Schema"."Mixed Case" DISABLE TRIGGER "Trigger ""x""";
-- case: an odd policy
-- names: Policy; here
ALTER POLICY "Policy; here" ON "Weird Schema"."Mixed Case" USING ("user" = SESSION_USER);
-- case: an odd check
-- names: check, really
ALTER TABLE "Weird Schema"."Mixed Case" DROP CONSTRAINT "check, really";
-- case: an odd privilege
-- names: a.b
REVOKE SELECT ("a.b") ON "Weird Schema"."Mixed Case" FROM "Odd Role";
-- case: an odd schema's comment
-- names: Weird Schema
COMMENT ON SCHEMA "Weird Schema" IS NULL;
-- case: an odd publication
-- names: Pub;
ALTER PUBLICATION "Pub;" SET TABLE "select"."TABLE";
-- case: another order of odd columns
-- order: Mixed Case
ALTER TABLE "Weird Schema"."Mixed Case" DROP COLUMN "semi;colon";
ALTER TABLE "Weird Schema"."Mixed Case" ADD COLUMN "semi;colon" text DEFAULT ';';
