//! Prints a command's result on standard output.

use domain::{Diagnostic, Document};
use schemars::JsonSchema;
use serde::Serialize;

use report::output;
use report::printable;
use report::printable::printable_json;

/// Prints human text. A write error is reported at the end of the program.
#[allow(
    clippy::unnecessary_wraps,
    reason = "same signature as the other print functions"
)]
pub fn print_text(text: &str) -> Result<(), Diagnostic> {
    printable::print_result(text);
    Ok(())
}

/// Prints text for another program unescaped, because the format has its own escaping: SQL, a graph, a script, annotations.
#[allow(
    clippy::unnecessary_wraps,
    reason = "same signature as the other print functions"
)]
pub fn print_exact(text: &str) -> Result<(), Diagnostic> {
    output::print_result(text);
    Ok(())
}

/// Prints one JSON document, with the version of the schema before its fields.
pub fn print_document(document: &(impl Serialize + JsonSchema)) -> Result<(), Diagnostic> {
    print_exact(&printable_json(&json(document)?))
}

/// Prints one JSON document without masking secrets, for values that the user requested explicitly.
pub fn print_document_exact(document: &(impl Serialize + JsonSchema)) -> Result<(), Diagnostic> {
    print_exact(&json(document)?)
}

fn json(document: &impl Serialize) -> Result<String, Diagnostic> {
    let mut text = serde_json::to_string_pretty(&Document::new(document))
        .map_err(|error| Diagnostic::failed("cannot serialize the result as JSON", &error))?;
    text.push('\n');
    Ok(text)
}
