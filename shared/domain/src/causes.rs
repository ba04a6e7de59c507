//! The causes of an error.

use std::error::Error;

use tokio_postgres::error::DbError;

use super::{Diagnostic, ServerError};

/// The text of an error, followed by the texts of its causes that it does not contain yet.
pub fn with_causes(error: &dyn Error) -> String {
    let (text, causes, _) = layers(error);
    causes.iter().fold(text, |text, cause| text + ": " + cause)
}

/// The text of an error, the texts of its causes that it does not contain yet, outermost first, and the error of the server
/// among them.
pub(super) fn layers(error: &dyn Error) -> (String, Vec<String>, Option<Box<ServerError>>) {
    let mut first = error.to_string();
    let mut causes: Vec<String> = Vec::new();
    let mut server_error = None;
    let mut source = error.source();
    while let Some(cause) = source {
        let (text, found) = match cause.downcast_ref::<DbError>().map(ServerError::from) {
            Some(error) => (error.to_string(), Some(Box::new(error))),
            None => (cause.to_string(), of_the_server(cause)),
        };
        server_error = server_error.or(found);
        let enclosing = causes.last_mut().unwrap_or(&mut first);
        // tokio-postgres prints only this for an error of the server, which follows.
        enclosing.truncate(
            enclosing
                .strip_suffix("db error")
                .map_or(enclosing.len(), str::len),
        );
        if enclosing.is_empty() || enclosing.ends_with(": ") {
            enclosing.push_str(&text);
        } else if !first.contains(&text) && !causes.iter().any(|known| known.contains(&text)) {
            causes.push(text);
        }
        source = cause.source();
    }
    (first, causes, server_error)
}

fn of_the_server(cause: &(dyn Error + 'static)) -> Option<Box<ServerError>> {
    let boxed = cause.downcast_ref::<Box<ServerError>>();
    let plain = cause.downcast_ref::<ServerError>();
    let diagnosed = cause.downcast_ref::<Diagnostic>();
    let known = diagnosed.and_then(|it| it.server_error.as_ref());
    boxed
        .or(known)
        .cloned()
        .or_else(|| plain.cloned().map(Box::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<dyn Error>>);

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

    #[test]
    fn the_error_of_the_server_is_kept_as_data() {
        let server_error = ServerError {
            severity: "ERROR".to_owned(),
            sqlstate: "42P01".to_owned(),
            message: "relation \"a\" does not exist".to_owned(),
            ..ServerError::default()
        };
        let outer = Layer(
            "cannot read the history",
            Some(Box::new(server_error.clone())),
        );
        let (text, causes, found) = layers(&outer);
        assert_eq!(text, "cannot read the history");
        assert_eq!(causes, [server_error.to_string()]);
        assert_eq!(found, Some(Box::new(server_error)));
    }
}
