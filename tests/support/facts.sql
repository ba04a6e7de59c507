-- What a database's schema "public" holds, as one JSON document of the form of tests/fixtures/legacy.
-- Objects of extensions, and the tables of the migration engine, are left out.
WITH own_table AS (
    SELECT c.oid, c.relname
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace
      AND c.relkind IN ('r', 'p')
      AND c.relname <> 'refinery_schema_history'
      AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
), own_constraint AS (
    SELECT k.*,
        (
            SELECT jsonb_agg(a.attname ORDER BY n.place)
            FROM unnest(k.conkey) WITH ORDINALITY AS n (number, place)
            JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = n.number
        ) AS columns,
        (
            SELECT jsonb_agg(a.attname ORDER BY n.place)
            FROM unnest(k.confkey) WITH ORDINALITY AS n (number, place)
            JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = n.number
        ) AS ref_columns
    FROM pg_constraint AS k
), action (letter, word) AS (
    VALUES
        ('a'::"char", 'NO ACTION'), ('r', 'RESTRICT'), ('c', 'CASCADE'), ('n', 'SET NULL'), ('d', 'SET DEFAULT')
)
SELECT jsonb_build_object(
    'extensions', (
        SELECT jsonb_agg(jsonb_build_object('name', e.extname, 'schema', e.extnamespace::regnamespace::text))
        FROM pg_extension AS e
    ),
    'enums', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', t.typname,
            'labels', (SELECT jsonb_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_enum AS l WHERE l.enumtypid = t.oid)
        ))
        FROM pg_type AS t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype = 'e'
    ),
    'tables', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', o.relname,
            'columns', (
                SELECT jsonb_agg(jsonb_build_object(
                    'name', a.attname,
                    'type', format_type(a.atttypid, a.atttypmod),
                    'nullable', NOT a.attnotnull,
                    'default', pg_get_expr(d.adbin, d.adrelid),
                    'comment', col_description(a.attrelid, a.attnum)
                ) ORDER BY a.attnum)
                FROM pg_attribute AS a
                LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
            ),
            'primary_key', (
                SELECT jsonb_build_object('name', k.conname, 'columns', k.columns)
                FROM own_constraint AS k WHERE k.conrelid = o.oid AND k.contype = 'p'
            ),
            'unique_constraints', (
                SELECT jsonb_agg(jsonb_build_object('name', k.conname, 'columns', k.columns))
                FROM own_constraint AS k WHERE k.conrelid = o.oid AND k.contype = 'u'
            ),
            'check_constraints', (
                SELECT jsonb_agg(jsonb_build_object('name', k.conname, 'def', pg_get_constraintdef(k.oid)))
                FROM own_constraint AS k WHERE k.conrelid = o.oid AND k.contype = 'c'
            ),
            'foreign_keys', (
                SELECT jsonb_agg(jsonb_build_object(
                    'name', k.conname,
                    'columns', k.columns,
                    'ref_table', (SELECT r.relname FROM pg_class AS r WHERE r.oid = k.confrelid),
                    'ref_columns', k.ref_columns,
                    'on_delete', (SELECT word FROM action WHERE letter = k.confdeltype),
                    'on_update', (SELECT word FROM action WHERE letter = k.confupdtype),
                    'deferrable', k.condeferrable,
                    'validated', k.convalidated
                ))
                FROM own_constraint AS k WHERE k.conrelid = o.oid AND k.contype = 'f'
            ),
            'indexes', (
                SELECT jsonb_agg(jsonb_build_object(
                    'name', x.relname,
                    'method', m.amname,
                    'columns', (
                        SELECT jsonb_agg(pg_get_indexdef(i.indexrelid, place::int, false) ORDER BY place)
                        FROM generate_series(1, i.indnkeyatts) AS place
                    ),
                    'unique', i.indisunique,
                    'predicate', pg_get_expr(i.indpred, i.indrelid, true),
                    'backs_constraint', (
                        SELECT k.conname FROM pg_constraint AS k
                        WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
                    ),
                    'valid', i.indisvalid,
                    'def', pg_get_indexdef(i.indexrelid)
                ))
                FROM pg_index AS i
                JOIN pg_class AS x ON x.oid = i.indexrelid
                JOIN pg_am AS m ON m.oid = x.relam
                WHERE i.indrelid = o.oid
            ),
            'triggers', (
                SELECT jsonb_agg(jsonb_build_object(
                    'name', t.tgname,
                    'enabled', t.tgenabled,
                    'function', t.tgfoid::regproc::text,
                    'def', pg_get_triggerdef(t.oid)
                ))
                FROM pg_trigger AS t WHERE t.tgrelid = o.oid AND NOT t.tgisinternal
            )
        ))
        FROM own_table AS o
    ),
    'functions', (
        SELECT jsonb_agg(jsonb_build_object(
            'name', p.proname,
            'args', pg_get_function_arguments(p.oid),
            'language', l.lanname,
            'returns', pg_get_function_result(p.oid),
            'body', p.prosrc,
            'comment', obj_description(p.oid, 'pg_proc')
        ))
        FROM pg_proc AS p
        JOIN pg_language AS l ON l.oid = p.prolang
        WHERE p.pronamespace = 'public'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    ),
    'views', (
        SELECT jsonb_agg(jsonb_build_object('name', v.relname, 'def', pg_get_viewdef(v.oid)))
        FROM pg_class AS v WHERE v.relnamespace = 'public'::regnamespace AND v.relkind IN ('v', 'm')
    ),
    'sequences', (
        SELECT jsonb_agg(jsonb_build_object('name', s.relname))
        FROM pg_class AS s WHERE s.relnamespace = 'public'::regnamespace AND s.relkind = 'S'
    )
)
