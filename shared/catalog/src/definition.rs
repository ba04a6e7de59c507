//! Readable definitions of objects.
//!
//! The text shown beside a difference: SQL as the server prints it if it does, otherwise a short SQL-like text, with
//! every further attribute on its own line. Not meant to be executed.

use pg_sql::quote_identifier;
use std::collections::BTreeSet;

use crate::kind::Kind;
use crate::object::Object;
use crate::snapshot::Snapshot;

impl Object {
    /// The object as readable text. A table's columns are omitted: differences list them separately.
    pub fn definition(&self) -> String {
        self.spelled(&[])
    }

    /// The text; for a table, with its column lines.
    fn spelled(&self, columns: &[String]) -> String {
        let mut shown = BTreeSet::new();
        let mut head = self.head(&mut shown);
        if !columns.is_empty() {
            head.push_str(&format!(" (\n    {}\n)", columns.join(",\n    ")));
        }
        for (name, value) in self
            .attributes
            .iter()
            .filter(|(name, _)| !shown.contains(*name))
        {
            head.push_str(&format!("\n-- {name}: {value}"));
        }
        head
    }

    /// The SQL part; adds the attributes that it contains to `shown`.
    fn head(&self, shown: &mut BTreeSet<&'static str>) -> String {
        if self.kind == Kind::Column {
            return self.column(shown);
        }
        let mut fact = |name: &'static str| {
            shown.insert(name);
            self.attribute(name)
        };
        let name = &self.name;
        match self.kind {
            Kind::Constraint => {
                let text = fact("definition").unwrap_or_default();
                format!("CONSTRAINT {} {text}", quote_identifier(&self.bare_name))
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

    /// A column as written in CREATE TABLE.
    fn column(&self, shown: &mut BTreeSet<&'static str>) -> String {
        let mut text = quote_identifier(&self.bare_name);
        let mut add = |name: &'static str, before: &str, after: &str| {
            if let Some(value) = self.attribute(name) {
                shown.insert(name);
                text.push_str(&format!(" {before}{value}{after}"));
            }
        };
        add("type", "", "");
        add("collation", "COLLATE ", "");
        add("generated", "GENERATED ALWAYS AS ", "");
        add("identity", "GENERATED ", " AS IDENTITY");
        add("default", "DEFAULT ", "");
        if let Some(nullable) = self.attribute("nullable") {
            shown.insert("nullable");
            if nullable == "no" {
                text.push_str(" NOT NULL");
            }
        }
        text
    }
}

/// The definition of an object in this snapshot; tables include their columns.
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
