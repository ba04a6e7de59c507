//! Databases that cannot be inspected, in commands that continue with the others.
//!
//! Responsible for reporting each error once: a server that is down fails all of its services with the same error.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{CommandError, refused};
use domain::{Diagnostic, ExitStatus, ServiceName};
use engine::inspect::ServiceError;
use report::failure;
use report::failure::without_databases;
use report::{Palette, Role, clean};

/// A service whose database cannot be inspected.
#[derive(Clone, Debug, Serialize)]
pub struct Unreachable {
    /// The name of the service.
    pub name: ServiceName,
    /// The error with its causes.
    pub error: String,
    /// What to do next.
    pub next: Option<String>,
    /// The exit code for this error.
    pub exit_code: ExitStatus,
}

impl Unreachable {
    /// Converts the error of a service.
    pub fn new(name: &ServiceName, error: &ServiceError) -> Self {
        Self {
            name: name.clone(),
            error: error.chain(),
            next: error.next(),
            exit_code: error.exit_status(),
        }
    }
}

/// Services that failed with the same error and `next`.
struct Same<'a> {
    names: String,
    error: String,
    next: Option<&'a str>,
}

fn same(unreachable: &[Unreachable]) -> Vec<Same<'_>> {
    let mut groups: BTreeMap<(String, Option<&str>), Vec<&Unreachable>> = BTreeMap::new();
    for one in unreachable {
        let key = (without_databases(&one.error), one.next.as_deref());
        groups.entry(key).or_default().push(one);
    }
    groups
        .into_iter()
        .map(|((error, next), group)| Same {
            names: group
                .iter()
                .map(|one| one.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            error: match group.as_slice() {
                [only] => only.error.clone(),
                _ => error,
            },
            next,
        })
        .collect()
}

/// One line for each distinct error, with its services and what to do next.
pub fn unreachable_lines(unreachable: &[Unreachable], palette: Palette) -> String {
    let mut text = String::new();
    for one in same(unreachable) {
        let word = palette.paint(Role::Bad, "error:");
        text.push_str(&format!("{word} {}: {}\n", one.names, clean(&one.error)));
        if let Some(next) = one.next {
            text.push_str(&failure::next(next, palette).join("\n"));
            text.push('\n');
        }
    }
    text
}

/// Converts what stops some services into the error of a command that only reads.
///
/// # Errors
/// If `stopped` is not empty.
pub fn refuse_stopped(stopped: &[(ServiceName, ServiceError)]) -> Result<(), CommandError> {
    let [(_, first), others @ ..] = stopped else {
        return Ok(());
    };
    if others.is_empty() {
        return Err(refused(first));
    }
    let unreachable: Vec<Unreachable> = stopped
        .iter()
        .map(|(name, error)| Unreachable::new(name, error))
        .collect();
    let groups = same(&unreachable);
    let lines: Vec<String> = groups
        .iter()
        .map(|one| format!("{}: {}", one.names, one.error))
        .collect();
    let status = unreachable.iter();
    Err(Diagnostic {
        message: lines.join("\n"),
        next: groups
            .iter()
            .find_map(|one| one.next)
            .map(ToOwned::to_owned),
        refusal: None,
        exit_code: status.fold(ExitStatus::Done, |worst, one| worst.or_worse(one.exit_code)),
    }
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, error: &str, next: Option<&str>) -> Unreachable {
        Unreachable {
            name: name.parse().expect("a name"),
            error: error.to_owned(),
            next: next.map(ToOwned::to_owned),
            exit_code: ExitStatus::Unavailable,
        }
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
