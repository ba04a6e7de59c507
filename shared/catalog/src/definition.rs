//! One readable text for an object.
//!
//! Responsible for definitions that people read beside a difference: SQL as the server spells it where it
//! spells it, else short text in the manner of SQL, with every further fact on a line of its own. Not meant
//! to be executed. Second floor: on objects and snapshots.

use std::collections::BTreeSet;

use crate::identifier::quote;
use crate::kind::Kind;
use crate::object::Object;
use crate::snapshot::Snapshot;

impl Object {
    /// The object as one readable text. Tables come without their columns here; in differences they are
    /// listed.
    pub fn definition(&self) -> String {
        self.spelled(&[])
    }

    /// The text, with the lines of columns for a table.
    fn spelled(&self, columns: &[String]) -> String {
        let mut told = BTreeSet::new();
        let mut head = self.head(&mut told);
        if !columns.is_empty() {
            head.push_str(&format!(" (\n    {}\n)", columns.join(",\n    ")));
        }
        for (name, value) in self
            .attributes
            .iter()
            .filter(|(name, _)| !told.contains(*name))
        {
            head.push_str(&format!("\n-- {name}: {value}"));
        }
        head
    }

    /// The SQL part, and in `told` the facts that are in it.
    fn head(&self, told: &mut BTreeSet<&'static str>) -> String {
        if self.kind == Kind::Column {
            return self.column(told);
        }
        let mut fact = |name: &'static str| {
            told.insert(name);
            self.attribute(name)
        };
        let name = &self.name;
        match self.kind {
            Kind::Constraint => {
                let text = fact("definition").unwrap_or_default();
                format!("CONSTRAINT {} {text}", quote(&self.bare_name))
            }
            Kind::View | Kind::MaterialisedView => {
                let word = if self.kind == Kind::View {
                    "VIEW"
                } else {
                    "MATERIALIZED VIEW"
                };
                let text = fact("definition").unwrap_or_default();
                format!("CREATE {word} {name} AS\n{text}")
            }
            Kind::Index | Kind::Function | Kind::Procedure | Kind::Rule | Kind::Statistics => {
                fact("definition").map_or_else(|| format!("{} {name}", self.kind), str::to_owned)
            }
            Kind::Trigger => {
                fact("definition").map_or_else(|| format!("trigger {name}"), str::to_owned)
            }
            Kind::Enum => format!(
                "CREATE TYPE {name} AS ENUM ({})",
                fact("labels").unwrap_or_default()
            ),
            Kind::Composite => format!(
                "CREATE TYPE {name} AS ({})",
                fact("fields").unwrap_or_default()
            ),
            Kind::Domain => {
                let of = fact("type").unwrap_or_default();
                let default = fact("default")
                    .map(|value| format!(" DEFAULT {value}"))
                    .unwrap_or_default();
                let null = if fact("nullable") == Some("no") {
                    " NOT NULL"
                } else {
                    ""
                };
                format!("CREATE DOMAIN {name} AS {of}{default}{null}")
            }
            Kind::Extension => {
                let schema = fact("schema").unwrap_or_default();
                let version = fact("version").unwrap_or_default();
                format!("CREATE EXTENSION {name} SCHEMA {schema} VERSION '{version}'")
            }
            Kind::Table => {
                let unlogged = fact("persistence")
                    .map(|word| format!("{} ", word.to_uppercase()))
                    .unwrap_or_default();
                let of = fact("partition of")
                    .map(|parent| format!(" PARTITION OF {parent}"))
                    .unwrap_or_default();
                let bound = fact("partition bound")
                    .map(|bound| format!(" {bound}"))
                    .unwrap_or_default();
                let by = fact("partition key")
                    .map(|key| format!(" PARTITION BY {key}"))
                    .unwrap_or_default();
                format!("CREATE {unlogged}TABLE {name}{of}{bound}{by}")
            }
            Kind::Privileges
            | Kind::DefaultPrivileges
            | Kind::LargeObjects
            | Kind::PublicationTable
            | Kind::PublicationSchema => {
                format!("{} {name}", self.kind)
            }
            kind => format!("CREATE {} {name}", kind.words().to_uppercase()),
        }
    }

    /// A column as in CREATE TABLE.
    fn column(&self, told: &mut BTreeSet<&'static str>) -> String {
        let mut text = quote(&self.bare_name);
        let mut add = |name: &'static str, before: &str, after: &str| {
            if let Some(value) = self.attribute(name) {
                told.insert(name);
                text.push_str(&format!(" {before}{value}{after}"));
            }
        };
        add("type", "", "");
        add("collation", "COLLATE ", "");
        add("generated", "GENERATED ALWAYS AS ", "");
        add("identity", "GENERATED ", " AS IDENTITY");
        add("default", "DEFAULT ", "");
        if let Some(nullable) = self.attribute("nullable") {
            told.insert("nullable");
            if nullable == "no" {
                text.push_str(" NOT NULL");
            }
        }
        text
    }
}

/// The text of an object of this snapshot: for tables with the columns.
pub(crate) fn definition_in(snapshot: &Snapshot, object: &Object) -> String {
    if !matches!(object.kind, Kind::Table | Kind::ForeignTable) {
        return object.definition();
    }
    let columns: Vec<String> = snapshot
        .column_objects(&object.name)
        .into_iter()
        .map(|column| column.column(&mut BTreeSet::new()))
        .collect();
    object.spelled(&columns)
}
