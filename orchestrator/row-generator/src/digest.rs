//! Reads a digest of the rows in a database.
//!
//! Small tables are read row by row, big ones as sums of hashes, each in one scan. `losses` compares digests.

use pg_sql::quote_identifier;
use std::collections::BTreeMap;

use pg_session::Client;
use serde::Deserialize;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::RowsError;
use super::tables::{USERS_TABLES, read_rows, shown};

/// The maximum size in bytes of a table that is read row by row.
const SMALL_BYTES: i64 = 1 << 20;
/// The maximum number of rows of a table that is read row by row.
const SMALL_ROWS: usize = 1_000;

/// The maximum number of rows for which the keys of NULL values are read.
const MIXED_ROWS: usize = 200_000;

/// Settings as in `pg_dump`: exact values, independent of the server's configuration.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL row_security = on; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres';
    SET LOCAL timezone = 'UTC'; SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL jit = off";

/// The rows of a database at one moment.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    pub(super) tables: BTreeMap<(String, String), TableDigest>,
}

impl Digests {
    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.count() as u64).sum()
    }

    /// Whether a table had a column. Without a schema, the table is searched in all schemas.
    pub fn has_column(&self, schema: Option<&str>, table: &str, column: &str) -> bool {
        self.tables.iter().any(|((its_schema, its_name), digest)| {
            schema.is_none_or(|schema| schema == its_schema)
                && its_name == table
                && digest.columns.iter().any(|known| known.name == column)
        })
    }
}

/// The rows of one table.
#[derive(Clone, Debug)]
pub(super) struct TableDigest {
    pub oid: u32,
    /// The name for messages.
    pub shown: String,
    pub columns: Vec<DigestColumn>,
    /// The key columns, by name.
    pub key: Vec<String>,
    pub content: Content,
}

/// A column of a table.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DigestColumn {
    pub number: i16,
    pub name: String,
    pub generated: bool,
}

/// The contents of a table.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Every row, with values in column order.
    Rows(Vec<Vec<Option<String>>>),
    /// For a big table: the number of rows, and sums for each column.
    Sums { count: usize, sums: Vec<ColumnSums> },
}

/// The sums for a column of a big table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnSums {
    /// The sum of the hashes of all values, each with the key of its row.
    pub all: String,
    /// The same sum for values that are not NULL.
    pub values: String,
    /// The number of NULL values.
    pub nulls: usize,
    /// The hashed keys of the rows with NULL, if there are some but not too many.
    null_keys: Vec<i64>,
    /// As `values`, without the rows that had NULL in the earlier digest, if known.
    pub kept: Option<String>,
}

impl TableDigest {
    /// The number of rows.
    pub fn count(&self) -> usize {
        match &self.content {
            Content::Rows(rows) => rows.len(),
            Content::Sums { count, .. } => *count,
        }
    }

    /// The position of the column with this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

#[derive(Deserialize)]
struct Found {
    oid: u32,
    schema: String,
    name: String,
    partitioned: bool,
    size: i64,
    columns: Vec<DigestColumn>,
    key: Vec<String>,
}

impl Found {
    fn from(&self) -> String {
        format!(
            "{} {}.{}",
            if self.partitioned { "" } else { "ONLY" },
            quote_identifier(&self.schema),
            quote_identifier(&self.name)
        )
    }

    fn digest(self, content: Content) -> ((String, String), TableDigest) {
        let digest = TableDigest {
            oid: self.oid,
            shown: shown(&self.schema, &self.name),
            columns: self.columns,
            key: self.key,
            content,
        };
        ((self.schema, self.name), digest)
    }
}

/// Reads the rows of all user tables. `earlier` is the digest with which the result will be compared. The client must not be in a
/// transaction.
///
/// # Errors
/// When a table cannot be read.
pub async fn digest(client: &Client, earlier: Option<&Digests>) -> Result<Digests, RowsError> {
    client.batch_execute(BEGIN).await?;
    let read = read(client, earlier).await;
    client.batch_execute("ROLLBACK").await?;
    read
}

async fn read(client: &Client, earlier: Option<&Digests>) -> Result<Digests, RowsError> {
    let mut found: Vec<Found> = read_rows(
        client,
        &format!(
            "SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind = 'p' AS partitioned,
                CASE c.relkind WHEN 'p' THEN (SELECT COALESCE(sum(pg_table_size(p.relid)), 0)::int8
                        FROM pg_partition_tree(c.oid) AS p WHERE p.isleaf)
                    ELSE pg_table_size(c.oid) END AS size,
                ARRAY(SELECT json_build_object('number', a.attnum, 'name', a.attname, 'generated', a.attgenerated <> '')
                    FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    ORDER BY a.attnum) AS columns,
                ARRAY(SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
                    WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY a.attnum) AS key
            FROM {USERS_TABLES}"
        ),
    )
    .await?;
    let mut small = Vec::new();
    let mut big = Vec::new();
    for mut table in found.drain(..) {
        let before = earlier.and_then(|earlier| {
            earlier
                .tables
                .get(&(table.schema.clone(), table.name.clone()))
        });
        // A table is read the same way as in the earlier digest, with the same key, so that the two are comparable.
        if let Some(before) = before {
            let same_key = before
                .key
                .iter()
                .all(|name| table.columns.iter().any(|column| column.name == *name));
            if same_key {
                table.key.clone_from(&before.key);
            }
        }
        let is_small = match before.map(|before| &before.content) {
            Some(Content::Rows(_)) => true,
            Some(Content::Sums { .. }) => false,
            None => table.size <= SMALL_BYTES,
        };
        if is_small {
            small.push(table);
        } else {
            big.push(table);
        }
    }
    let mut digests = Digests::default();
    let contents = read_small(client, &small).await?;
    for (table, rows) in small.into_iter().zip(contents) {
        if rows.len() > SMALL_ROWS {
            big.push(table);
        } else {
            let (name, digest) = table.digest(Content::Rows(rows));
            digests.tables.insert(name, digest);
        }
    }
    for table in big {
        let before = earlier.and_then(|earlier| {
            let name = (table.schema.clone(), table.name.clone());
            earlier.tables.get(&name)
        });
        let content = read_big(client, &table, before).await?;
        let (name, digest) = table.digest(content);
        digests.tables.insert(name, digest);
    }
    Ok(digests)
}

/// Reads all rows of all small tables in one query.
async fn read_small(
    client: &Client,
    tables: &[Found],
) -> Result<Vec<Vec<Vec<Option<String>>>>, RowsError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let queries: Vec<String> = tables
        .iter()
        .map(|table| {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| quote_identifier(&column.name))
                .collect();
            format!(
                "SELECT {} FROM {} LIMIT {}",
                columns.join(", "),
                table.from(),
                SMALL_ROWS + 1
            )
        })
        .collect();
    let mut contents = Vec::with_capacity(tables.len());
    let mut rows = Vec::new();
    for message in client.simple_query(&queries.join("; ")).await? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push(
                (0..row.len())
                    .map(|place| row.get(place).map(str::to_owned))
                    .collect(),
            ),
            SimpleQueryMessage::CommandComplete(_) => contents.push(std::mem::take(&mut rows)),
            _ => {}
        }
    }
    Ok(contents)
}

/// Reads a big table in one scan, with a second scan for the keys of rows with NULL if a column is partly NULL.
async fn read_big(
    client: &Client,
    table: &Found,
    before: Option<&TableDigest>,
) -> Result<Content, RowsError> {
    let key = match table.key.is_empty() {
        true => "''".to_owned(),
        false => {
            let parts = table.key.iter().map(|name| quote_identifier(name));
            let parts = parts.map(|name| format!("COALESCE({name}::text, '') || chr(31)"));
            parts.collect::<Vec<_>>().join(" || ")
        }
    };
    let mut wanted = vec!["count(*)".to_owned()];
    for column in &table.columns {
        let name = quote_identifier(&column.name);
        let sum = format!(
            "sum(hashtextextended({key} || CASE WHEN {name} IS NULL THEN '0' ELSE '1' || {name}::text END, 0))"
        );
        wanted.push(format!("COALESCE({sum}, 0)"));
        wanted.push(format!(
            "COALESCE({sum} FILTER (WHERE {name} IS NOT NULL), 0)"
        ));
        wanted.push(format!("count(*) FILTER (WHERE {name} IS NULL)"));
        wanted.push(match was_null(before, &column.name) {
            Some(keys) => {
                let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
                let keys = keys.join(",");
                format!(
                    "COALESCE({sum} FILTER (WHERE {name} IS NOT NULL AND hashtextextended({key}, 0) <> ALL ('{{{keys}}}'::int8[])), 0)"
                )
            }
            None => "NULL".to_owned(),
        });
    }
    let sql = format!("SELECT {} FROM {}", wanted.join(", "), table.from());
    let (mut count, mut sums) = (0, Vec::new());
    if let Some(row) = first_row(client, &sql).await? {
        let number = |place| {
            row.get(place)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        let text = |place| row.get(place).map(str::to_owned);
        count = number(0);
        let places = (1..row.len()).step_by(4);
        sums = places
            .map(|at| ColumnSums {
                all: text(at).unwrap_or_default(),
                values: text(at + 1).unwrap_or_default(),
                nulls: number(at + 2),
                null_keys: Vec::new(),
                kept: text(at + 3),
            })
            .collect();
    }
    let is_mixed = |sums: &ColumnSums| sums.nulls > 0 && sums.nulls < count;
    let is_known = |sums: &ColumnSums| sums.nulls <= MIXED_ROWS && !table.key.is_empty();
    let wanted: Vec<String> = std::iter::zip(&table.columns, &sums)
        .map(|(column, sums)| match is_mixed(sums) && is_known(sums) {
            true => format!(
                "array_agg(hashtextextended({key}, 0)) FILTER (WHERE {} IS NULL)",
                quote_identifier(&column.name)
            ),
            false => "NULL".to_owned(),
        })
        .collect();
    if before.is_none() && wanted.iter().any(|it| it != "NULL") {
        let sql = format!("SELECT {} FROM {}", wanted.join(", "), table.from());
        if let Some(row) = first_row(client, &sql).await? {
            for (place, sums) in sums.iter_mut().enumerate() {
                let keys = row.get(place).unwrap_or_default().trim_matches(['{', '}']);
                sums.null_keys = keys.split(',').filter_map(|key| key.parse().ok()).collect();
            }
        }
    }
    Ok(Content::Sums { count, sums })
}

/// The hashed keys of the rows in which a column was NULL; `None` if unknown, or if it was NULL in none or all of them.
fn was_null<'a>(before: Option<&'a TableDigest>, column: &str) -> Option<&'a [i64]> {
    let before = before?;
    let Content::Sums { count, sums } = &before.content else {
        return None;
    };
    let sums = sums.get(before.column(column)?)?;
    match sums.nulls {
        0 => None,
        nulls if nulls == *count => None,
        nulls => (sums.null_keys.len() == nulls).then_some(&sums.null_keys),
    }
}

async fn first_row(client: &Client, sql: &str) -> Result<Option<SimpleQueryRow>, RowsError> {
    let messages = client.simple_query(sql).await?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}
