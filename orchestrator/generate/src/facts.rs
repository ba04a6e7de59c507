//! Reads what an archive does not list by itself: the columns of tables, the labels of enums, and the dependencies on columns.

use pg_session::Client;
use tokio_postgres::{Error, Row};

/// A column of a table, a view, or a composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) number: i32,
    /// Quoted where necessary.
    pub(crate) name: String,
    /// The type with its modifiers.
    pub(crate) type_name: String,
    /// The OID of the type, or of the elements of an array.
    pub(crate) type_oid: i64,
    pub(crate) not_null: bool,
    /// The name of the constraint, since PostgreSQL 18.
    pub(crate) not_null_name: Option<String>,
    pub(crate) default: Option<String>,
    /// The OID of the default in `pg_attrdef`.
    pub(crate) default_oid: i64,
    /// `s`, `v`, or empty.
    pub(crate) generated: String,
    /// `a`, `d`, or empty.
    pub(crate) identity: String,
    /// The collation, if it is not that of the type.
    pub(crate) collation: Option<String>,
    /// The storage.
    pub(crate) storage: String,
    /// The storage that a column of its type has by default.
    pub(crate) usual_storage: String,
    pub(crate) compression: String,
    pub(crate) statistics: i32,
    pub(crate) options: Option<String>,
    /// Whether the table itself declares it, and not only a parent.
    pub(crate) is_local: bool,
}

/// A relation with columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: i64,
    pub(crate) schema: String,
    pub(crate) bare_name: String,
    /// The qualified name, quoted where necessary.
    pub(crate) name: String,
    /// `r`, `p`, `v`, `m`, `f`, or `c`.
    pub(crate) kind: String,
    /// For a composite type: its OID in `pg_type`.
    pub(crate) type_oid: i64,
    pub(crate) persistence: String,
    pub(crate) options: Vec<String>,
    /// The command that sets the replica identity.
    pub(crate) replica: String,
    pub(crate) forces_rls: bool,
    /// Parents other than the partitioned table.
    pub(crate) parents: Vec<String>,
    pub(crate) columns: Vec<Column>,
}

/// A check constraint of a table or a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub(crate) oid: i64,
    /// The OID of the table, or 0.
    pub(crate) relation: i64,
    /// The OID of the domain, or 0.
    pub(crate) domain: i64,
    pub(crate) bare_name: String,
    pub(crate) name: String,
    pub(crate) definition: String,
    /// Whether the table itself declares it, and not only a parent.
    pub(crate) is_local: bool,
}

/// A domain without its constraints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) base: String,
    pub(crate) not_null: bool,
    pub(crate) default: Option<String>,
}

/// A dependency between two objects of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) from: (i64, i64),
    pub(crate) from_column: i32,
    pub(crate) to: (i64, i64),
    pub(crate) to_column: i32,
    /// Whether the server drops `from` together with `to`.
    pub(crate) is_part: bool,
}

/// What `CREATE OR REPLACE FUNCTION` must not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) fixed: String,
    pub(crate) defaults: i32,
}

/// All facts of a database.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) relations: Vec<Relation>,
    pub(crate) checks: Vec<Check>,
    pub(crate) enums: Vec<(i64, Vec<String>)>,
    pub(crate) domains: Vec<(i64, Domain)>,
    pub(crate) signatures: Vec<(i64, Signature)>,
    pub(crate) dependencies: Vec<Dependency>,
    /// Pairs of types that the server converts on assignment.
    pub(crate) casts: Vec<(String, String)>,
}

/// A replica identity whose index is dropped counts as none.
const RELATIONS: &str = "
SELECT c.oid::int8, n.nspname::text, c.relname::text, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind::text, c.reltype::int8,
  c.relpersistence::text, COALESCE(c.reloptions, '{}')
    || COALESCE((SELECT pg_catalog.array_agg('toast.' || o) FROM pg_catalog.pg_class t, pg_catalog.unnest(t.reloptions) o WHERE t.oid = c.reltoastrelid), '{}'),
  CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' WHEN 'i' THEN COALESCE((
    SELECT pg_catalog.format('USING INDEX %I', ic.relname) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisreplident), 'NOTHING') ELSE 'DEFAULT' END,
  c.relforcerowsecurity,
  COALESCE((SELECT pg_catalog.array_agg(h.inhparent::pg_catalog.regclass::text ORDER BY h.inhseqno) FROM pg_catalog.pg_inherits h
    WHERE h.inhrelid = c.oid AND NOT c.relispartition), '{}')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.oid >= 16384 AND n.nspname !~ '^pg_'
ORDER BY 1";

const COLUMNS: &str = "
SELECT a.attrelid::int8, a.attnum::int4, pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),
  (CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem ELSE t.oid END)::int8, a.attnotnull,
  pg_catalog.pg_get_expr(d.adbin, d.adrelid), COALESCE(d.oid, 0)::int8, a.attgenerated::text, a.attidentity::text,
  CASE WHEN a.attcollation <> t.typcollation THEN (SELECT pg_catalog.format('%I.%I', cn.nspname, co.collname) FROM pg_catalog.pg_collation co
    JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) END,
  CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END,
  a.attcompression::text, COALESCE(a.attstattarget, -1)::int4, pg_catalog.array_to_string(a.attoptions, ', '), a.attislocal,
  (SELECT pg_catalog.quote_ident(nn.conname) FROM pg_catalog.pg_constraint nn
    WHERE nn.contype = 'n' AND nn.conrelid = a.attrelid AND nn.conkey = ARRAY[a.attnum]),
  CASE t.typstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.oid >= 16384
ORDER BY 1, 2";

const CHECKS: &str = "
SELECT oid::int8, conrelid::int8, contypid::int8, conname::text, pg_catalog.quote_ident(conname), pg_catalog.pg_get_constraintdef(oid), conislocal OR conrelid = 0
FROM pg_catalog.pg_constraint WHERE contype = 'c' AND oid >= 16384 ORDER BY conname";

const ENUMS: &str = "
SELECT enumtypid::int8, pg_catalog.array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_catalog.pg_enum GROUP BY 1";

const DOMAINS: &str = "
SELECT oid::int8, pg_catalog.format_type(typbasetype, typtypmod), typnotnull, typdefault::text FROM pg_catalog.pg_type
WHERE typtype = 'd' AND oid >= 16384";

const SIGNATURES: &str = "
SELECT oid::int8, pg_catalog.concat_ws('|', prokind, pg_catalog.pg_get_function_result(oid), proargnames::text, proargmodes::text,
  proallargtypes::pg_catalog.regtype[]::text), pronargdefaults::int4
FROM pg_catalog.pg_proc WHERE oid >= 16384 AND prokind <> 'a'";

/// Dependencies on the internals of an object count as dependencies on the object: the rule of a view, the row type of a table, the
/// array of a type, the index of a constraint.
const DEPENDENCIES: &str = "
WITH proxy (class, oid, of_class, of_oid) AS (
  SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::oid, oid, 'pg_catalog.pg_class'::pg_catalog.regclass::oid, ev_class
    FROM pg_catalog.pg_rewrite WHERE rulename = '_RETURN'
  UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, conindid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid
    FROM pg_catalog.pg_constraint WHERE contype IN ('p', 'u', 'x')
  UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, t.typrelid
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE c.relkind <> 'c'
  UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 'pg_catalog.pg_type'::pg_catalog.regclass, c.reltype
    FROM pg_catalog.pg_class c WHERE c.relkind = 'c'
  UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.oid, CASE WHEN c.oid IS NULL THEN 'pg_catalog.pg_type'::pg_catalog.regclass::oid
      ELSE 'pg_catalog.pg_class'::pg_catalog.regclass::oid END, COALESCE(c.oid, e.oid)
    FROM pg_catalog.pg_type a JOIN pg_catalog.pg_type e ON e.oid = a.typelem AND e.typarray = a.oid
      LEFT JOIN pg_catalog.pg_class c ON c.oid = e.typrelid AND c.relkind <> 'c')
SELECT DISTINCT COALESCE(f.of_class, d.classid)::int8, COALESCE(f.of_oid, d.objid)::int8, d.objsubid::int4,
  COALESCE(t.of_class, d.refclassid)::int8, COALESCE(t.of_oid, d.refobjid)::int8, d.refobjsubid::int4, d.deptype IN ('a', 'i', 'P', 'S')
FROM pg_catalog.pg_depend d
  LEFT JOIN proxy f ON f.class = d.classid AND f.oid = d.objid
  LEFT JOIN proxy t ON t.class = d.refclassid AND t.oid = d.refobjid
WHERE d.objid >= 16384 AND d.refobjid >= 16384";

const CASTS: &str = "
SELECT pg_catalog.format_type(castsource, NULL), pg_catalog.format_type(casttarget, NULL) FROM pg_catalog.pg_cast WHERE castcontext IN ('a', 'i')";

/// Reads the facts of the client's database.
pub(crate) async fn read(client: &Client) -> Result<Facts, Error> {
    client
        .query_typed(
            "SELECT pg_catalog.set_config('search_path', '', false)",
            &[],
        )
        .await?;
    let mut relations = rows(client, RELATIONS, relation).await?;
    let columns = rows(client, COLUMNS, |row| {
        Ok((row.try_get::<_, i64>(0)?, column(row)?))
    })
    .await?;
    for (oid, column) in columns {
        if let Some(relation) = relations.iter_mut().find(|it| it.oid == oid) {
            relation.columns.push(column);
        }
    }
    Ok(Facts {
        relations,
        checks: rows(client, CHECKS, |row| {
            Ok(Check {
                oid: row.try_get(0)?,
                relation: row.try_get(1)?,
                domain: row.try_get(2)?,
                bare_name: row.try_get(3)?,
                name: row.try_get(4)?,
                definition: row.try_get(5)?,
                is_local: row.try_get(6)?,
            })
        })
        .await?,
        enums: rows(client, ENUMS, |row| Ok((row.try_get(0)?, row.try_get(1)?))).await?,
        domains: rows(client, DOMAINS, |row| {
            let domain = Domain {
                base: row.try_get(1)?,
                not_null: row.try_get(2)?,
                default: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, domain))
        })
        .await?,
        signatures: rows(client, SIGNATURES, |row| {
            let signature = Signature {
                fixed: row.try_get(1)?,
                defaults: row.try_get(2)?,
            };
            Ok((row.try_get(0)?, signature))
        })
        .await?,
        dependencies: rows(client, DEPENDENCIES, |row| {
            Ok(Dependency {
                from: (row.try_get(0)?, row.try_get(1)?),
                from_column: row.try_get(2)?,
                to: (row.try_get(3)?, row.try_get(4)?),
                to_column: row.try_get(5)?,
                is_part: row.try_get(6)?,
            })
        })
        .await?,
        casts: rows(client, CASTS, |row| Ok((row.try_get(0)?, row.try_get(1)?))).await?,
    })
}

async fn rows<T>(
    client: &Client,
    sql: &str,
    read: impl Fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    client
        .query_typed(sql, &[])
        .await?
        .iter()
        .map(read)
        .collect()
}

fn relation(row: &Row) -> Result<Relation, Error> {
    Ok(Relation {
        oid: row.try_get(0)?,
        schema: row.try_get(1)?,
        bare_name: row.try_get(2)?,
        name: row.try_get(3)?,
        kind: row.try_get(4)?,
        type_oid: row.try_get(5)?,
        persistence: row.try_get(6)?,
        options: row.try_get(7)?,
        replica: row.try_get(8)?,
        forces_rls: row.try_get(9)?,
        parents: row.try_get(10)?,
        columns: Vec::new(),
    })
}

fn column(row: &Row) -> Result<Column, Error> {
    Ok(Column {
        number: row.try_get(1)?,
        name: row.try_get(2)?,
        type_name: row.try_get(3)?,
        type_oid: row.try_get(4)?,
        not_null: row.try_get(5)?,
        default: row.try_get(6)?,
        default_oid: row.try_get(7)?,
        generated: row.try_get(8)?,
        identity: row.try_get(9)?,
        collation: row.try_get(10)?,
        storage: row.try_get(11)?,
        compression: row.try_get::<_, String>(12)?,
        statistics: row.try_get(13)?,
        options: row.try_get(14)?,
        is_local: row.try_get(15)?,
        not_null_name: row.try_get(16)?,
        usual_storage: row.try_get(17)?,
    })
}
