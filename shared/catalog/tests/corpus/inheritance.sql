-- Tables that inherit, and tables of a type.
CREATE TABLE assets (
    id integer PRIMARY KEY,
    name text NOT NULL DEFAULT 'unnamed',
    bought date,
    price numeric,
    CONSTRAINT price_sane CHECK (price < 1000000),
    CONSTRAINT only_here CHECK (id > 0) NO INHERIT
);
CREATE TABLE labelled (label text, colour text DEFAULT 'red');
CREATE TABLE cars (wheels smallint DEFAULT 4, name text NOT NULL DEFAULT 'car', PRIMARY KEY (id)) INHERITS (assets);
CREATE TABLE painted_cars (gloss boolean, CONSTRAINT gloss_or_label CHECK (gloss OR label IS NOT NULL)) INHERITS (cars, labelled);
CREATE TABLE boats (length real, id integer, name text, bought date, price numeric, CONSTRAINT price_sane CHECK (price < 1000000));
UPDATE pg_attribute SET attnotnull = attnotnull WHERE false;
ALTER TABLE boats ALTER COLUMN name SET NOT NULL;
ALTER TABLE boats ALTER COLUMN id SET NOT NULL;
ALTER TABLE boats ALTER COLUMN bought SET DEFAULT '2000-01-01';
ALTER TABLE boats INHERIT assets;
ALTER TABLE cars ALTER COLUMN bought SET DEFAULT '1999-01-01';
ALTER TABLE cars ALTER COLUMN price SET NOT NULL;
COMMENT ON COLUMN cars.wheels IS 'three or four';
COMMENT ON COLUMN cars.name IS 'inherited and commented';

CREATE TYPE point3 AS (x real, y real, z real);
CREATE TABLE points OF point3 (x NOT NULL, z DEFAULT 0, PRIMARY KEY (x, y));
CREATE TABLE plain_points OF point3;
CREATE TABLE waypoints (id integer, at point3, all_of point3[]);

CREATE FUNCTION car_rule() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER watch_cars AFTER INSERT OR UPDATE OF price ON cars FOR EACH ROW EXECUTE FUNCTION car_rule();
CREATE INDEX assets_name ON assets (name);
CREATE INDEX cars_name ON cars (name);
CREATE VIEW asset_list AS SELECT * FROM assets;
CREATE VIEW only_assets AS SELECT id, name FROM ONLY assets;
