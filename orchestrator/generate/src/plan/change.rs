//! Changes and creates, in the order of the new schema.

use catalog::same_sql;
use pg_sql::{quote_identifier as quote, quote_literal};

use super::text::{
    about, about_table, drop_identity, inverse_grants, is_identity, options_of, replaced_name,
};
use super::{Planner, Statement};
use crate::archive::Entry;
use crate::facts::Column;
use crate::model::{is_table, key, qualified};

/// What requires that partitions are attached.
const AFTER_INDEXES: [&str; 7] = [
    "INDEX ATTACH",
    "FK CONSTRAINT",
    "RULE",
    "TRIGGER",
    "POLICY",
    "MATERIALIZED VIEW",
    "PUBLICATION TABLE",
];

impl<'a> Planner<'a> {
    pub(super) fn change_and_create(&mut self) {
        // Attaching creates the indexes of the parent that the partition lacks: it gets its own before.
        let mut attachments: Vec<usize> = Vec::new();
        for position in 0..self.new.entries.len() {
            let entry = &self.new.entries[position];
            let old = self.old.find(&key(entry));
            if AFTER_INDEXES.contains(&entry.kind.as_str()) {
                self.attach(std::mem::take(&mut attachments));
            }
            if entry.kind == "TABLE ATTACH" && old.is_none_or(|it| self.dropped.contains(&it)) {
                attachments.push(position);
                continue;
            }
            match old {
                Some(old) if self.replaced.contains(&old) => {
                    let replaced = &self.old.entries[old];
                    let kind = if replaced.kind == "DOMAIN" {
                        "DOMAIN"
                    } else {
                        "TYPE"
                    };
                    let about = about(entry);
                    let rename = format!(
                        "ALTER {kind} {} RENAME TO {};",
                        qualified(replaced),
                        quote(&replaced_name(&replaced.tag))
                    );
                    self.emit(&about, rename);
                    self.emit(&about, entry.create.clone());
                }
                Some(old) if !self.dropped.contains(&old) => self.change(old, entry),
                _ => self.create(position, entry),
            }
        }
        self.attach(attachments);
    }

    fn attach(&mut self, positions: Vec<usize>) {
        for position in positions {
            self.create(position, &self.new.entries[position]);
        }
    }

    pub(super) fn create(&mut self, position: usize, entry: &Entry) {
        let kept_table = |table: usize| {
            let table = &self.new.entries[table];
            is_table(table) && self.old.find(&key(table)).is_some()
        };
        // The table and the column that it is a part of.
        let part_of = (self.new.edges.iter())
            .find(|edge| {
                edge.from == position && edge.is_part && edge.to_column != 0 && kept_table(edge.to)
            })
            .and_then(|edge| {
                let relation = self.new.relation(&self.new.entries[edge.to])?;
                let column = relation
                    .columns
                    .iter()
                    .find(|it| it.number == edge.to_column)?;
                let old = self.old.find(&key(&self.new.entries[edge.to]))?;
                let is_added = !self
                    .old
                    .relation(&self.old.entries[old])?
                    .columns
                    .iter()
                    .any(|it| it.name == column.name)
                    || self
                        .changes
                        .get(&old)
                        .is_some_and(|it| it.added.contains(&column.name));
                Some((relation, column, is_added))
            });
        if entry.kind == "CHECK CONSTRAINT" && self.was_inherited(entry) {
            return;
        }
        match (entry.kind.as_str(), part_of) {
            // Declared with the column.
            ("DEFAULT", Some((_, column, true))) if !self.is_later_default(column) => {}
            ("DEFAULT", Some((relation, column, true))) => {
                let (about, table, name) = (about_table(relation), &relation.name, &column.name);
                self.emit(&about, entry.create.clone());
                self.emit(
                    &about,
                    format!("UPDATE {table} SET {name} = DEFAULT WHERE {name} IS NULL;"),
                );
                if column.not_null {
                    self.emit(
                        &about,
                        format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"),
                    );
                }
            }
            ("SEQUENCE", Some((_, _, true))) if is_identity(entry) => {}
            // It continues after the values that the column has.
            ("SEQUENCE", Some((relation, column, false))) => {
                self.emit(about(entry), entry.create.clone());
                let name = qualified(entry);
                let sql = format!(
                    "SELECT pg_catalog.setval({}, GREATEST(MAX({column}), 0) + 1, false) FROM {};",
                    quote_literal(&name),
                    relation.name,
                    column = column.name
                );
                self.emit(about(entry), sql);
            }
            ("MATERIALIZED VIEW", _) => {
                let sql = entry.create.replace("\n  WITH NO DATA;", ";");
                self.emit(about(entry), sql);
            }
            _ => self.emit(about(entry), entry.create.clone()),
        }
    }

    /// Whether a check comes from a parent that the table loses, which leaves it.
    fn was_inherited(&self, entry: &Entry) -> bool {
        self.changes.keys().any(|index| {
            let table = &self.old.entries[*index];
            let Some(relation) = self.old.relation(table) else {
                return false;
            };
            (self.old.inherited_checks(relation)).any(|it| {
                entry.schema == table.schema
                    && entry.tag == format!("{} {}", table.tag, it.bare_name)
                    && same_sql(
                        &entry.create,
                        &format!(
                            "ALTER TABLE {} ADD CONSTRAINT {} {};",
                            relation.name, it.name, it.definition
                        ),
                    )
            })
        })
    }

    /// Whether a default is set in an entry after its table, because it requires an object that comes after the table.
    pub(super) fn is_later_default(&self, column: &Column) -> bool {
        column.default_oid != 0
            && column.generated.is_empty()
            && column
                .default
                .as_ref()
                .is_some_and(|it| it.starts_with("nextval("))
    }

    pub(super) fn change(&mut self, old_index: usize, new: &'a Entry) {
        let old = &self.old.entries[old_index];
        if let Some(change) = self.changes.get(&old_index) {
            let (Some(before), Some(after)) = (self.old.relation(old), self.new.relation(new))
            else {
                return;
            };
            let sequences: Vec<(&Entry, usize)> = (self.new.entries.iter().enumerate())
                .filter(|(_, it)| it.kind == "SEQUENCE" && is_identity(it))
                .map(|(index, it)| (it, index))
                .collect();
            let own = self.new.find(&key(new));
            let identity_of = |column: &Column| {
                sequences
                    .iter()
                    .find(|(_, index)| {
                        self.new.edges.iter().any(|edge| {
                            edge.from == *index
                                && Some(edge.to) == own
                                && edge.to_column == column.number
                        })
                    })
                    .and_then(|(entry, _)| {
                        let (_, text) = entry.create.split_once(" ADD GENERATED ")?;
                        Some(format!("GENERATED {}", text.trim_end_matches(';')))
                    })
            };
            let statements = change.alters(
                self.old,
                (before, after),
                |oid| self.is_replaced(oid),
                |column| self.is_later_default(column),
                identity_of,
            );
            for sql in statements {
                self.emit(about_table(after), sql);
            }
            return;
        }
        match new.kind.as_str() {
            "TYPE" => self.change_type(old, new),
            "DOMAIN" => self.change_domain(old, new),
            _ if same_sql(&old.create, &new.create) => {}
            "ACL" | "DEFAULT ACL" => {
                let inverse = inverse_grants(&old.create, &new.create);
                self.emit(about(new), inverse);
                let added: Vec<&str> = new
                    .create
                    .lines()
                    .filter(|it| !old.create.lines().any(|other| other == *it))
                    .collect();
                self.emit(about(new), added.join("\n"));
            }
            "SEQUENCE" => self.change_sequence(old, new),
            "VIEW" => {
                self.emit(
                    about(new),
                    new.create
                        .replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1),
                );
            }
            kind @ ("FUNCTION" | "PROCEDURE") => {
                let head = format!("CREATE {kind}");
                let sql = new
                    .create
                    .replacen(&head, &format!("CREATE OR REPLACE {kind}"), 1);
                self.emit(about(new), sql);
            }
            // Their statements do not differ in anything that could be changed in place.
            "SCHEMA" | "EXTENSION" => {}
            _ => self.emit(about(new), new.create.clone()),
        }
    }

    pub(super) fn change_type(&mut self, old: &Entry, new: &Entry) {
        if let (Some(before), Some(after)) = (self.old.labels(old), self.new.labels(new)) {
            for (index, label) in after.iter().enumerate() {
                if before.contains(label) {
                    continue;
                }
                let place = match index.checked_sub(1).and_then(|it| after.get(it)) {
                    Some(previous) => format!("AFTER {}", quote_literal(previous)),
                    None => match before.first() {
                        Some(first) => format!("BEFORE {}", quote_literal(first)),
                        None => String::new(),
                    },
                };
                self.plan.statements.push(Statement {
                    sql: format!(
                        "ALTER TYPE {} ADD VALUE {} {place};",
                        qualified(new),
                        quote_literal(label)
                    ),
                    about: about(new),
                    adds_value: true,
                });
            }
            return;
        }
        let (Some(before), Some(after)) = (self.old.relation(old), self.new.relation(new)) else {
            return;
        };
        let (before, after) = (&before.columns, &after.columns);
        let mut alter = |text: String| {
            self.emit(about(new), format!("ALTER TYPE {} {text};", qualified(new)));
        };
        for column in before {
            match after.iter().find(|it| it.name == column.name) {
                None => alter(format!("DROP ATTRIBUTE {}", column.name)),
                Some(other) if other.type_name != column.type_name => {
                    alter(format!(
                        "ALTER ATTRIBUTE {} TYPE {}",
                        column.name, other.type_name
                    ));
                }
                Some(_) => {}
            }
        }
        for column in after
            .iter()
            .filter(|it| !before.iter().any(|other| other.name == it.name))
        {
            alter(format!(
                "ADD ATTRIBUTE {} {}",
                column.name, column.type_name
            ));
        }
    }

    pub(super) fn change_domain(&mut self, old: &Entry, new: &Entry) {
        let (Some(before), Some(after)) = (self.old.domain(old), self.new.domain(new)) else {
            return;
        };
        let (before, after) = (before.clone(), after.clone());
        let checks = (
            self.old.checks_of_domain(old),
            self.new.checks_of_domain(new),
        );
        let mut alter = |text: String| {
            self.emit(
                about(new),
                format!("ALTER DOMAIN {} {text};", qualified(new)),
            );
        };
        let is_same = |name: &str| match (checks.0.get(name), checks.1.get(name)) {
            (Some(one), Some(other)) => same_sql(one, other),
            _ => false,
        };
        for name in checks.0.keys().filter(|it| !is_same(it)) {
            alter(format!("DROP CONSTRAINT {name}"));
        }
        if before.default != after.default {
            alter(match &after.default {
                Some(default) => format!("SET DEFAULT {default}"),
                None => "DROP DEFAULT".to_owned(),
            });
        }
        if before.not_null != after.not_null {
            let verb = if after.not_null { "SET" } else { "DROP" };
            alter(format!("{verb} NOT NULL"));
        }
        for (name, definition) in checks.1.iter().filter(|(name, _)| !is_same(name)) {
            alter(format!("ADD CONSTRAINT {name} {definition}"));
        }
    }

    /// Keeps the position of a sequence.
    pub(super) fn change_sequence(&mut self, old: &Entry, new: &Entry) {
        let name = qualified(new);
        match (is_identity(old), is_identity(new)) {
            (was, is) if was != is => {
                let former = quote(&replaced_name(&new.tag));
                let former_name = format!("{}.{former}", quote(&new.schema));
                self.emit(
                    about(new),
                    format!("ALTER SEQUENCE {name} RENAME TO {former};"),
                );
                if is {
                    // Owned by the same column, it would count as its sequence.
                    self.emit(
                        about(new),
                        format!("ALTER SEQUENCE {former_name} OWNED BY NONE;"),
                    );
                }
                self.emit(about(new), new.create.clone());
                self.emit(
                    about(new),
                    format!(
                        "SELECT pg_catalog.setval({}, last_value, is_called) FROM {former_name};",
                        quote_literal(&name)
                    ),
                );
                let drop = match was {
                    true => drop_identity(&old.create),
                    false => format!("DROP SEQUENCE {former_name};"),
                };
                self.emit(about(new), drop);
            }
            (_, is) => {
                let options = options_of(new);
                if options == options_of(old) {
                    return;
                }
                let mut text = options.split_whitespace().collect::<Vec<_>>().join(" ");
                if !is && !text.starts_with("AS ") && old.create.contains("\n    AS ") {
                    text = format!("AS bigint {text}");
                }
                if !text.contains("CYCLE") {
                    text.push_str(" NO CYCLE");
                }
                self.emit(about(new), format!("ALTER SEQUENCE {name} {text};"));
            }
        }
    }
}
