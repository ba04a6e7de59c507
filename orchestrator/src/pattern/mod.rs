//! The patterns of the migration guide, as SQL for tables that are in use: each as the files that it needs, with their reverts.
//!
//! Responsible for checking the arguments and for the SQL. Not for the names of the files, and not for schema.sql.

mod names;
mod sql;

use clap::ValueEnum;

/// A pattern of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// A table with a key and two times
    Table,
    /// A column
    Column,
    /// An index, built concurrently
    Index,
    /// A foreign key with its index, validated afterward
    ForeignKey,
    /// An enum type, and possibly a column of it
    Enum,
    /// Labels of an enum type
    EnumValue,
    /// A value for the rows without one
    Backfill,
    /// NOT NULL, by way of a validated check
    NotNull,
    /// A trigger that sets a column to the current time at each update
    Trigger,
    /// A jsonb column with its index
    Jsonb,
    /// An index on some rows, built concurrently
    PartialIndex,
}

/// What a foreign key does when the row that it refers to is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnDelete {
    /// Refuse
    #[default]
    Restrict,
    /// Delete the rows, too
    Cascade,
    /// Set the column to NULL
    SetNull,
}

/// The names and values that fill in a pattern.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Patterns")]
pub struct Arguments {
    /// Write this pattern of the guide, with the names below, in its safe form
    #[arg(
        long,
        value_enum,
        value_name = "PATTERN",
        conflicts_with_all = ["rename", "no_rename", "allow", "is_unsafe", "draft", "scratch_server"]
    )]
    pub pattern: Option<Pattern>,
    /// The table, as in policies or audit.entries
    #[arg(long, value_name = "TABLE", requires = "pattern")]
    pub table: Option<String>,
    /// The column; of an index several, separated by commas
    #[arg(
        long,
        value_name = "COLUMN",
        value_delimiter = ',',
        requires = "pattern"
    )]
    pub column: Vec<String>,
    /// The type of the column, or the enum type
    #[arg(long = "type", value_name = "TYPE", requires = "pattern")]
    pub data_type: Option<String>,
    /// The table and the key that a foreign key refers to [default key: id]
    #[arg(long, value_name = "TABLE(COLUMN)", requires = "pattern")]
    pub references: Option<String>,
    /// What a foreign key does when the row that it refers to is deleted [default: restrict]
    #[arg(long, value_enum, value_name = "ACTION", requires = "pattern")]
    pub on_delete: Option<OnDelete>,
    /// The labels of an enum, separated by commas
    #[arg(
        long,
        value_name = "LABEL",
        value_delimiter = ',',
        requires = "pattern"
    )]
    pub values: Vec<String>,
    /// The default of a column, or the value of a backfill: a constant
    #[arg(long, value_name = "VALUE", requires = "pattern")]
    pub value: Option<String>,
    /// The rows of a partial index: COLUMN = VALUE, COLUMN IS NULL or COLUMN IS NOT NULL
    #[arg(long = "where", value_name = "CONDITION", requires = "pattern")]
    pub condition: Option<String>,
}

/// Why a pattern cannot be filled in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// An argument is missing.
    #[error("--pattern {pattern} requires {option}")]
    Missing {
        /// The pattern.
        pattern: String,
        /// The missing option.
        option: &'static str,
    },
    /// An argument has no effect.
    #[error("{option} has no effect on --pattern {pattern}")]
    Superfluous {
        /// The pattern.
        pattern: String,
        /// The option.
        option: &'static str,
    },
    /// A value is given twice.
    #[error("{option} contains `{text}` twice")]
    Repeated {
        /// The option.
        option: &'static str,
        /// The value.
        text: String,
    },
    /// Several values for an option that takes one.
    #[error("--pattern {pattern} takes one column")]
    Several {
        /// The pattern.
        pattern: String,
    },
    /// A value cannot be used.
    #[error("invalid {option} `{text}`: expected {expected}")]
    Invalid {
        /// The option.
        option: &'static str,
        /// The value, possibly shortened.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// A migration and its revert, without their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternFile {
    /// What distinguishes the name of this file from those of the others; empty for the last one.
    pub suffix: &'static str,
    /// Whether the files run statement by statement.
    pub no_transaction: bool,
    /// What the migration does, as a comment.
    pub about: String,
    /// The statements of the migration.
    pub up: String,
    /// The statements of the revert.
    pub down: String,
}

/// The files of a pattern, in order.
///
/// # Errors
/// When an argument is missing, cannot be used, or has no effect.
pub fn files(pattern: Pattern, arguments: &Arguments) -> Result<Vec<PatternFile>, PatternError> {
    refuse_superfluous(pattern, arguments)?;
    for (option, values) in [
        ("--column", &arguments.column),
        ("--values", &arguments.values),
    ] {
        let mut sorted = values.clone();
        sorted.sort();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PatternError::Repeated {
                option,
                text: pair[0].clone(),
            });
        }
    }
    sql::files(pattern, arguments)
}

fn refuse_superfluous(pattern: Pattern, arguments: &Arguments) -> Result<(), PatternError> {
    use Pattern::{
        Backfill, Column, Enum, EnumValue, ForeignKey, Index, Jsonb, NotNull, PartialIndex, Table,
        Trigger,
    };
    let used: &[&str] = match pattern {
        Table => &["--table", "--column", "--type"],
        Column => &["--table", "--column", "--type", "--value"],
        Index => &["--table", "--column"],
        ForeignKey => &[
            "--table",
            "--column",
            "--type",
            "--references",
            "--on-delete",
        ],
        Enum => &["--table", "--column", "--type", "--values"],
        EnumValue => &["--type", "--values"],
        Backfill | Jsonb => &["--table", "--column", "--value"],
        NotNull | Trigger => &["--table", "--column"],
        PartialIndex => &["--table", "--column", "--where"],
    };
    let given = [
        ("--table", arguments.table.is_some()),
        ("--column", !arguments.column.is_empty()),
        ("--type", arguments.data_type.is_some()),
        ("--references", arguments.references.is_some()),
        ("--on-delete", arguments.on_delete.is_some()),
        ("--values", !arguments.values.is_empty()),
        ("--value", arguments.value.is_some()),
        ("--where", arguments.condition.is_some()),
    ];
    match given
        .iter()
        .find(|(option, is)| *is && !used.contains(option))
    {
        Some((option, _)) => Err(PatternError::Superfluous {
            pattern: named(pattern),
            option,
        }),
        None => Ok(()),
    }
}

/// The name of a pattern on the command line.
fn named(pattern: Pattern) -> String {
    let value = pattern.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
