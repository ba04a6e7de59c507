//! Databases as the former tool, TypeORM, left them: migrated up to some migration, or synchronised by the application.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::facts::{list, synchronised_document};
use crate::{Facts, LegacyFacts, SERVICES, Server, legacy_facts, synchronised_facts};

/// What TypeORM creates before its first migration, to the letter.
const LEGACY_TABLE: &str = r#"CREATE TABLE "migrations" ("id" SERIAL NOT NULL, "timestamp" bigint NOT NULL, "name" character varying NOT NULL, CONSTRAINT "PK_8c82d7f526340ab734260ea46be" PRIMARY KEY ("id"))"#;

impl Server {
    /// A database without any object but what TypeORM makes when it connects: an extension and its empty history.
    pub fn connected_database(&self, service: &str) -> String {
        let database = database_of(service);
        self.create_database(database);
        self.query(
            database,
            &format!("CREATE EXTENSION \"uuid-ossp\"; {LEGACY_TABLE}"),
        );
        database.to_owned()
    }

    /// A service's database after the first `prefix` of its legacy migrations, with their rows; gives its name.
    #[track_caller]
    pub fn legacy_database(&self, service: &str, prefix: usize) -> String {
        let database = self.connected_database(service);
        let facts = legacy_facts(service);
        assert!(prefix <= facts.len(), "{service} has {}", facts.len());
        for step in &facts[..prefix] {
            self.psql_file(&database, &file_of(service, step.version), false);
            self.insert_legacy_row(&database, "migrations", step);
        }
        if let Some(last) = prefix.checked_sub(1) {
            self.without_legacy_table(&database)
                .assert_are(&facts[last].facts, &format!("the legacy {service}"));
        }
        database
    }

    /// The database of a service whose application synchronised it after all legacy migrations; gives its name.
    ///
    /// It is made from the facts alone, by no migration of ours.
    #[track_caller]
    pub fn synchronised_database(&self, service: &str) -> String {
        let database = self.connected_database(service);
        self.query(&database, &ddl(&synchronised_document(service)));
        for step in &legacy_facts(service) {
            self.insert_legacy_row(&database, "migrations", step);
        }
        self.without_legacy_table(&database).assert_are(
            &synchronised_facts(service),
            &format!("the synchronised {service}"),
        );
        database
    }

    /// Adds TypeORM's row of a migration to a table of its form.
    pub fn insert_legacy_row(&self, database: &str, table: &str, step: &LegacyFacts) {
        self.query(
            database,
            &format!(
                "INSERT INTO {table} (\"timestamp\", \"name\") VALUES ({}, '{}')",
                step.version, step.class
            ),
        );
    }

    /// A further table of TypeORM's form, without rows.
    pub fn create_legacy_table(&self, database: &str, table: &str) {
        self.query(
            database,
            &LEGACY_TABLE
                .replace("\"migrations\"", table)
                .replace("PK_8c82d7f526340ab734260ea46be", "PK_of_another_table"),
        );
    }

    fn without_legacy_table(&self, database: &str) -> Facts {
        Facts::of(self, database).without("migrations")
    }
}

/// The database of a service.
///
/// # Panics
/// When the platform has no such service.
pub fn database_of(service: &str) -> &'static str {
    SERVICES
        .iter()
        .find(|(name, _)| *name == service)
        .map(|(_, database)| *database)
        .unwrap_or_else(|| panic!("no service {service}"))
}

fn file_of(service: &str, version: i64) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../services")
        .join(service)
        .join("migrations");
    let start = format!("V{version}__");
    std::fs::read_dir(&folder)
        .expect("a folder of migrations")
        .map(|entry| entry.expect("a file").path())
        .find(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&start))
        })
        .unwrap_or_else(|| panic!("{} has no {version}", folder.display()))
}

/// The SQL that makes what a document of facts describes, in an empty database.
fn ddl(document: &Value) -> String {
    for kind in ["functions", "views", "sequences"] {
        assert!(list(&document[kind]).is_empty(), "{kind} are not made here");
    }
    let tables = list(&document["tables"]);
    let mut sql = String::new();
    for enumeration in list(&document["enums"]) {
        let labels: Vec<String> = list(&enumeration["labels"]).iter().map(literal).collect();
        let name = identifier(&enumeration["name"]);
        let _ = writeln!(sql, "CREATE TYPE {name} AS ENUM ({});", labels.join(", "));
    }
    for table in tables {
        sql.push_str(&create_table(table));
    }
    // After all tables: two may point at one another.
    for table in tables {
        for key in list(&table["foreign_keys"]) {
            sql.push_str(&add_foreign_key(table, key));
        }
    }
    sql
}

fn create_table(table: &Value) -> String {
    let name = identifier(&table["name"]);
    let columns: Vec<String> = list(&table["columns"]).iter().map(column).collect();
    let mut sql = format!("CREATE TABLE {name} ({});\n", columns.join(", "));
    for column in list(&table["columns"]) {
        if column["comment"].is_string() {
            let _ = writeln!(
                sql,
                "COMMENT ON COLUMN {name}.{} IS {};",
                identifier(&column["name"]),
                literal(&column["comment"])
            );
        }
    }
    let mut constrain = |constraint: &Value, what: &str| {
        let _ = writeln!(
            sql,
            "ALTER TABLE {name} ADD CONSTRAINT {} {what};",
            identifier(&constraint["name"])
        );
    };
    let primary = &table["primary_key"];
    if primary.is_object() {
        constrain(
            primary,
            &format!("PRIMARY KEY ({})", identifiers(&primary["columns"])),
        );
    }
    for unique in list(&table["unique_constraints"]) {
        constrain(
            unique,
            &format!("UNIQUE ({})", identifiers(&unique["columns"])),
        );
    }
    for check in list(&table["check_constraints"]) {
        constrain(check, text(&check["def"]));
    }
    for index in list(&table["indexes"]) {
        if index["backs_constraint"].is_null() {
            let _ = writeln!(sql, "{};", text(&index["def"]));
        }
    }
    assert!(
        list(&table["triggers"]).is_empty(),
        "triggers are not made here"
    );
    sql
}

fn column(column: &Value) -> String {
    let mut sql = format!("{} {}", identifier(&column["name"]), text(&column["type"]));
    if let Some(default) = column["default"].as_str() {
        let _ = write!(sql, " DEFAULT {default}");
    }
    if column["nullable"] == false {
        sql.push_str(" NOT NULL");
    }
    sql
}

fn add_foreign_key(table: &Value, key: &Value) -> String {
    assert!(
        key["validated"] == true && key["deferrable"] == false,
        "such a foreign key is not made here: {key}"
    );
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {};\n",
        identifier(&table["name"]),
        identifier(&key["name"]),
        identifiers(&key["columns"]),
        identifier(&key["ref_table"]),
        identifiers(&key["ref_columns"]),
        text(&key["on_delete"]),
        text(&key["on_update"]),
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

fn identifier(value: &Value) -> String {
    format!("\"{}\"", text(value).replace('"', "\"\""))
}

fn identifiers(value: &Value) -> String {
    list(value)
        .iter()
        .map(identifier)
        .collect::<Vec<_>>()
        .join(", ")
}

fn literal(value: &Value) -> String {
    format!("'{}'", text(value).replace('\'', "''"))
}
