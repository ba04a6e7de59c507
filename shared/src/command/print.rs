//! Printing a command's result on standard output.

use serde::Serialize;

use super::CommandError;
use crate::output;

/// Prints text. Whether it can be written turns out at the end of the program.
#[allow(
    clippy::unnecessary_wraps,
    reason = "the form of every other way to print"
)]
pub fn print_text(text: &str) -> Result<(), CommandError> {
    output::print_result(text);
    Ok(())
}

/// Prints one JSON document.
pub fn print_document(document: &impl Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(document).map_err(|error| CommandError::Io {
        what: "the result cannot be written as JSON".to_owned(),
        source: error.into(),
    })?;
    print_text(&format!("{text}\n"))
}
