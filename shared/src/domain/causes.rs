//! An error and what caused it, in one line.

use std::error::Error;

use tokio_postgres::error::DbError;

use super::mask_secrets;

/// The words of an error, and those of its causes that they do not hold yet.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = match cause.downcast_ref::<DbError>() {
            // All that the error around it says is "db error".
            Some(said) => {
                text.truncate(text.strip_suffix("db error").map_or(text.len(), str::len));
                of_the_server(said)
            }
            None => cause.to_string(),
        };
        if text.is_empty() || text.ends_with(": ") {
            text.push_str(&words);
        } else if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

/// What the server said in one line: it repeats parts of statements, which may hold a secret.
fn of_the_server(said: &DbError) -> String {
    let (severity, code) = (said.severity(), said.code().code());
    let message = mask_secrets(said.message());
    format!("{severity}: {message} (SQLSTATE {code})")
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn each_cause_is_told_once() {
        let innermost = Layer("no such file", None);
        let middle = Layer("cannot be read: no such file", Some(Box::new(innermost)));
        let outer = Layer("services/policy", Some(Box::new(middle)));
        assert_eq!(
            with_causes(&outer),
            "services/policy: cannot be read: no such file"
        );
    }
}
