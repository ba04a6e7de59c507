-- Bookings of rooms and areas: ranges, exclusion constraints, geometric types.
CREATE FUNCTION time_distance(a time, b time) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT extract(epoch FROM a - b)::double precision $$;
CREATE TYPE time_range AS RANGE (SUBTYPE = time, SUBTYPE_DIFF = time_distance);
CREATE TYPE text_range AS RANGE (SUBTYPE = text, COLLATION = "C", MULTIRANGE_TYPE_NAME = text_ranges);
COMMENT ON TYPE time_range IS 'within a day';

CREATE TABLE rooms (id integer PRIMARY KEY, name text, outline polygon, place point, floor int4range DEFAULT '[0,1)');
CREATE TABLE bookings (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    room integer REFERENCES rooms,
    during tsrange NOT NULL,
    daily time_range,
    area circle,
    cancelled boolean DEFAULT false,
    holidays datemultirange,
    CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) WHERE (NOT cancelled),
    CONSTRAINT no_area_overlap EXCLUDE USING gist (area WITH &&, during WITH &&) DEFERRABLE INITIALLY IMMEDIATE,
    CONSTRAINT bounded CHECK (NOT upper_inf(during) AND lower(during) < upper(during))
);
CREATE INDEX rooms_place ON rooms USING gist (place);
CREATE INDEX rooms_spgist ON rooms USING spgist (place quad_point_ops);
CREATE INDEX rooms_kd ON rooms USING spgist (place kd_point_ops);
CREATE INDEX bookings_daily ON bookings USING gist (daily);
CREATE INDEX bookings_brin ON bookings USING brin (during range_inclusion_ops);
CREATE INDEX bookings_minmax ON bookings USING brin (id int4_minmax_multi_ops (values_per_range = 16));
CREATE AGGREGATE covers(tsrange) (SFUNC = range_merge, STYPE = tsrange);
