//! Printing a command's result on standard output.

use std::io::Write;

use serde::Serialize;

use super::CommandError;

/// Prints text, without a panic when nobody reads along any more.
pub fn print_text(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CommandError::Io {
            what: "the result cannot be written to standard output".to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

/// Prints one JSON document.
pub fn print_document(document: &impl Serialize) -> Result<(), CommandError> {
    let text = serde_json::to_string_pretty(document).map_err(|error| CommandError::Io {
        what: "the result cannot be written as JSON".to_owned(),
        source: error.into(),
    })?;
    print_text(&format!("{text}\n"))
}
