//! Databases that cannot be inspected, in commands that continue with the others.
//!
//! Responsible for reporting each error once: a server that is down fails all of its services with the same error.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, print_document, print_text};
use domain::{Diagnostic, ErrorEntry, ExitStatus, ServiceName};
use engine::inspect::ServiceError;
use report::Palette;
use report::failure::{command_error, without_databases};

/// A service whose database cannot be inspected.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Unreachable {
    pub name: ServiceName,
    #[serde(flatten)]
    pub error: ErrorEntry,
}

/// The services of a document.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Services<'a, T> {
    /// The selected services, sorted by name.
    pub services: &'a [T],
}

/// A service in a document, or why it could not be read.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OrUnreachable<'a, T> {
    Read(&'a T),
    /// It could not be read.
    Unreachable(Unreachable),
}

/// What a command read of each service, or why it could not, in the order of the names.
#[derive(Debug)]
pub struct PerService<'a, T>(pub Vec<(&'a ServiceName, Result<T, Diagnostic>)>);

impl<T: Serialize + JsonSchema> PerService<'_, T> {
    /// The worst exit status, with that of each result.
    pub fn status(&self, of: impl Fn(&T) -> ExitStatus) -> ExitStatus {
        let statuses = self.0.iter().map(|(_, result)| match result {
            Ok(read) => of(read),
            Err(error) => error.exit_code,
        });
        statuses.fold(ExitStatus::Done, ExitStatus::or_worse)
    }

    /// Prints the results: as one document, or each with `lines` (of the padded name and the result), and then the errors.
    pub fn print(
        &self,
        context: &Context,
        lines: impl Fn(&str, &T) -> String,
    ) -> Result<(), Diagnostic> {
        if !context.is_human() {
            let services = self.0.iter().map(|(name, result)| match result {
                Ok(read) => OrUnreachable::Read(read),
                Err(error) => OrUnreachable::Unreachable(Unreachable::new(name, error.clone())),
            });
            let services: Vec<_> = services.collect();
            return print_document(&Services {
                services: &services,
            });
        }
        let names = self.0.iter().map(|(name, _)| name.as_str().len());
        let width = names.max().unwrap_or(0);
        let mut text = String::new();
        let mut failed = Vec::new();
        for (name, result) in &self.0 {
            match result {
                Ok(read) => text.push_str(&lines(&format!("{:width$}", name.as_str()), read)),
                Err(error) => failed.push(Unreachable::new(name, error.clone())),
            }
        }
        print_text(&(text + &unreachable_lines(&failed, context.terminal.out)))
    }
}

impl Unreachable {
    /// Converts the error of a service.
    pub fn new(name: &ServiceName, error: impl Into<Diagnostic>) -> Self {
        Self {
            name: name.clone(),
            error: ErrorEntry(error.into()),
        }
    }
}

/// Each distinct error once, with the names of its services before the message.
fn same<'a>(
    unreachable: impl IntoIterator<Item = (&'a ServiceName, Diagnostic)>,
) -> Vec<Diagnostic> {
    let mut groups: BTreeMap<_, (Vec<&str>, Diagnostic)> = BTreeMap::new();
    for (name, error) in unreachable {
        let key = (without_databases(&error.to_string()), error.next.clone());
        let group = groups.entry(key).or_insert_with(|| (Vec::new(), error));
        group.0.push(name.as_str());
    }
    let named = groups.into_values().map(|(names, mut error)| {
        if names.len() > 1 {
            error.message = without_databases(&error.message);
        }
        error.message = format!("{}: {}", names.join(", "), error.message);
        error
    });
    named.collect()
}

/// Each distinct error, with its services and what to do next.
pub fn unreachable_lines(unreachable: &[Unreachable], palette: Palette) -> String {
    let errors = unreachable
        .iter()
        .map(|one| (&one.name, one.error.0.clone()));
    let lines = same(errors).into_iter();
    lines
        .map(|error| command_error(&error, palette) + "\n")
        .collect()
}

/// Converts what stops some services into the error of a command that only reads.
///
/// # Errors
/// If `stopped` is not empty.
pub fn refuse_stopped(stopped: &[(ServiceName, ServiceError)]) -> Result<(), Diagnostic> {
    if let [(_, only)] = stopped {
        return Err(only.diagnostic());
    }
    let errors = stopped.iter();
    let groups = same(errors.map(|(name, error)| (name, error.diagnostic())));
    let lines: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let worst = groups
        .iter()
        .fold(ExitStatus::Done, |worst, one| worst.or_worse(one.exit_code));
    match groups.into_iter().reduce(|first, other| match first.next {
        Some(_) => first,
        None => other,
    }) {
        None => Ok(()),
        Some(first) => Err(Diagnostic {
            next: first.next,
            ..Diagnostic::bare(worst, lines.join("\n"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, error: &str, next: Option<&str>) -> Unreachable {
        let error = Diagnostic {
            next: next.map(ToOwned::to_owned),
            ..Diagnostic::bare(ExitStatus::Unavailable, error)
        };
        Unreachable::new(&name.parse().expect("a name"), error)
    }

    #[test]
    fn the_same_error_is_one_line() {
        let text = unreachable_lines(
            &[
                one("a", "cannot reach u@h:1/db_a: refused", None),
                one("b", "cannot reach u@h:1/db_b: refused", None),
                one("c", "cannot reach u@h:2/db_c: refused", Some("start it")),
            ],
            Palette::default(),
        );
        assert_eq!(
            text,
            "error: a, b: cannot reach u@h:1: refused\n\
             error: c: cannot reach u@h:2/db_c: refused\nnext: start it\n"
        );
    }
}
