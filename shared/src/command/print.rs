//! Printing a command's result on standard output.

use serde::Serialize;

use super::CommandError;
use crate::output;
use crate::report::printable::{self, printable_json};

/// Prints human text. Whether it can be written turns out at the end of the program.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the form of every other way to print"
)]
pub fn print_text(text: &str) -> Result<(), CommandError> {
    printable::print_result(text);
    Ok(())
}

/// Prints text for a program, which escapes by its own rules: SQL, a graph, a script, annotations.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the form of every other way to print"
)]
pub fn print_exact(text: &str) -> Result<(), CommandError> {
    output::print_result(text);
    Ok(())
}

/// Prints one JSON document.
pub fn print_document(document: &impl Serialize) -> Result<(), CommandError> {
    print_exact(&printable_json(&json(document)?))
}

/// Prints one JSON document, secrets and all: for what was asked for by name.
pub fn print_document_exact(document: &impl Serialize) -> Result<(), CommandError> {
    print_exact(&json(document)?)
}

fn json(document: &impl Serialize) -> Result<String, CommandError> {
    let mut text = serde_json::to_string_pretty(document).map_err(|error| CommandError::Io {
        what: "the result cannot be written as JSON".to_owned(),
        source: error.into(),
    })?;
    text.push('\n');
    Ok(text)
}
