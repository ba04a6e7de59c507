//! Drops: first what depends on the changes, in the reverse order of the old schema, and last what everything used.

use pg_sql::quote_identifier as quote;

use super::text::{drop_identity, inverse_grants, is_identity, replaced_name, without_comment};
use super::{LAST, Planner};
use crate::archive::Entry;
use crate::model::qualified;

impl Planner<'_> {
    pub(super) fn drop_first(&mut self) {
        const ABOUT: &str = "Drop what is no longer needed or depends on the changes.";
        for index in (0..self.old.entries.len()).rev() {
            let entry = &self.old.entries[index];
            if let Some(change) = self.changes.get(&index) {
                let relation = self.old.relation(entry);
                for drop in relation.map(|it| change.drops(it)).unwrap_or_default() {
                    self.emit(ABOUT, drop);
                }
                continue;
            }
            if !self.dropped.contains(&index) || LAST.contains(&entry.kind.as_str()) {
                continue;
            }
            if self.goes_with_another(index) || self.goes_after_detaching(index).is_some() {
                continue;
            }
            let is_kept = self.pair(index).is_some();
            let sql = match entry.kind.as_str() {
                "ACL" if is_kept => String::new(),
                "ACL" | "DEFAULT ACL" => inverse_grants(&entry.create, ""),
                "PUBLICATION TABLE" => self.without_table(index),
                "PUBLICATION TABLES IN SCHEMA" => {
                    entry.create.replacen(" ADD TABLES ", " DROP TABLES ", 1)
                }
                "COMMENT" if !is_kept => without_comment(&entry.create),
                "COMMENT" => String::new(),
                "SEQUENCE OWNED BY" if !is_kept => self.without_owner(entry),
                "SEQUENCE OWNED BY" => String::new(),
                "SEQUENCE" if entry.drop.is_empty() => drop_identity(&entry.create),
                // These have no statement of their own in the archives of older versions.
                "ROW SECURITY" if entry.drop.is_empty() => {
                    entry.create.replacen(" ENABLE ", " DISABLE ", 1)
                }
                "TABLE ATTACH" if entry.drop.is_empty() => {
                    let parent = entry
                        .create
                        .split(" ATTACH PARTITION ")
                        .next()
                        .unwrap_or_default();
                    format!("{parent} DETACH PARTITION {};", qualified(entry))
                }
                _ => entry.drop.clone(),
            };
            self.emit(ABOUT, sql);
            if entry.kind == "TABLE ATTACH" {
                self.drop_after_detaching(index, ABOUT);
            }
        }
    }

    /// The attachment of the partition, which stays as a table, whose index or constraint this is: as long as the parent has the same
    /// one, it cannot be dropped.
    fn goes_after_detaching(&self, index: usize) -> Option<usize> {
        let old = self.old;
        if !["INDEX", "CONSTRAINT"].contains(&old.entries[index].kind.as_str()) {
            return None;
        }
        let of = |from: usize| old.edges.iter().filter(move |edge| edge.from == from);
        let table = of(index)
            .find(|edge| self.changes.contains_key(&edge.to))?
            .to;
        old.edges
            .iter()
            .filter(|edge| edge.to == table && self.dropped.contains(&edge.from))
            .map(|edge| edge.from)
            .find(|from| {
                let (attach, table) = (&old.entries[*from], &old.entries[table]);
                attach.kind == "TABLE ATTACH"
                    && (&attach.schema, &attach.tag) == (&table.schema, &table.tag)
            })
    }

    fn drop_after_detaching(&mut self, attachment: usize, about: &str) {
        for index in (0..self.old.entries.len()).rev() {
            if !self.dropped.contains(&index)
                || self.goes_with_another(index)
                || self.goes_after_detaching(index) != Some(attachment)
            {
                continue;
            }
            let entry = &self.old.entries[index];
            // That of an attached index has no statement.
            let sql = match entry.drop.is_empty() {
                true => format!("DROP INDEX {};", qualified(entry)),
                false => entry.drop.clone(),
            };
            self.emit(about, sql);
        }
    }

    /// Removes a table from a publication.
    fn without_table(&self, index: usize) -> String {
        let create = &self.old.entries[index].create;
        let table = (self.old.edges.iter())
            .filter(|edge| edge.from == index)
            .find_map(|edge| self.old.relation(&self.old.entries[edge.to]));
        match (create.split_once(" ADD TABLE "), table) {
            (Some((publication, _)), Some(table)) => {
                format!("{publication} DROP TABLE ONLY {};", table.name)
            }
            _ => String::new(),
        }
    }

    /// Ends the ownership of a sequence that stays.
    pub(super) fn without_owner(&self, entry: &Entry) -> String {
        let sequence = (
            "SEQUENCE".to_owned(),
            entry.schema.clone(),
            entry.tag.clone(),
        );
        match self.new.find(&sequence) {
            Some(index) if !is_identity(&self.new.entries[index]) => {
                format!("ALTER SEQUENCE {} OWNED BY NONE;", qualified(entry))
            }
            _ => String::new(),
        }
    }

    /// Whether the server drops an entry together with another one, or with a column.
    pub(super) fn goes_with_another(&self, index: usize) -> bool {
        let entry = &self.old.entries[index];
        let is_foreign_key = entry.kind == "FK CONSTRAINT";
        if entry.tag.starts_with("COLUMN ")
            && self
                .tags_of_columns(|it| &it.gone)
                .contains(&(entry.schema.clone(), entry.tag.clone()))
        {
            return true;
        }
        self.old
            .edges
            .iter()
            .filter(|edge| edge.from == index && edge.is_part)
            .any(|edge| {
                let is_column_gone = edge.to_column != 0
                    && (self.changes.get(&edge.to))
                        .is_some_and(|it| it.gone.contains(&edge.to_column));
                is_column_gone || (self.dropped.contains(&edge.to) && !is_foreign_key)
            })
    }

    pub(super) fn drop_last(&mut self) {
        const ABOUT: &str = "Drop the types and schemas that are no longer used.";
        for index in (0..self.old.entries.len()).rev() {
            let entry = &self.old.entries[index];
            if self.replaced.contains(&index) {
                let kind = if entry.kind == "DOMAIN" {
                    "DOMAIN"
                } else {
                    "TYPE"
                };
                let name = format!(
                    "{}.{}",
                    quote(&entry.schema),
                    quote(&replaced_name(&entry.tag))
                );
                self.emit(ABOUT, format!("DROP {kind} {name};"));
            } else if self.dropped.contains(&index) && LAST.contains(&entry.kind.as_str()) {
                self.emit(ABOUT, entry.drop.clone());
            }
        }
    }
}
