//! Code that cannot work, and how one knows.

use std::fmt;

use shared::postgres::ServerError;

use super::state::Trigger;

/// What triggers are for.
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

/// What does not work.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// A trigger.
    Trigger {
        /// Its table, for people.
        table: String,
        /// Its name; `None` where it is not known which of them.
        trigger: Option<String>,
        /// On which occasion.
        event: Event,
        /// Whether an update that changes nothing works.
        only_changes: bool,
    },
    /// A function, with its arguments.
    Function(String),
}

/// Code that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenCode {
    /// What it is.
    pub what: Broken,
    /// What the server said.
    pub message: String,
    /// Its code.
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

/// Whether an error of a statement of ours shows that a trigger's code cannot work. A trigger that refuses on purpose, or a
/// constraint that does, shows nothing.
pub(super) fn shows_broken_code(said: &ServerError, triggers: &[Trigger]) -> bool {
    let within_function = said
        .where_
        .as_deref()
        .is_some_and(|context| context.contains("function "));
    match said.sqlstate.as_str() {
        // Rights, which another role may have; and a duplicate alias is the same as other errors of syntax.
        "42501" => false,
        // `currval` and `lastval` of a session that took no number yet.
        "55000" if said.message.contains("in this session") => false,
        code if code.starts_with("42") => true,
        // An unsupported feature, no RETURN, a trigger's protocol, no such schema, an unassigned record, a NULL where none may be, an
        // endless recursion.
        "0A000" | "2F005" | "39P01" | "39004" | "3F000" | "55000" | "54001" => within_function,
        // A label that the function itself names, and the enum does not have.
        "22P02" => {
            within_function
                && said.message.contains("for enum")
                && label(&said.message).is_some_and(|label| {
                    let literal = format!("'{}'", label.replace('\'', "''"));
                    triggers
                        .iter()
                        .any(|trigger| trigger.source.contains(&literal))
                })
        }
        _ => false,
    }
}

/// Texts of errors in values that a type takes apart: their code is that of wrong SQL.
const PARSERS: [&str; 6] = [
    "tsquery",
    "jsonpath",
    "ltree",
    "lquery",
    "hstore",
    "query_int",
];

/// Whether the values of the rows may be to blame, and not the code: a text that is no search query, or a name that is put together of
/// what a row holds.
pub(super) fn may_be_the_values<'v>(
    said: &ServerError,
    triggers: &[Trigger],
    mut values: impl Iterator<Item = &'v str>,
) -> bool {
    match said.sqlstate.as_str() {
        "42601" if PARSERS.iter().any(|parser| said.message.contains(parser)) => return true,
        // A text that is no name: names in the code itself are read when the function is made.
        "42602" => return true,
        code if code.starts_with("42") => {}
        _ => return false,
    }
    let sources: Vec<String> = triggers
        .iter()
        .map(|trigger| trigger.source.to_lowercase())
        .collect();
    let quoted = said.message.split('"').skip(1).step_by(2);
    let named: Vec<String> = quoted
        .map(str::to_lowercase)
        .filter(|name| !name.is_empty() && !sources.iter().any(|source| source.contains(name)))
        .collect();
    // A short value is a part of many names.
    let is_of = |value: &str, name: &str| {
        value.contains(name) || value.chars().count() > 2 && name.contains(value)
    };
    values.any(|value| {
        let value = value.to_lowercase();
        named.iter().any(|name| is_of(&value, name))
    })
}

/// The setting of an application that a function reads and this session does not have: `app.tenant`. A name without a dot is one of the
/// server's, and misspelled.
pub(super) fn missing_setting(said: &ServerError) -> Option<&str> {
    let (_, rest) = said
        .message
        .split_once("unrecognized configuration parameter \"")?;
    let name = rest.strip_suffix('"')?;
    (said.sqlstate == "42704" && name.contains('.')).then_some(name)
}

/// The label in `invalid input value for enum mood: "x"`.
fn label(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(": \"")?;
    rest.strip_suffix('"')
}

/// The trigger in whose function an error was raised.
pub(super) fn culprit(said: &ServerError, triggers: &[&Trigger]) -> Option<String> {
    let named = said.where_.as_deref().and_then(|context| {
        // The outermost call stands last.
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
