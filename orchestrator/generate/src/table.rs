//! The changes within a table that both sides have.

use std::collections::BTreeSet;

use pg_sql::quote_literal;

use crate::facts::{Column, Relation};
use crate::model::{Model, bare, by_name};

/// How the columns of one table change.
#[derive(Debug, Default)]
pub(crate) struct TableChange {
    /// The numbers of the columns that are dropped, of which `rebuilt` are added again.
    pub(crate) gone: BTreeSet<i32>,
    /// The numbers of the generated columns that are dropped and added again.
    pub(crate) rebuilt: BTreeSet<i32>,
    /// The numbers of the columns whose type changes.
    pub(crate) retyped: BTreeSet<i32>,
    /// The names of the columns whose values are lost.
    pub(crate) lost: Vec<String>,
    /// The names of the added columns.
    pub(crate) added: Vec<String>,
}

impl TableChange {
    /// Compares a table. `is_replaced` answers whether a type is replaced by a new one of the same name.
    pub(crate) fn new(
        model: &Model,
        (old, new): (&Relation, &Relation),
        is_replaced: impl Fn(i64) -> bool,
    ) -> Self {
        let mut change = Self::default();
        let (before, after) = (by_name(old), by_name(new));
        for (name, column) in &before {
            let Some(other) = after.get(name) else {
                if column.is_local {
                    change.gone.insert(column.number);
                    if column.generated.is_empty() {
                        change.lost.push((*name).to_owned());
                    }
                }
                continue;
            };
            let is_retyped = column.type_name != other.type_name
                || column.collation != other.collation
                || is_replaced(column.type_oid);
            let is_generated = !column.generated.is_empty();
            let becomes_generated = !other.generated.is_empty();
            let loses_expression = is_generated && !becomes_generated && column.generated == "s";
            if (is_generated || becomes_generated)
                && !loses_expression
                && (column.generated != other.generated
                    || column.default != other.default
                    || is_retyped)
            {
                change.rebuilt.insert(column.number);
                if !is_generated {
                    change.lost.push((*name).to_owned());
                }
            } else if is_retyped {
                change.retyped.insert(column.number);
            }
        }
        for column in change.retyped.clone() {
            for number in model.generated_from(old, column) {
                change.retyped.remove(&number);
                change.rebuilt.insert(number);
            }
        }
        // A generated column that the other side lacks is gone already.
        change.rebuilt = change.rebuilt.difference(&change.gone).copied().collect();
        change.gone.extend(&change.rebuilt);
        change.added = after
            .iter()
            .filter(|(name, column)| !before.contains_key(*name) && column.is_local)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        change
    }

    /// Drops and adds a generated column. Answers whether that is new.
    pub(crate) fn rebuild(&mut self, number: i32) -> bool {
        let is_new = self.gone.insert(number);
        if is_new {
            self.retyped.remove(&number);
            self.rebuilt.insert(number);
        }
        is_new
    }

    /// The statements that drop columns.
    pub(crate) fn drops(&self, old: &Relation) -> Vec<String> {
        (old.columns.iter())
            .filter(|it| self.gone.contains(&it.number))
            .map(|it| format!("ALTER TABLE {} DROP COLUMN {};", old.name, it.name))
            .collect()
    }

    /// The statements that add and change columns and set what belongs to the table itself.
    pub(crate) fn alters(
        &self,
        model: &Model,
        (old, new): (&Relation, &Relation),
        is_replaced: impl Fn(i64) -> bool,
        has_later_default: impl Fn(&Column) -> bool,
        identity_of: impl Fn(&Column) -> Option<String>,
    ) -> Vec<String> {
        let before = by_name(old);
        let mut statements = Vec::new();
        let table = &new.name;
        let mut alter = |text: String| statements.push(format!("ALTER TABLE {table} {text};"));
        for parent in old.parents.iter().filter(|it| !new.parents.contains(it)) {
            alter(format!("NO INHERIT {parent}"));
        }
        for column in &new.columns {
            let kept = before
                .get(column.name.as_str())
                .filter(|it| !self.gone.contains(&it.number));
            let name = &column.name;
            let Some(kept) = kept else {
                if column.is_local {
                    let later = has_later_default(column);
                    let identity = identity_of(column);
                    alter(format!(
                        "ADD COLUMN {}",
                        declaration(column, later, identity)
                    ));
                    settings(column, None, false, &mut alter);
                }
                continue;
            };
            if kept.generated == "s" && column.generated.is_empty() {
                alter(format!("ALTER COLUMN {name} DROP EXPRESSION"));
            }
            if self.retyped.contains(&kept.number) && column.is_local {
                let target = &column.type_name;
                let collate = match &column.collation {
                    Some(collation) => format!(" COLLATE {collation}"),
                    None => String::new(),
                };
                let using = if is_replaced(kept.type_oid) {
                    let array = if target.ends_with("[]") {
                        "text[]"
                    } else {
                        "text"
                    };
                    format!(" USING {name}::{array}::{target}")
                } else if model.is_assignable(&kept.type_name, target) {
                    String::new()
                } else if kept.type_name.contains('.') && target.contains('.') {
                    format!(" USING {name}::text::{target}")
                } else {
                    format!(" USING {name}::{target}")
                };
                alter(format!("ALTER COLUMN {name} TYPE {target}{collate}{using}"));
            }
            if kept.not_null && !column.not_null && kept.identity.is_empty() {
                alter(format!("ALTER COLUMN {name} DROP NOT NULL"));
            } else if !kept.not_null && column.not_null {
                alter(match named_not_null(new, column) {
                    Some(constraint) => format!("ADD CONSTRAINT {constraint} NOT NULL {name}"),
                    None => format!("ALTER COLUMN {name} SET NOT NULL"),
                });
            } else if kept.not_null
                && column.is_local
                && let (Some(one), Some(other)) = (&kept.not_null_name, &column.not_null_name)
                && one != other
            {
                alter(format!("RENAME CONSTRAINT {one} TO {other}"));
            }
            if !kept.identity.is_empty()
                && !column.identity.is_empty()
                && kept.identity != column.identity
            {
                alter(format!(
                    "ALTER COLUMN {name} SET GENERATED {}",
                    identity(column)
                ));
            }
            settings(
                column,
                Some(kept),
                self.retyped.contains(&kept.number),
                &mut alter,
            );
        }
        for parent in new.parents.iter().filter(|it| !old.parents.contains(it)) {
            alter(format!("INHERIT {parent}"));
        }
        options(old, new, &mut alter);
        statements
    }
}

/// The name of a NOT NULL constraint that the server would name differently.
fn named_not_null<'a>(table: &Relation, column: &'a Column) -> Option<&'a str> {
    let usual = format!("{}_{}_not_null", table.bare_name, bare(&column.name));
    column
        .not_null_name
        .as_deref()
        .filter(|name| bare(name) != usual)
}

/// What belongs to the table itself.
fn options(old: &Relation, new: &Relation, alter: &mut impl FnMut(String)) {
    if old.persistence != new.persistence {
        let word = if new.persistence == "u" {
            "UNLOGGED"
        } else {
            "LOGGED"
        };
        alter(format!("SET {word}"));
    }
    let name = |option: &String| option.split('=').next().unwrap_or_default().to_owned();
    let kept: BTreeSet<String> = new.options.iter().map(name).collect();
    let reset: Vec<String> = old
        .options
        .iter()
        .map(name)
        .filter(|it| !kept.contains(it))
        .collect();
    let set: Vec<String> = (new.options.iter())
        .filter(|it| !old.options.contains(it))
        .map(|it| match it.split_once('=') {
            Some((name, value)) => format!("{name} = {}", quote_literal(value)),
            None => it.clone(),
        })
        .collect();
    if !reset.is_empty() {
        alter(format!("RESET ({})", reset.join(", ")));
    }
    if !set.is_empty() {
        alter(format!("SET ({})", set.join(", ")));
    }
    if old.forces_rls != new.forces_rls {
        let word = if new.forces_rls { "FORCE" } else { "NO FORCE" };
        alter(format!("{word} ROW LEVEL SECURITY"));
    }
    if old.replica != new.replica && !new.replica.starts_with("USING") {
        alter(format!("REPLICA IDENTITY {}", new.replica));
    }
}

/// The storage, the compression, the statistics target and the options of a column.
fn settings(
    column: &Column,
    kept: Option<&Column>,
    is_retyped: bool,
    alter: &mut impl FnMut(String),
) {
    let name = &column.name;
    // A change of the type sets these to what is usual.
    let lasting = kept.filter(|_| !is_retyped);
    if lasting.map_or(&column.usual_storage, |it| &it.storage) != &column.storage {
        alter(format!(
            "ALTER COLUMN {name} SET STORAGE {}",
            column.storage
        ));
    }
    if lasting.map_or("", |it| &it.compression) != column.compression {
        let method = match column.compression.as_str() {
            "p" => "pglz",
            "l" => "lz4",
            _ => "DEFAULT",
        };
        alter(format!("ALTER COLUMN {name} SET COMPRESSION {method}"));
    }
    if kept.map_or(-1, |it| it.statistics) != column.statistics {
        alter(format!(
            "ALTER COLUMN {name} SET STATISTICS {}",
            column.statistics
        ));
    }
    let options = kept.and_then(|it| it.options.clone());
    if options != column.options {
        if let Some(options) = options {
            let names: Vec<&str> = (options.split(", "))
                .filter_map(|it| it.split('=').next())
                .collect();
            alter(format!("ALTER COLUMN {name} RESET ({})", names.join(", ")));
        }
        if let Some(options) = &column.options {
            alter(format!("ALTER COLUMN {name} SET ({options})"));
        }
    }
}

fn identity(column: &Column) -> &'static str {
    if column.identity == "a" {
        "ALWAYS"
    } else {
        "BY DEFAULT"
    }
}

/// The declaration of a new column. A default that requires a later object is set later, and NOT NULL with it.
fn declaration(column: &Column, has_later_default: bool, identity: Option<String>) -> String {
    let mut text = format!("{} {}", column.name, column.type_name);
    if let Some(collation) = &column.collation {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    match (&column.default, column.generated.as_str()) {
        (Some(default), "s") => {
            text.push_str(&format!(" GENERATED ALWAYS AS ({default}) STORED"));
        }
        (Some(default), "v") => text.push_str(&format!(" GENERATED ALWAYS AS ({default})")),
        (Some(default), _) if !has_later_default => text.push_str(&format!(" DEFAULT {default}")),
        _ => {}
    }
    match identity {
        // Fills the existing rows, and implies NOT NULL.
        Some(identity) => text.push_str(&format!(" {identity}")),
        None if column.not_null && !has_later_default => text.push_str(" NOT NULL"),
        None => {}
    }
    text
}
