-- A shop: the ordinary tables of an ordinary application.
CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'returned');
CREATE TYPE empty_state AS ENUM ();
CREATE DOMAIN email_address AS text COLLATE "C" DEFAULT 'nobody@example.org' CONSTRAINT email_has_at CHECK (VALUE LIKE '%@%');
CREATE DOMAIN positive_amount AS numeric(12,2) NOT NULL CHECK (VALUE >= 0);
CREATE TYPE postal_address AS (street text, house varchar(10), town text COLLATE "C", code char(5));

CREATE SEQUENCE invoice_number START 1000 INCREMENT 10 MINVALUE 1000 MAXVALUE 9999990 CACHE 5 CYCLE;
CREATE SEQUENCE loose_number AS smallint;

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 5),
    email email_address NOT NULL,
    first_name varchar(80),
    last_name varchar(80) NOT NULL,
    full_name text GENERATED ALWAYS AS (COALESCE(first_name || ' ', '') || last_name) STORED,
    address postal_address,
    tags text[] NOT NULL DEFAULT '{}'::text[],
    settings jsonb NOT NULL DEFAULT '{"theme": "light", "mail": true}',
    note text COLLATE "C",
    born date,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamp(3) without time zone,
    CONSTRAINT customers_pkey PRIMARY KEY (id),
    CONSTRAINT customers_email_unique UNIQUE (email),
    CONSTRAINT born_in_the_past CHECK (born < DATE '2100-01-01'),
    CHECK (CASE WHEN born IS NULL THEN true ELSE born > '1850-01-01'::date END)
);
COMMENT ON TABLE customers IS 'Who buys. It''s "important";
over two lines';
COMMENT ON COLUMN customers.email IS 'login';
COMMENT ON CONSTRAINT born_in_the_past ON customers IS 'no time travellers';

CREATE TABLE products (
    id serial PRIMARY KEY,
    sku char(12) NOT NULL UNIQUE,
    title text NOT NULL,
    price positive_amount DEFAULT 1,
    weight real,
    parent_id integer REFERENCES products (id) ON DELETE SET NULL,
    stock integer DEFAULT 0 NOT NULL CHECK (stock >= 0),
    picture bytea,
    days_valid interval DAY TO SECOND(3) DEFAULT '30 days',
    flags bit(8) DEFAULT B'00000000',
    CONSTRAINT sku_is_upper CHECK (sku = upper(sku)) NO INHERIT
);
ALTER TABLE products ADD CONSTRAINT title_not_blank CHECK (title <> '') NOT VALID;

CREATE TABLE orders (
    id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
    customer_id bigint NOT NULL,
    number bigint DEFAULT nextval('invoice_number') UNIQUE DEFERRABLE INITIALLY DEFERRED,
    state order_state DEFAULT 'new' NOT NULL,
    history order_state[] DEFAULT ARRAY['new'::order_state],
    total numeric(14,4),
    placed_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id) REFERENCES customers (id) ON UPDATE CASCADE ON DELETE RESTRICT
);

CREATE TABLE order_lines (
    order_id uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE DEFERRABLE,
    line smallint NOT NULL,
    product_id integer NOT NULL,
    amount integer DEFAULT 1 NOT NULL,
    unit_price numeric(12,2),
    PRIMARY KEY (order_id, line) INCLUDE (amount)
);
ALTER TABLE order_lines ADD CONSTRAINT lines_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) MATCH FULL NOT VALID;

CREATE INDEX customers_last_name_idx ON customers (last_name, first_name DESC NULLS LAST);
CREATE INDEX customers_lower_email_idx ON customers (lower(email));
CREATE INDEX customers_tags_idx ON customers USING gin (tags);
CREATE INDEX customers_settings_idx ON customers USING gin (settings jsonb_path_ops);
CREATE UNIQUE INDEX one_open_order ON orders (customer_id) WHERE state = 'new';
CREATE INDEX orders_placed_brin ON orders USING brin (placed_at) WITH (pages_per_range = 32);
CREATE INDEX products_title_pattern ON products (title text_pattern_ops) INCLUDE (price, stock) WITH (fillfactor = 70);
CREATE INDEX products_hash ON products USING hash (sku);
CREATE INDEX products_calc ON products ((stock * 2), (weight / 2));
COMMENT ON INDEX customers_tags_idx IS 'for the filter';
ALTER TABLE order_lines ADD COLUMN dropped_soon text;
ALTER TABLE order_lines DROP COLUMN dropped_soon;

CREATE VIEW open_orders AS
    SELECT o.id, o.number, c.full_name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.state IN ('new', 'paid');
CREATE VIEW order_totals (order_id, total) AS SELECT order_id, sum(amount * unit_price) FROM order_lines GROUP BY order_id;
COMMENT ON VIEW order_totals IS 'sums';
COMMENT ON COLUMN order_totals.total IS 'the sum';
COMMENT ON SEQUENCE invoice_number IS 'for the tax office';
COMMENT ON TYPE order_state IS 'where an order is';
COMMENT ON DOMAIN positive_amount IS 'money';
COMMENT ON CONSTRAINT email_has_at ON DOMAIN email_address IS 'at least one';
COMMENT ON COLUMN postal_address.street IS 'with a number';
CREATE MATERIALIZED VIEW best_sellers AS
    SELECT product_id, count(*) AS sold FROM order_lines GROUP BY product_id WITH NO DATA;
CREATE UNIQUE INDEX best_sellers_product ON best_sellers (product_id);
INSERT INTO customers (last_name, first_name, email) VALUES ('Twin', 'A', 'a@x'), ('Twin', 'A', 'b@x');
