//! An error and what caused it, in one line.

use std::error::Error;

/// The words of an error, and those of its causes that they do not hold yet.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
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
