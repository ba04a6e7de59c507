-- Ranges and exclusion constraints.

-- case: no exclusion
-- names: no_overlap
ALTER TABLE bookings DROP CONSTRAINT no_overlap;
-- case: another operator
-- names: no_overlap
ALTER TABLE bookings DROP CONSTRAINT no_overlap;
ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH -|-) WHERE (NOT cancelled);
-- case: another predicate of an exclusion
-- names: no_overlap
ALTER TABLE bookings DROP CONSTRAINT no_overlap;
ALTER TABLE bookings ADD CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&);
-- case: initially deferred
-- names: no_area_overlap
ALTER TABLE bookings DROP CONSTRAINT no_area_overlap;
ALTER TABLE bookings ADD CONSTRAINT no_area_overlap EXCLUDE USING gist (area WITH &&, during WITH &&) DEFERRABLE INITIALLY DEFERRED;
-- case: another subtype
-- names: text_range
DROP TYPE text_range;
CREATE TYPE text_range AS RANGE (SUBTYPE = varchar, COLLATION = "C", MULTIRANGE_TYPE_NAME = text_ranges);
-- case: another collation of a range
-- names: text_range
DROP TYPE text_range;
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "POSIX", MULTIRANGE_TYPE_NAME = text_ranges);
-- case: another multirange
-- names: text_range
DROP TYPE text_range;
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C");
-- case: another operator class of a range
-- names: text_range
DROP TYPE text_range;
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C", SUBTYPE_OPCLASS = text_pattern_ops, MULTIRANGE_TYPE_NAME = text_ranges);
-- case: no difference function
-- names: day_range
CREATE TYPE day_range AS RANGE (SUBTYPE = date);
-- case: a renamed multirange
-- names: text_range
ALTER TYPE text_ranges RENAME TO texts;
-- case: a privilege on a range
-- names: time_range
REVOKE USAGE ON TYPE time_range FROM PUBLIC;
-- case: a range's comment
-- names: time_range
COMMENT ON TYPE time_range IS NULL;
-- case: the same range again
-- same
DROP TYPE text_range;
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C", MULTIRANGE_TYPE_NAME = text_ranges);
-- case: the operator class of an spgist index
-- names: rooms_spgist
DROP INDEX rooms_spgist;
CREATE INDEX rooms_spgist ON rooms USING spgist (place kd_point_ops);
-- case: a parameter of a brin operator class
-- names: bookings_minmax
DROP INDEX bookings_minmax;
CREATE INDEX bookings_minmax ON bookings USING brin (id int4_minmax_multi_ops (values_per_range = 32));
-- case: a range's default
-- names: rooms.floor
ALTER TABLE rooms ALTER COLUMN floor SET DEFAULT '[0,2)';
-- case: an aggregate's state function
-- names: covers
DROP AGGREGATE covers(tsrange);
CREATE AGGREGATE covers(tsrange) (SFUNC = range_intersect, STYPE = tsrange);
-- case: a temporal primary key
-- needs: 18
-- names: temporal
CREATE TABLE temporal (id int4range, valid tsrange, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
