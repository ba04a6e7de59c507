//! Formats an error with its causes in one line.

use std::error::Error;

use tokio_postgres::error::DbError;

use super::mask_secrets;

/// The text of an error, followed by the texts of its causes that it does not contain yet.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = match cause.downcast_ref::<DbError>() {
            // The enclosing error only adds "db error".
            Some(error) => {
                text.truncate(text.strip_suffix("db error").map_or(text.len(), str::len));
                server_error(error)
            }
            None => cause.to_string(),
        };
        if text.is_empty() || text.ends_with(": ") {
            text.push_str(&cause_text);
        } else if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The server's error in one line. It may quote parts of a statement, so secrets are masked.
fn server_error(error: &DbError) -> String {
    let (severity, code) = (error.severity(), error.code().code());
    let message = mask_secrets(error.message());
    format!("{severity}: {message} (SQLSTATE {code})")
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_printed_once() {
        let innermost = Layer("no such file", None);
        let middle = Layer("cannot be read: no such file", Some(Box::new(innermost)));
        let outer = Layer("services/policy", Some(Box::new(middle)));
        assert_eq!(
            with_causes(&outer),
            "services/policy: cannot be read: no such file"
        );
    }
}
