-- Inheritance and typed tables.

-- case: no longer a child
-- names: boats
ALTER TABLE boats NO INHERIT assets;
-- case: another parent
-- names: boats
ALTER TABLE boats ADD COLUMN label text, ADD COLUMN colour text DEFAULT 'red';
ALTER TABLE boats INHERIT labelled;
-- case: parents in another order
-- names: painted_cars
ALTER TABLE painted_cars NO INHERIT cars;
ALTER TABLE painted_cars INHERIT cars;
-- case: inherited, then again
-- same
ALTER TABLE boats NO INHERIT assets;
ALTER TABLE boats INHERIT assets;
-- case: a new column of the parent
-- names: hue
ALTER TABLE assets ADD COLUMN hue text;
-- case: a new column that a child has already
-- names: length
ALTER TABLE assets ADD COLUMN length real;
-- case: a dropped column of the parent
-- names: bought, asset_list
DROP VIEW asset_list;
ALTER TABLE assets DROP COLUMN bought;
-- case: a dropped column only of the parent
-- names: bought, asset_list
DROP VIEW asset_list;
ALTER TABLE ONLY assets DROP COLUMN bought;
-- case: a default of the parent only
-- names: public.assets.name
ALTER TABLE ONLY assets ALTER COLUMN name SET DEFAULT 'x';
-- case: a child's default
-- names: cars.name
ALTER TABLE ONLY cars ALTER COLUMN name SET DEFAULT 'auto';
-- case: a child's default dropped
-- names: cars.bought
ALTER TABLE ONLY cars ALTER COLUMN bought DROP DEFAULT;
-- case: a child's default is its parent's
-- names: cars.name
ALTER TABLE ONLY cars ALTER COLUMN name SET DEFAULT 'unnamed';
-- case: not nullable in a child
-- names: boats.price
ALTER TABLE boats ALTER COLUMN price SET NOT NULL;
-- case: nullable in a child
-- names: price
ALTER TABLE cars ALTER COLUMN price DROP NOT NULL;
-- case: not nullable in the parent only
-- needs: ..17
-- names: public.assets.bought, cars.bought
ALTER TABLE ONLY assets ALTER COLUMN bought SET NOT NULL;
-- case: not nullable in the parent and the children
-- names: bought
ALTER TABLE assets ALTER COLUMN bought SET NOT NULL;
-- case: a check of the parent
-- names: new_check
ALTER TABLE assets ADD CONSTRAINT new_check CHECK (price > 0);
-- case: a check dropped
-- names: price_sane
ALTER TABLE assets DROP CONSTRAINT price_sane;
-- case: a check dropped in the parent only
-- names: price_sane
ALTER TABLE ONLY assets DROP CONSTRAINT price_sane;
-- case: a check of a child
-- names: gloss_or_label
ALTER TABLE painted_cars DROP CONSTRAINT gloss_or_label;
-- case: a check that is the child's own, too
-- names: cars
ALTER TABLE cars ADD CONSTRAINT price_sane CHECK (price < 1000000);
-- case: a column that is the child's own, too
-- names: cars, watch_cars, cars_name, painted_cars
DROP TABLE painted_cars;
DROP TABLE cars;
CREATE TABLE cars (wheels smallint DEFAULT 4, name text NOT NULL DEFAULT 'car', bought date DEFAULT '1999-01-01', price numeric NOT NULL, id integer PRIMARY KEY) INHERITS (assets);
COMMENT ON COLUMN cars.wheels IS 'three or four';
COMMENT ON COLUMN cars.name IS 'inherited and commented';
-- case: a child's column renamed
-- names: wheels, tyres
ALTER TABLE cars RENAME COLUMN wheels TO tyres;
-- case: a comment on an inherited column
-- names: cars.name
COMMENT ON COLUMN cars.name IS NULL;
-- case: statistics target of an inherited column
-- names: cars.name
ALTER TABLE ONLY cars ALTER COLUMN name SET STATISTICS 5;
-- case: storage of an inherited column
-- names: cars.name
ALTER TABLE ONLY cars ALTER COLUMN name SET STORAGE PLAIN;
-- case: options of an inherited column
-- names: cars.name
ALTER TABLE ONLY cars ALTER COLUMN name SET (n_distinct = 5);
-- case: a privilege on an inherited column
-- names: cars.name
GRANT SELECT (name) ON cars TO app_reader;
-- case: a trigger for other columns
-- names: watch_cars
DROP TRIGGER watch_cars ON cars;
CREATE TRIGGER watch_cars AFTER INSERT OR UPDATE OF price, name ON cars FOR EACH ROW EXECUTE FUNCTION car_rule();
-- case: no longer of a type
-- names: plain_points
ALTER TABLE plain_points NOT OF;
-- case: of a type
-- names: triple
CREATE TABLE triple (x real, y real, z real);
ALTER TABLE triple OF point3;
-- case: not of the type, and again of it
-- same
ALTER TABLE plain_points NOT OF;
ALTER TABLE plain_points OF point3;
-- case: a typed table's column
-- names: plain_points.y
ALTER TABLE plain_points ALTER COLUMN y SET NOT NULL;
-- case: a typed table's default
-- names: points.z
ALTER TABLE points ALTER COLUMN z DROP DEFAULT;
-- case: an attribute of the type of tables
-- names: point3, points.w
ALTER TYPE point3 ADD ATTRIBUTE w real CASCADE;
-- case: an attribute's type
-- names: point3, waypoints, points
ALTER TABLE waypoints DROP COLUMN at, DROP COLUMN all_of;
ALTER TYPE point3 ALTER ATTRIBUTE x TYPE double precision CASCADE;
-- case: an index of a child
-- names: cars_name
DROP INDEX cars_name;
-- case: another column order of a child
-- order: boats
ALTER TABLE boats DROP COLUMN length;
ALTER TABLE boats ADD COLUMN length real;
ALTER TABLE boats NO INHERIT assets;
ALTER TABLE boats DROP COLUMN bought;
ALTER TABLE boats ADD COLUMN bought date DEFAULT '2000-01-01';
ALTER TABLE boats INHERIT assets;
