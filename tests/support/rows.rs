//! Rows made up for any table: every column that must have a value gets one that fits its type.

use std::collections::BTreeMap;

use crate::Server;

impl Server {
    /// Inserts a row, and the rows that its foreign keys point to; gives the value of its first column, the key.
    ///
    /// `given` are values of columns as SQL expressions; of the others only those that need a value get one.
    #[track_caller]
    pub fn insert(&self, database: &str, table: &str, given: &[(&str, &str)]) -> String {
        let given: BTreeMap<&str, &str> = given.iter().copied().collect();
        let mut names = Vec::new();
        let mut values = Vec::new();
        for column in self.columns(database, table) {
            let value = match given.get(column.name.as_str()) {
                Some(value) => (*value).to_owned(),
                None if column.optional => continue,
                None if !column.parent.is_empty() => {
                    format!("'{}'", self.insert(database, &column.parent, &[]))
                }
                None => column.value(),
            };
            names.push(quoted(&column.name));
            values.push(value);
        }
        for name in given.keys() {
            assert!(
                names.contains(&quoted(name)),
                "{table} has no column {name}"
            );
        }
        let columns = match names.as_slice() {
            [] => "DEFAULT VALUES".to_owned(),
            _ => format!("({}) VALUES ({})", names.join(", "), values.join(", ")),
        };
        self.value(
            database,
            &format!(
                "INSERT INTO {table} {columns} RETURNING {}",
                self.key(database, table)
            ),
        )
    }

    /// The quoted name of a table's primary key, which is one column in every table of the platform.
    pub fn key(&self, database: &str, table: &str) -> String {
        let rows = self.query(
            database,
            &format!(
                "SELECT quote_ident(a.attname) FROM pg_index AS i \
                 JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
                 WHERE i.indrelid = '{table}'::regclass AND i.indisprimary"
            ),
        );
        match rows.as_slice() {
            [one] => one[0].clone(),
            _ => panic!("{table} has no primary key of one column"),
        }
    }

    fn columns(&self, database: &str, table: &str) -> Vec<Column> {
        self.query(
            database,
            &format!(
                "SELECT a.attname, a.atttypid::regtype, \
                     CASE WHEN a.atttypid::regtype::text LIKE 'character%' AND a.atttypmod > 4 THEN a.atttypmod - 4 END, \
                     NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '', \
                     (SELECT k.confrelid::regclass::text FROM pg_constraint AS k \
                      WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND k.conkey = ARRAY[a.attnum]), \
                     (SELECT e.enumlabel FROM pg_enum AS e WHERE e.enumtypid = a.atttypid \
                      ORDER BY e.enumsortorder LIMIT 1) \
                 FROM pg_attribute AS a \
                 WHERE a.attrelid = '{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped \
                 ORDER BY a.attnum"
            ),
        )
        .into_iter()
        .map(|row| Column {
            name: row[0].clone(),
            type_name: row[1].clone(),
            longest: row[2].parse().ok(),
            optional: row[3] == "t",
            parent: row[4].clone(),
            first_label: row[5].clone(),
        })
        .collect()
    }
}

struct Column {
    name: String,
    type_name: String,
    /// The longest text; none for other types and unbounded texts.
    longest: Option<u32>,
    optional: bool,
    /// The table that its foreign key points to; empty without one.
    parent: String,
    /// The first label of its enum; empty for other types.
    first_label: String,
}

impl Column {
    /// A value as an SQL expression; texts and ids are unique.
    fn value(&self) -> String {
        if !self.first_label.is_empty() {
            return format!("'{}'", self.first_label);
        }
        match self.type_name.as_str() {
            "uuid" => "gen_random_uuid()".to_owned(),
            "text" | "character varying" | "character" => {
                format!(
                    "left(gen_random_uuid()::text, {})",
                    self.longest.unwrap_or(36)
                )
            }
            "integer" | "bigint" | "smallint" | "numeric" | "double precision" | "real" => {
                "1".to_owned()
            }
            "boolean" => "false".to_owned(),
            "date" | "timestamp without time zone" | "timestamp with time zone" => {
                "now()".to_owned()
            }
            "json" | "jsonb" => "'{}'".to_owned(),
            "inet" => "'127.0.0.1'".to_owned(),
            array if array.ends_with("[]") => "'{}'".to_owned(),
            other => panic!("no value is known for the type {other} of {}", self.name),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
