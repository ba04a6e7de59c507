//! Reads the definitions of tables from the catalog.
//!
//! Uses a few queries, each with rows as JSON objects.

use pg_sql::quote_identifier;
use std::collections::HashMap;

use pg_session::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_postgres::SimpleQueryMessage;

use super::RowsError;
use super::types::{Type, Types};

/// User tables, as `c` with its schema `n`: without our tables, refinery's histories, and tables of extensions. A partitioned table is
/// represented by its root.
pub const USERS_TABLES: &str = "pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('information_schema', 'orchestrator') AND n.nspname NOT LIKE 'pg\\_%'
        AND NOT EXISTS (SELECT FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        AND (SELECT string_agg(a.attname, ' ' ORDER BY a.attname COLLATE \"C\") FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) IS DISTINCT FROM 'applied_on checksum name version'";

/// A table to fill.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Table {
    pub oid: u32,
    pub schema: String,
    pub name: String,
    pub partitioned: bool,
    /// The condition under which some partition accepts a row.
    pub partition_bound: Option<String>,
    #[serde(default)]
    pub columns: Vec<Column>,
    #[serde(default)]
    pub checks: Vec<Check>,
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    #[serde(default)]
    pub uniques: Vec<Unique>,
}

impl Table {
    /// The name, quoted for SQL.
    pub fn sql(&self) -> String {
        format!(
            "{}.{}",
            quote_identifier(&self.schema),
            quote_identifier(&self.name)
        )
    }

    /// The name for messages, without the schema `public`.
    pub fn shown(&self) -> String {
        shown(&self.schema, &self.name)
    }

    /// Statements that check deferrable unique and exclusion constraints. PostgreSQL checks those by triggers, which do not
    /// fire while rows are generated. Rebuilding the index checks all rows.
    pub fn deferred_checks(&self) -> String {
        let indexes = self.uniques.iter().flat_map(|unique| &unique.deferred);
        indexes.map(|index| format!("; {index}")).collect()
    }

    /// The index of a column, by `attnum`.
    pub fn position(&self, number: i16) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.number == number)
    }
}

/// A table's name for messages, without the schema `public`.
pub fn shown(schema: &str, name: &str) -> String {
    if schema == "public" {
        quote_identifier(name)
    } else {
        format!("{}.{}", quote_identifier(schema), quote_identifier(name))
    }
}

/// A column that can be set.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Column {
    table: u32,
    pub number: i16,
    pub name: String,
    #[serde(rename = "type")]
    pub type_oid: u32,
    pub typmod: i32,
    /// The type with its length.
    pub spelled: String,
    pub required: bool,
    pub default: Option<String>,
    pub identity: bool,
    pub generated: bool,
}

impl Column {
    /// Whether a sequence sets it.
    pub fn is_numbered(&self) -> bool {
        self.identity
            || self
                .default
                .as_ref()
                .is_some_and(|default| default.starts_with("nextval("))
    }
}

/// A check constraint, or the condition of the partitions.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Check {
    table: u32,
    pub name: String,
    /// The columns that it uses, by `attnum`.
    pub columns: Vec<i16>,
    pub expression: String,
}

/// A foreign key.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ForeignKey {
    table: u32,
    pub columns: Vec<i16>,
    pub parent: u32,
    /// The parent's name, quoted for SQL.
    pub parent_sql: String,
    /// The names of the parent's columns.
    pub parent_columns: Vec<String>,
}

/// A unique index or an exclusion constraint.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Unique {
    table: u32,
    pub name: String,
    pub columns: Vec<i16>,
    /// The statements that check a deferrable constraint at once.
    pub deferred: Vec<String>,
}

/// Reads the rows of a query, each as a JSON object.
pub async fn read_rows<T: DeserializeOwned>(
    client: &Client,
    query: &str,
) -> Result<Vec<T>, RowsError> {
    let sql = format!("SELECT COALESCE(json_agg(to_json(r)), '[]') FROM ({query}) AS r");
    for message in client.simple_query(&sql).await? {
        if let SimpleQueryMessage::Row(row) = message {
            return Ok(serde_json::from_str(row.try_get(0)?.unwrap_or("[]"))?);
        }
    }
    Ok(Vec::new())
}

#[derive(Deserialize)]
struct Sized {
    oid: u32,
    schema: String,
    name: String,
    partitioned: bool,
    size: i64,
}

/// The empty user tables.
pub(super) async fn empty_tables(client: &Client) -> Result<Vec<u32>, RowsError> {
    let tables: Vec<Sized> = read_rows(
        client,
        &format!(
            "SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
                CASE c.relkind WHEN 'p' THEN (SELECT COALESCE(sum(pg_relation_size(p.relid)), 0)::int8
                        FROM pg_partition_tree(c.oid) AS p WHERE p.isleaf)
                    ELSE pg_relation_size(c.oid) END AS size
            FROM {USERS_TABLES} ORDER BY n.nspname, c.relname"
        ),
    )
    .await?;
    let (used, mut empty): (Vec<Sized>, Vec<Sized>) =
        tables.into_iter().partition(|table| table.size > 0);
    if !used.is_empty() {
        let questions: Vec<String> = used
            .iter()
            .map(|table| {
                format!(
                    "SELECT {}::int8 AS oid WHERE NOT EXISTS (SELECT FROM {} {}.{})",
                    table.oid,
                    if table.partitioned { "" } else { "ONLY" },
                    quote_identifier(&table.schema),
                    quote_identifier(&table.name)
                )
            })
            .collect();
        #[derive(Deserialize)]
        struct Found {
            oid: u32,
        }
        let found: Vec<Found> = read_rows(client, &questions.join(" UNION ALL ")).await?;
        empty.extend(
            used.into_iter()
                .filter(|table| found.iter().any(|found| found.oid == table.oid)),
        );
    }
    Ok(empty.into_iter().map(|table| table.oid).collect())
}

/// Reads the definitions of some tables, and of the types that they use.
pub(super) async fn read_tables(
    client: &Client,
    oids: &[u32],
) -> Result<(Vec<Table>, Types), RowsError> {
    let list = format!(
        "'{{{}}}'::oid[]",
        oids.iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(",")
    );
    let mut tables: Vec<Table> = read_rows(
        client,
        &format!(
            "SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
                CASE c.relkind WHEN 'p' THEN (
                    SELECT string_agg('(' || COALESCE(pg_get_partition_constraintdef(p.relid), 'true') || ')', ' OR ')
                    FROM pg_partition_tree(c.oid) AS p WHERE p.isleaf AND p.relid <> c.oid) END AS partition_bound
            FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.oid = ANY ({list}) ORDER BY n.nspname, c.relname"
        ),
    )
    .await?;
    let columns: Vec<Column> = read_rows(
        client,
        &format!(
            "SELECT a.attrelid::int8 AS table, a.attnum AS number, a.attname AS name, a.atttypid::int8 AS type, a.atttypmod AS typmod,
                format_type(a.atttypid, a.atttypmod) AS spelled, a.attnotnull AS required,
                CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
                a.attidentity <> '' AS identity, a.attgenerated <> '' AS generated
            FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = ANY ({list}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"
        ),
    )
    .await?;
    let checks: Vec<Check> = read_rows(
        client,
        &format!(
            "SELECT k.conrelid::int8 AS table, k.conname AS name, COALESCE(k.conkey, '{{}}') AS columns,
                pg_get_expr(k.conbin, k.conrelid) AS expression
            FROM pg_constraint AS k WHERE k.conrelid = ANY ({list}) AND k.contype = 'c' ORDER BY k.conrelid, k.conname"
        ),
    )
    .await?;
    let foreign_keys: Vec<ForeignKey> = read_rows(
        client,
        &format!(
            "SELECT k.conrelid::int8 AS table, k.conkey AS columns, k.confrelid::int8 AS parent,
                (SELECT quote_ident(n.nspname) || '.' || quote_ident(p.relname) FROM pg_class AS p
                    JOIN pg_namespace AS n ON n.oid = p.relnamespace WHERE p.oid = k.confrelid) AS parent_sql,
                ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY AS u(number, place)
                    JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.number ORDER BY u.place) AS parent_columns
            FROM pg_constraint AS k WHERE k.conrelid = ANY ({list}) AND k.contype = 'f' AND k.conparentid = 0
            ORDER BY k.conrelid, cardinality(k.conkey) DESC, k.conname"
        ),
    )
    .await?;
    let uniques: Vec<Unique> = read_rows(
        client,
        &format!(
            "SELECT i.indrelid::int8 AS table, c.relname AS name,
                ARRAY(SELECT DISTINCT d.refobjsubid::int2 FROM pg_depend AS d WHERE d.refobjid = i.indrelid AND d.refobjsubid > 0
                    AND (d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                        OR d.classid = 'pg_constraint'::regclass AND d.objid IN (
                            SELECT k.oid FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))))
                    AS columns,
                ARRAY(SELECT format('SET CONSTRAINTS %I.%I IMMEDIATE; REINDEX INDEX %s', n.nspname, k.conname, leaf.relid::regclass)
                    FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace
                        CROSS JOIN LATERAL (SELECT i.indexrelid AS relid WHERE c.relkind = 'i' UNION ALL
                            SELECT p.relid FROM pg_partition_tree(i.indexrelid) AS p WHERE c.relkind = 'I' AND p.isleaf) AS leaf
                    WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.condeferrable AND k.contype IN ('p', 'u', 'x'))
                    AS deferred
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
            WHERE i.indrelid = ANY ({list}) AND (i.indisunique OR i.indisexclusion) ORDER BY i.indrelid, c.relname"
        ),
    )
    .await?;
    let types: Vec<Type> = read_rows(
        client,
        &format!(
            "WITH RECURSIVE used(oid) AS (
                SELECT DISTINCT a.atttypid FROM pg_attribute AS a
                    WHERE a.attrelid = ANY ({list}) AND a.attnum > 0 AND NOT a.attisdropped
                UNION
                SELECT x.oid FROM used JOIN pg_type AS t ON t.oid = used.oid
                    LEFT JOIN pg_range AS r ON t.oid IN (r.rngtypid, r.rngmultitypid)
                    CROSS JOIN LATERAL (
                        SELECT t.typelem WHERE t.typcategory = 'A'
                        UNION ALL SELECT t.typbasetype
                        UNION ALL SELECT r.rngsubtype
                        UNION ALL SELECT a.atttypid FROM pg_attribute AS a
                            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS x(oid)
                WHERE x.oid <> 0)
            SELECT t.oid::int8, t.typname AS name, t.oid::int8 < 16384 AS built_in, format_type(t.oid, NULL) AS spelled,
                t.typtype AS kind, t.typcategory = 'A' AS array, t.typelem::int8 AS element, t.typdelim AS delimiter,
                t.typbasetype::int8 AS base, t.typtypmod AS base_typmod, t.typnotnull AS required,
                COALESCE(r.rngsubtype, 0)::int8 AS subtype,
                ARRAY(SELECT e.enumlabel FROM pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
                ARRAY(SELECT pg_get_expr(k.conbin, 0) FROM pg_constraint AS k
                    WHERE k.contypid = t.oid AND k.contype = 'c' ORDER BY k.conname) AS checks,
                ARRAY(SELECT ARRAY[a.atttypid::int8, a.atttypmod] FROM pg_attribute AS a
                    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
                    ORDER BY a.attnum) AS attributes
            FROM used JOIN pg_type AS t ON t.oid = used.oid LEFT JOIN pg_range AS r ON t.oid IN (r.rngtypid, r.rngmultitypid)"
        ),
    )
    .await?;
    let places: HashMap<u32, usize> = tables
        .iter()
        .enumerate()
        .map(|(place, table)| (table.oid, place))
        .collect();
    macro_rules! hand_out {
        ($rows:ident) => {
            for row in $rows {
                if let Some(place) = places.get(&row.table) {
                    tables[*place].$rows.push(row);
                }
            }
        };
    }
    hand_out!(columns);
    hand_out!(checks);
    hand_out!(foreign_keys);
    hand_out!(uniques);
    for table in &mut tables {
        if let Some(bound) = table.partition_bound.clone() {
            let columns = table
                .columns
                .iter()
                .filter(|column| bound.contains(&quote_identifier(&column.name)))
                .map(|column| column.number)
                .collect();
            table.checks.push(Check {
                table: table.oid,
                name: "its partitions".to_owned(),
                columns,
                expression: bound,
            });
        }
    }
    Ok((tables, Types::new(types)))
}
