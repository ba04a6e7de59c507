//! Recognizes code that cannot work from the errors of the server.

use domain::ServerError;
use std::fmt;
use tokio_postgres::error::SqlState;

use super::state::Trigger;

/// An event that fires triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A row is inserted.
    Insert,
    /// A row is updated.
    Update,
    /// A row is deleted.
    Delete,
    /// The table is emptied.
    Truncate,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
        })
    }
}

/// The code that does not work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    Trigger {
        /// The table, for messages.
        table: String,
        /// The name of the trigger; `None` if it is not known which trigger failed.
        trigger: Option<String>,
        /// The event on which the trigger fails.
        event: Event,
        /// Whether only updates that change a row fail.
        only_changes: bool,
    },
    /// A function, with its argument types.
    Function(String),
}

/// Code that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenCode {
    /// The trigger or function.
    pub what: Broken,
    /// The error message of the server.
    pub message: String,
    /// The SQLSTATE of the error.
    pub sqlstate: String,
}

impl fmt::Display for BrokenCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Broken::Trigger {
                table,
                trigger,
                event,
                only_changes,
            } => {
                let preposition = if *event == Event::Insert {
                    "into"
                } else {
                    "of"
                };
                if *only_changes {
                    write!(
                        f,
                        "an {event} that changes a row {preposition} {table} fails: "
                    )?;
                } else {
                    write!(f, "every {event} {preposition} {table} fails: ")?;
                }
                if let Some(trigger) = trigger {
                    write!(f, "trigger {trigger}: ")?;
                }
            }
            Broken::Function(name) => write!(f, "function {name} cannot run: ")?,
        }
        write!(f, "{} ({})", self.message, self.sqlstate)
    }
}

/// Whether a server error shows that a trigger's code cannot work. A trigger or constraint that rejects a row
/// on purpose is not broken.
pub(super) fn shows_broken_code(error: &ServerError, triggers: &[Trigger]) -> bool {
    let within_function = error
        .where_
        .as_deref()
        .is_some_and(|context| context.contains("function "));
    match error.code() {
        // Another role may have the missing privilege.
        SqlState::INSUFFICIENT_PRIVILEGE => false,
        // In a session that has not called `nextval` yet.
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
            if reported_by(error, &["currval_oid", "lastval"]) =>
        {
            false
        }
        code if code.code().starts_with("42") => true,
        // The last two: an unassigned record, infinite recursion.
        SqlState::FEATURE_NOT_SUPPORTED
        | SqlState::S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT
        | SqlState::E_R_I_E_TRIGGER_PROTOCOL_VIOLATED
        | SqlState::E_R_I_E_NULL_VALUE_NOT_ALLOWED
        | SqlState::UNDEFINED_SCHEMA
        | SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
        | SqlState::STATEMENT_TOO_COMPLEX => within_function,
        // An enum label that the function's own source mentions.
        SqlState::INVALID_TEXT_REPRESENTATION if reported_by(error, &["enum_in"]) => {
            let literals = |trigger: &Trigger| {
                let mut parts = trigger.source.split('\'').skip(1).step_by(2);
                parts.any(|literal| quoted(error).last() == Some(literal))
            };
            within_function && triggers.iter().any(literals)
        }
        _ => false,
    }
}

/// The names in the message. No field of these errors has them, and the names are in quotes in every language.
fn quoted(error: &ServerError) -> impl Iterator<Item = &str> {
    error.message.split('"').skip(1).step_by(2)
}

fn reported_by(error: &ServerError, routines: &[&str]) -> bool {
    error
        .routine
        .as_deref()
        .is_some_and(|routine| routines.contains(&routine))
}

/// Whether the parser of a type, such as `tsquery`, reports an invalid value with the SQLSTATE of a syntax error. A syntax error of
/// the code has a position, unless PL/pgSQL finds it while it runs the statement.
fn is_of_a_value(error: &ServerError) -> bool {
    let has_position = error.position.is_some() || error.internal_position.is_some();
    let routine = error.routine.as_deref().unwrap_or_default();
    error.code() == SqlState::SYNTAX_ERROR && !has_position && !routine.starts_with("exec_")
}

/// Whether the row values, not the code, may cause the error: an invalid search query, or a name that the function builds from a
/// value.
pub(super) fn may_be_the_values<'v>(
    error: &ServerError,
    triggers: &[Trigger],
    mut values: impl Iterator<Item = &'v str>,
) -> bool {
    match error.code() {
        _ if is_of_a_value(error) => return true,
        // Invalid name: names in the code itself are parsed when the function is created.
        SqlState::INVALID_NAME => return true,
        code if code.code().starts_with("42") => {}
        _ => return false,
    }
    let sources: Vec<String> = triggers
        .iter()
        .map(|trigger| trigger.source.to_lowercase())
        .collect();
    // The position is no help: a parser within an expression, such as that of `regtype`, counts in another text.
    let named: Vec<String> = quoted(error)
        .map(str::to_lowercase)
        .filter(|name| !name.is_empty() && !sources.iter().any(|source| source.contains(name)))
        .collect();
    // A short value occurs in many names by chance.
    let is_of = |value: &str, name: &str| {
        value.contains(name) || value.chars().count() > 2 && name.contains(value)
    };
    values.any(|value| {
        let value = value.to_lowercase();
        named.iter().any(|name| is_of(&value, name))
    })
}

/// The application setting, such as `app.tenant`, that a function reads and this session does not have. A name without a dot is a
/// misspelled server setting.
pub(super) fn missing_setting(error: &ServerError) -> Option<&str> {
    let is_of_a_setting = error.code() == SqlState::UNDEFINED_OBJECT
        && reported_by(error, &["GetConfigOptionByName", "find_option"]);
    quoted(error).find(|name| is_of_a_setting && name.contains('.'))
}

/// The trigger in whose function an error was raised.
pub(super) fn culprit(error: &ServerError, triggers: &[&Trigger]) -> Option<String> {
    let named = error.where_.as_deref().and_then(|context| {
        // The outermost call is on the last line.
        context.lines().rev().find_map(|line| {
            triggers
                .iter()
                .find(|trigger| line.contains(&format!("function {} ", trigger.function)))
        })
    });
    match (named, triggers) {
        (Some(trigger), _) => Some(trigger.name.clone()),
        (None, [only]) => Some(only.name.clone()),
        (None, _) => None,
    }
}
