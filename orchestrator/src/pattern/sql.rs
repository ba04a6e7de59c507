//! The SQL of each pattern.

use super::names::{Name, condition, data_type, identifier, invalid, labels, prefixed, reference};
use super::{Arguments, OnDelete, Pattern, PatternError, PatternFile, named};
use pg_sql::{quote_identifier as quoted, quote_literal};

pub(super) fn files(pattern: Pattern, given: &Arguments) -> Result<Vec<PatternFile>, PatternError> {
    let given = Given { pattern, given };
    match pattern {
        Pattern::Table => given.table_files(),
        Pattern::Column => given.column_files(),
        Pattern::Index => given.index_files(None),
        Pattern::PartialIndex => {
            let text = given.required("--where", given.given.condition.as_deref())?;
            given.index_files(Some(condition("--where", text)?))
        }
        Pattern::ForeignKey => given.foreign_key_files(),
        Pattern::Enum => given.enum_files(),
        Pattern::EnumValue => given.enum_value_files(),
        Pattern::Backfill => given.backfill_files(),
        Pattern::NotNull => given.not_null_files(),
        Pattern::Trigger => given.trigger_files(),
        Pattern::Jsonb => given.jsonb_files(),
    }
}

struct Given<'a> {
    pattern: Pattern,
    given: &'a Arguments,
}

type Files = Result<Vec<PatternFile>, PatternError>;

/// A file in a transaction.
fn file(suffix: &'static str, about: String, up: String, down: String) -> PatternFile {
    PatternFile {
        suffix,
        no_transaction: false,
        about,
        up,
        down,
    }
}

impl Given<'_> {
    fn required<'v>(
        &self,
        option: &'static str,
        value: Option<&'v str>,
    ) -> Result<&'v str, PatternError> {
        value.ok_or_else(|| PatternError::Missing {
            pattern: named(self.pattern),
            option,
        })
    }

    fn table(&self) -> Result<Name, PatternError> {
        Name::parse(
            "--table",
            self.required("--table", self.given.table.as_deref())?,
        )
    }

    fn columns(&self) -> Result<Vec<String>, PatternError> {
        self.required("--column", self.given.column.first().map(String::as_str))?;
        let columns = self.given.column.iter();
        columns.map(|it| identifier("--column", it)).collect()
    }

    fn column(&self) -> Result<String, PatternError> {
        match self.columns()?.as_slice() {
            [column] => Ok(column.clone()),
            _ => Err(PatternError::Several {
                pattern: named(self.pattern),
            }),
        }
    }

    fn data_type(&self) -> Result<String, PatternError> {
        data_type(
            "--type",
            self.required("--type", self.given.data_type.as_deref())?,
        )
    }

    fn labels(&self) -> Result<Vec<String>, PatternError> {
        self.required("--values", self.given.values.first().map(String::as_str))?;
        labels("--values", &self.given.values)
    }

    fn table_files(&self) -> Files {
        let table = self.table()?;
        let mut columns = vec![
            ("id", "uuid", " DEFAULT gen_random_uuid()"),
            ("\"createdAt\"", "timestamptz", " DEFAULT CURRENT_TIMESTAMP"),
            ("\"updatedAt\"", "timestamptz", " DEFAULT CURRENT_TIMESTAMP"),
        ];
        let more = match self.given.column.is_empty() && self.given.data_type.is_none() {
            true => None,
            false => Some((quoted(&self.column()?), self.data_type()?)),
        };
        if let Some((column, data_type)) = &more {
            columns.insert(1, (column, data_type, ""));
        }
        let name_width = columns.iter().map(|it| it.0.len()).max().unwrap_or(0);
        let type_width = columns.iter().map(|it| it.1.len()).max().unwrap_or(0);
        let lines: String = columns
            .iter()
            .map(|(name, data_type, default)| {
                format!("    {name:name_width$} {data_type:type_width$} NOT NULL{default},\n")
            })
            .collect();
        let key = quoted(&table.beside(&format!("PK_{}", table.bare)).bare);
        let table = table.sql();
        Ok(vec![file(
            "",
            format!("Adds the table {table}."),
            format!("CREATE TABLE {table} (\n{lines}    CONSTRAINT {key} PRIMARY KEY (id)\n);\n"),
            format!("DROP TABLE {table};\n"),
        )])
    }

    fn column_files(&self) -> Files {
        let (table, column, data_type) = (self.table()?, self.column()?, self.data_type()?);
        let (rest, about) = match &self.given.value {
            // A constant default does not rewrite the table.
            Some(value) => (
                format!(" NOT NULL DEFAULT {}", quote_literal(value)),
                ": all rows get the constant without a rewrite of the table",
            ),
            None => (String::new(), ", without a value for existing rows"),
        };
        Ok(vec![added_column(
            "",
            &table,
            &column,
            &format!("{data_type}{rest}"),
            about,
        )])
    }

    fn index_files(&self, condition: Option<String>) -> Files {
        let (table, columns) = (self.table()?, self.columns()?);
        Ok(vec![index("", &table, &columns, "", condition)])
    }

    fn jsonb_files(&self) -> Files {
        let (table, column) = (self.table()?, self.column()?);
        let value = self.given.value.as_deref().unwrap_or("{}");
        if serde_json::from_str::<serde_json::Value>(value).is_err() {
            return Err(invalid("--value", value, "JSON, as in {}"));
        }
        let definition = format!("jsonb NOT NULL DEFAULT {}", quote_literal(value));
        let about = ": all rows get the constant without a rewrite of the table";
        Ok(vec![
            added_column("_column", &table, &column, &definition, about),
            index("", &table, &[column], "USING gin ", None),
        ])
    }

    fn foreign_key_files(&self) -> Files {
        let (table, column) = (self.table()?, self.column()?);
        let references = self.required("--references", self.given.references.as_deref())?;
        let (other, key) = reference("--references", references)?;
        let name = quoted(&prefixed("FK", &table, std::slice::from_ref(&column)));
        let action = match self.given.on_delete.unwrap_or_default() {
            OnDelete::Restrict => "RESTRICT",
            OnDelete::Cascade => "CASCADE",
            OnDelete::SetNull => "SET NULL",
        };
        let added = format!(
            "ADD CONSTRAINT {name} FOREIGN KEY ({})\n    REFERENCES {} ({}) ON DELETE {action} NOT VALID",
            quoted(&column),
            other.sql(),
            quoted(&key)
        );
        let mut files = Vec::new();
        if self.given.data_type.is_some() {
            let about = ", without a value for existing rows";
            let data_type = self.data_type()?;
            files.push(added_column("_column", &table, &column, &data_type, about));
        }
        files.push(index(
            "_index",
            &table,
            std::slice::from_ref(&column),
            "",
            None,
        ));
        files.extend(validated(&table, &name, &added, ("_not_valid", "")));
        Ok(files)
    }

    fn not_null_files(&self) -> Files {
        let (table, column) = (self.table()?, self.column()?);
        let name = quoted(&prefixed("CHK", &table, std::slice::from_ref(&column)));
        let column = quoted(&column);
        let added = format!("ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID");
        let mut files = validated(&table, &name, &added, ("_check", "_validated"));
        let table = table.sql();
        files.push(PatternFile {
            no_transaction: true,
            ..file(
                "",
                format!("Makes {column} of {table} NOT NULL. PostgreSQL takes the valid check as proof and does not scan the table."),
                format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL;\n\nALTER TABLE {table} DROP CONSTRAINT {name};\n"),
                format!(
                    "ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name};\n\nALTER TABLE {table}\n    {added};\n\n\
                     ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n\nALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;\n"
                ),
            )
        });
        Ok(files)
    }

    fn backfill_files(&self) -> Files {
        let (table, column) = (self.table()?.sql(), quoted(&self.column()?));
        let value = quote_literal(self.required("--value", self.given.value.as_deref())?);
        Ok(vec![file(
            "",
            format!("Fills {column} of {table} where it has no value."),
            format!("UPDATE {table} SET {column} = {value} WHERE {column} IS NULL;\n"),
            "-- Keeps the values: nothing records which rows had none.\nSELECT 1;\n".to_owned(),
        )])
    }

    fn trigger_files(&self) -> Files {
        let table = self.table()?;
        let column = match self.given.column.is_empty() {
            true => "updatedAt".to_owned(),
            false => self.column()?,
        };
        let function = table.beside(&format!("set_{}_{column}", table.bare)).sql();
        let trigger = quoted(
            &table
                .beside(&format!("update_{}_{column}", table.bare))
                .bare,
        );
        let (table, column) = (table.sql(), quoted(&column));
        Ok(vec![file(
            "",
            format!("Sets {column} of {table} to the current time at each update."),
            format!(
                "CREATE FUNCTION {function}()\nRETURNS trigger\nLANGUAGE plpgsql\nAS $$\nBEGIN\n    NEW.{column} = CURRENT_TIMESTAMP;\n    \
                 RETURN NEW;\nEND;\n$$;\n\nCREATE TRIGGER {trigger}\n    BEFORE UPDATE ON {table}\n    FOR EACH ROW EXECUTE FUNCTION {function}();\n"
            ),
            format!("DROP TRIGGER {trigger} ON {table};\n\nDROP FUNCTION {function}();\n"),
        )])
    }

    fn enum_name(&self) -> Result<Name, PatternError> {
        Name::parse(
            "--type",
            self.required("--type", self.given.data_type.as_deref())?,
        )
    }

    fn enum_files(&self) -> Files {
        let (name, labels) = (self.enum_name()?.sql(), self.labels()?);
        let mut files = vec![file(
            "",
            format!("Adds the type {name}."),
            format!("CREATE TYPE {name} AS ENUM ({});\n", labels.join(", ")),
            format!("DROP TYPE {name};\n"),
        )];
        if self.given.table.is_some() || !self.given.column.is_empty() {
            let (table, column) = (self.table()?.sql(), quoted(&self.column()?));
            for one in &mut files {
                one.about = format!("Adds the type {name} and the column {column} of {table}.");
                one.up.push_str(&format!(
                    "\nALTER TABLE {table} ADD COLUMN {column} {name};\n"
                ));
                one.down = format!("ALTER TABLE {table} DROP COLUMN {column};\n\n{}", one.down);
            }
        }
        Ok(files)
    }

    fn enum_value_files(&self) -> Files {
        let (name, labels) = (self.enum_name()?, self.labels()?);
        let old = name.beside(&format!("{}_old", name.bare)).sql();
        let (name, bare_old) = (
            name.sql(),
            quoted(&name.beside(&format!("{}_old", name.bare)).bare),
        );
        let up: String = labels
            .iter()
            .map(|label| format!("ALTER TYPE {name} ADD VALUE {label};\n"))
            .collect();
        let list = labels.join(", ");
        let down = format!(
            "-- PostgreSQL cannot remove a label: the type is created again without it, and the tables are rewritten. A row with the\n\
             -- label makes this fail.\n\
             DO $$\nDECLARE\n    labels text;\n    changes text[];\n    change text;\nBEGIN\n    \
             SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) INTO labels\n    \
             FROM pg_enum\n    WHERE enumtypid = {regtype}::regtype AND enumlabel NOT IN ({list});\n\n    \
             SELECT array_agg(format(\n        'ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT, ALTER COLUMN %2$I TYPE %s USING %2$I::text::%3$s%s',\n        \
             a.attrelid::regclass, a.attname, {regtype},\n        \
             ', ALTER COLUMN ' || quote_ident(a.attname) || ' SET DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)\n    )) INTO changes\n    \
             FROM pg_attribute a\n        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')\n        \
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum\n    \
             WHERE a.atttypid = {regtype}::regtype AND NOT a.attisdropped AND a.attinhcount = 0;\n\n    \
             ALTER TYPE {name} RENAME TO {bare_old};\n    EXECUTE format('CREATE TYPE %s AS ENUM (%s)', {regtype}, labels);\n    \
             FOREACH change IN ARRAY coalesce(changes, '{{}}') LOOP\n        EXECUTE change;\n    END LOOP;\n    DROP TYPE {old};\nEND;\n$$;\n",
            regtype = quote_literal(&name),
        );
        let about = format!("Adds {list} to {name}. Only a later migration can use a new label.");
        Ok(vec![file("", about, up, down)])
    }
}

fn added_column(
    suffix: &'static str,
    table: &Name,
    column: &str,
    definition: &str,
    about: &str,
) -> PatternFile {
    let (table, column) = (table.sql(), quoted(column));
    file(
        suffix,
        format!("Adds {column} to {table}{about}."),
        format!("ALTER TABLE {table} ADD COLUMN {column} {definition};\n"),
        format!("ALTER TABLE {table} DROP COLUMN {column};\n"),
    )
}

fn index(
    suffix: &'static str,
    table: &Name,
    columns: &[String],
    method: &str,
    condition: Option<String>,
) -> PatternFile {
    let name = table.beside(&prefixed("IDX", table, columns));
    let columns: Vec<String> = columns.iter().map(|it| quoted(it)).collect();
    let condition = condition.map_or_else(String::new, |it| format!("\n    WHERE {it}"));
    PatternFile {
        no_transaction: true,
        ..file(
            suffix,
            format!("Indexes {} without blocking writes.", table.sql()),
            format!(
                "CREATE INDEX CONCURRENTLY {}\n    ON {} {method}({}){condition};\n",
                quoted(&name.bare),
                table.sql(),
                columns.join(", ")
            ),
            format!("DROP INDEX CONCURRENTLY IF EXISTS {};\n", name.sql()),
        )
    }
}

/// A constraint that is added without reading the table, and then validated while the table is in use.
fn validated(
    table: &Name,
    name: &str,
    added: &str,
    (first, second): (&'static str, &'static str),
) -> Vec<PatternFile> {
    let table = table.sql();
    vec![
        file(
            first,
            format!("Adds {name} for new rows of {table}, without reading the existing ones."),
            format!("ALTER TABLE {table}\n    {added};\n"),
            format!("ALTER TABLE {table} DROP CONSTRAINT {name};\n"),
        ),
        file(
            second,
            format!(
                "Validates {name} for the existing rows of {table}, which stay readable and writable."
            ),
            format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n"),
            format!(
                "-- A constraint cannot be made NOT VALID again: it is added as the previous migration left it.\n\
                 ALTER TABLE {table} DROP CONSTRAINT {name};\n\nALTER TABLE {table}\n    {added};\n"
            ),
        ),
    ]
}
