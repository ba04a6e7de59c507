//! Generates rows for every empty table.
//!
//! Selects the tables, their order and the settings. `insert` generates the rows of one table.
//!
//! Triggers and foreign keys are disabled: a trigger may be broken, and its effect on a row does not matter for the
//! migration. This module makes sure that foreign keys hold.

use pg_sql::quote_identifier;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use pg_session::Client;
use tokio_postgres::SimpleQueryMessage;

use super::RowsError;
use super::fulfil::{fulfil, unchecked_tables};
use super::insert::{Recipe, Reference, Why, attempt, own_number};
use super::order::order;
use super::search::{groups, learn_types};
use super::tables::{ForeignKey, Table, empty_tables, read_tables};
use super::types::{Typed, Types};
use super::values::Want;

/// How many rows of a parent are referenced.
const PARENT_ROWS: usize = 24;

/// Settings for generating rows: independent of the server's configuration, and with time limits.
const SETTINGS: &str = "SET LOCAL synchronous_commit = off; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '10s';
    SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL timezone = 'UTC'; SET LOCAL jit = off;
    SET LOCAL client_min_messages = error; SET LOCAL row_security = on";

/// An empty table that could not be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfilled {
    /// The name of the table, for messages.
    pub table: String,
    pub why: String,
}

/// The result of filling tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// The filled tables, quoted for SQL.
    pub tables: Vec<String>,
    /// The number of generated rows.
    pub rows: u64,
    /// The tables that could not be filled.
    pub unfilled: Vec<Unfilled>,
}

/// Fills empty tables repeatedly, and skips those that failed until the schema changes.
#[derive(Debug, Default)]
pub struct Filler {
    hopeless: HashMap<u32, (u64, Unfilled)>,
    /// The tables with generated rows.
    generated: BTreeSet<u32>,
}

impl Filler {
    /// Inserts a few rows into every empty user table. The client must not be in a transaction.
    ///
    /// # Errors
    /// When the catalog cannot be read or the connection is lost. Rows that the server rejects are in the result.
    pub async fn fill(&mut self, client: &Client) -> Result<Filled, RowsError> {
        let empty = empty_tables(client).await?;
        let unchecked = unchecked_tables(client, &self.generated).await?;
        if empty.is_empty() && unchecked.is_empty() {
            return Ok(Filled::default());
        }
        client.batch_execute("BEGIN").await?;
        let filled = async {
            prepare(client).await?;
            if !unchecked.is_empty() {
                fulfil(client, &unchecked).await?;
            }
            if empty.is_empty() {
                return Ok(Filled::default());
            }
            let filled = fill_tables(client, &empty, &mut self.hopeless, false).await?;
            self.generated.extend(empty);
            Ok(filled)
        }
        .await;
        let end = if filled.is_ok() { "COMMIT" } else { "ROLLBACK" };
        client.batch_execute(end).await?;
        filled
    }
}

/// Fills the empty ones of these tables, and the tables that they reference, in the open transaction, which the caller rolls back:
/// no sequence is advanced.
pub async fn fill_in(client: &Client, selected: &BTreeSet<u32>) -> Result<Filled, RowsError> {
    let empty = empty_tables(client).await?;
    if !empty.iter().any(|oid| selected.contains(oid)) {
        return Ok(Filled::default());
    }
    prepare(client).await?;
    fill_tables(client, &empty, &mut HashMap::new(), true).await
}

/// Applies the settings for generating rows to the open transaction.
pub(super) async fn prepare(client: &Client) -> Result<(), RowsError> {
    client.batch_execute(SETTINGS).await?;
    let replica = "SET LOCAL session_replication_role = replica";
    // For a role that may not set it, triggers and foreign keys stay enabled; rows that they reject are reported.
    let _refused = attempt(client, async { Ok(client.batch_execute(replica).await?) }).await?;
    Ok(())
}

async fn fill_tables(
    client: &Client,
    empty: &[u32],
    hopeless: &mut HashMap<u32, (u64, Unfilled)>,
    spare_sequences: bool,
) -> Result<Filled, RowsError> {
    let (tables, mut types) = read_tables(client, empty).await?;
    let stamps: Vec<u64> = tables.iter().map(stamp).collect();
    let known = |place: usize| {
        hopeless
            .get(&tables[place].oid)
            .filter(|(stamp, _)| *stamp == stamps[place])
    };
    let mut filled = Filled::default();
    // A table may have failed because another one was empty: after any schema change all are retried.
    if (0..tables.len()).all(|place| known(place).is_some()) {
        filled.unfilled = (0..tables.len())
            .filter_map(|place| known(place).map(|(_, unfilled)| unfilled.clone()))
            .collect();
        filled
            .unfilled
            .sort_by(|one, other| one.table.cmp(&other.table));
        return Ok(filled);
    }
    hopeless.clear();
    learn_types(client, &mut types).await?;
    let mut work = Work {
        client,
        types: &types,
        tables: &tables,
        places: tables
            .iter()
            .enumerate()
            .map(|(place, table)| (table.oid, place))
            .collect(),
        done: BTreeSet::new(),
        own_numbers: own_numbers(&tables, spare_sequences),
        predicted: BTreeSet::new(),
    };
    for place in order(&tables) {
        let made = work.fill_table(place).await?;
        work.done.insert(place);
        match made {
            Ok(rows) => {
                filled.rows += rows;
                filled.tables.push(tables[place].sql());
            }
            Err(why) => filled.unfilled.push(Unfilled {
                table: tables[place].shown(),
                why,
            }),
        }
    }
    let broken = work.unresolved_references().await?;
    for place in broken {
        let table = &tables[place];
        client
            .batch_execute(&format!("DELETE FROM {}", table.sql()))
            .await?;
        filled.tables.retain(|known| *known != table.sql());
        filled.unfilled.push(Unfilled {
            table: table.shown(),
            why: "it is in a cycle of foreign keys in which no row can be inserted first"
                .to_owned(),
        });
    }
    filled
        .unfilled
        .sort_by(|one, other| one.table.cmp(&other.table));
    for unfilled in &filled.unfilled {
        if let Some(place) = tables
            .iter()
            .position(|table| table.shown() == unfilled.table)
        {
            hopeless.insert(tables[place].oid, (stamps[place], unfilled.clone()));
        }
    }
    Ok(filled)
}

fn stamp(table: &Table) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{table:?}").hash(&mut hasher);
    hasher.finish()
}

/// Columns with a sequence or identity that get explicit numbers: all, or those that must be referenced before they exist, in
/// cycles of required foreign keys.
fn own_numbers(tables: &[Table], all: bool) -> BTreeMap<u32, BTreeSet<String>> {
    let mut found: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    if all {
        for table in tables {
            let names = table.columns.iter().map(|column| column.name.clone());
            found.insert(table.oid, names.collect());
        }
        return found;
    }
    let places: BTreeMap<u32, usize> = order(tables)
        .into_iter()
        .enumerate()
        .map(|(turn, place)| (tables[place].oid, turn))
        .collect();
    for table in tables {
        for key in &table.foreign_keys {
            let later = places
                .get(&key.parent)
                .is_some_and(|turn| *turn >= places[&table.oid]);
            if later && is_required(table, key) {
                found
                    .entry(key.parent)
                    .or_default()
                    .extend(key.parent_columns.iter().cloned());
            }
        }
    }
    found
}

fn is_required(table: &Table, key: &ForeignKey) -> bool {
    key.columns.iter().all(|number| {
        table
            .position(*number)
            .is_some_and(|index| table.columns[index].required)
    })
}

struct Work<'a> {
    client: &'a Client,
    types: &'a Types,
    tables: &'a [Table],
    places: HashMap<u32, usize>,
    done: BTreeSet<usize>,
    own_numbers: BTreeMap<u32, BTreeSet<String>>,
    /// Tables with rows that reference rows which did not exist yet.
    predicted: BTreeSet<usize>,
}

impl Work<'_> {
    async fn fill_table(&mut self, place: usize) -> Result<Result<u64, Why>, RowsError> {
        let table = &self.tables[place];
        if table.partitioned && table.partition_bound.is_none() {
            return Ok(Err("it has no partitions".to_owned()));
        }
        let mut references = Vec::new();
        for key in &table.foreign_keys {
            let reference = self.reference(place, key).await?;
            if reference.predicted && !reference.keys.is_empty() {
                self.predicted.insert(place);
            }
            references.push(reference);
        }
        let given = |index: usize| {
            references.iter().find_map(|reference| {
                let part = reference
                    .columns
                    .iter()
                    .position(|column| *column == index)?;
                let mut values: Vec<Option<String>> = reference
                    .keys
                    .iter()
                    .map(|key| Some(key[part].clone()))
                    .collect();
                values.dedup();
                Some(values)
            })
        };
        let groups = groups(self.client, self.types, table, &given).await?;
        let own = self.own_numbers.get(&table.oid);
        let recipe = Recipe {
            types: self.types,
            table,
            groups,
            references,
            own_numbers: table
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| own.is_some_and(|own| own.contains(&column.name)))
                .map(|(index, _)| index)
                .collect(),
        };
        recipe.insert(self.client).await
    }

    /// The keys that a foreign key can reference.
    async fn reference(&self, place: usize, key: &ForeignKey) -> Result<Reference, RowsError> {
        let table = &self.tables[place];
        let columns = key
            .columns
            .iter()
            .filter_map(|number| table.position(*number))
            .collect();
        let parent = self.places.get(&key.parent).copied();
        let waiting = parent.filter(|parent| !self.done.contains(parent));
        let keys = match waiting {
            // If the key may be NULL, only rows of the same table are predicted.
            Some(parent) if is_required(table, key) || parent == place => {
                self.predict(parent, key, is_required(table, key), parent == place)
            }
            Some(_) => Vec::new(),
            None => self.keys(key).await?,
        };
        Ok(Reference {
            columns,
            keys,
            predicted: waiting.is_some(),
        })
    }

    /// The keys that the parent's rows will have; none if unknown.
    fn predict(
        &self,
        parent: usize,
        key: &ForeignKey,
        required: bool,
        own: bool,
    ) -> Vec<Vec<String>> {
        let parent = &self.tables[parent];
        let one = |ordinal: usize| {
            key.parent_columns
                .iter()
                .map(|name| {
                    let column = parent.columns.iter().find(|column| column.name == *name)?;
                    if column.is_numbered() {
                        return required.then(|| own_number(self.types, column.type_oid, ordinal));
                    }
                    self.types.value(Want {
                        typed: Typed {
                            oid: column.type_oid,
                            typmod: column.typmod,
                        },
                        column: name,
                        ordinal,
                        demanding: false,
                    })
                })
                .collect::<Option<Vec<String>>>()
        };
        // Of another table, the first two rows always follow; of the same table, as many as there are referencing rows.
        let sure = if own { PARENT_ROWS } else { 2 };
        (0..sure).filter_map(one).collect()
    }

    /// The keys of a table that is already filled.
    async fn keys(&self, key: &ForeignKey) -> Result<Vec<Vec<String>>, RowsError> {
        let names: Vec<String> = key
            .parent_columns
            .iter()
            .map(|name| quote_identifier(name))
            .collect();
        let sql = format!(
            "SELECT {} FROM {} WHERE num_nulls({}) = 0 LIMIT {PARENT_ROWS}",
            names.join(", "),
            key.parent_sql,
            names.join(", ")
        );
        let asked = attempt(self.client, async {
            Ok(self.client.simple_query(&sql).await?)
        });
        let mut keys = Vec::new();
        for message in asked.await?.unwrap_or_default() {
            if let SimpleQueryMessage::Row(row) = message {
                let parts: Option<Vec<String>> = (0..row.len())
                    .map(|place| row.get(place).map(str::to_owned))
                    .collect();
                keys.extend(parts);
            }
        }
        Ok(keys)
    }

    /// The tables whose rows reference predicted rows that were not inserted, and the tables that reference those.
    async fn unresolved_references(&self) -> Result<BTreeSet<usize>, RowsError> {
        let mut broken = BTreeSet::new();
        for place in &self.predicted {
            let table = &self.tables[*place];
            for key in &table.foreign_keys {
                if self.dangles(table, key).await? {
                    broken.insert(*place);
                }
            }
        }
        loop {
            let more: Vec<usize> = (0..self.tables.len())
                .filter(|place| !broken.contains(place))
                .filter(|place| {
                    !broken.is_empty()
                        && self.tables[*place].foreign_keys.iter().any(|key| {
                            self.places
                                .get(&key.parent)
                                .is_some_and(|parent| broken.contains(parent))
                        })
                })
                .collect();
            if more.is_empty() {
                return Ok(broken);
            }
            broken.extend(more);
        }
    }

    async fn dangles(&self, table: &Table, key: &ForeignKey) -> Result<bool, RowsError> {
        let mut same = Vec::new();
        let mut given = Vec::new();
        for (number, parent) in key.columns.iter().zip(&key.parent_columns) {
            if let Some(index) = table.position(*number) {
                let name = quote_identifier(&table.columns[index].name);
                same.push(format!("p.{} = c.{name}", quote_identifier(parent)));
                given.push(format!("c.{name}"));
            }
        }
        let sql = format!(
            "SELECT FROM {} AS c WHERE num_nulls({}) = 0 AND NOT EXISTS (SELECT FROM {} AS p WHERE {}) LIMIT 1",
            table.sql(),
            given.join(", "),
            key.parent_sql,
            same.join(" AND ")
        );
        let asked = self.client.simple_query(&sql).await?;
        Ok(asked
            .iter()
            .any(|message| matches!(message, SimpleQueryMessage::Row(_))))
    }
}
