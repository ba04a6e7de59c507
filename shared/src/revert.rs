//! Choosing what to undo in one service. Pure; the order over services is the caller's. Floor 3.

use crate::domain::{Migration, Refusal, RefusalKind, Service, Version};
use crate::reconcile::{Reconciliation, State};

/// How much to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The last so many.
    Steps(usize),
    /// Everything.
    All,
    /// Everything newer than this one, which stays.
    To(Version),
    /// Everything from this one on, itself included.
    From(Version),
}

/// The migrations to undo, newest first. Refuses what has no way back.
pub fn select<'a>(
    service: &Service,
    reconciliation: &Reconciliation<'a>,
    scope: Scope,
) -> Result<Vec<&'a Migration>, Refusal> {
    let refuse = |kind, message: String, next: String| Refusal {
        kind,
        service: Some(service.name.clone()),
        message,
        next,
    };
    let candidates = reconciliation.revertible()?;
    if let Scope::To(version) = scope
        && !candidates
            .iter()
            .any(|migration| migration.version == version)
    {
        return Err(refuse(
            RefusalKind::Irreversible,
            format!("{version} is not applied, so nothing can be undone down to it"),
            format!("see what is applied: orchestrator status {}", service.name),
        ));
    }
    let chosen: Vec<&Migration> = candidates
        .into_iter()
        .enumerate()
        .take_while(|(index, migration)| match scope {
            Scope::Steps(steps) => *index < steps,
            Scope::All => true,
            Scope::To(version) => migration.version > version,
            Scope::From(version) => migration.version >= version,
        })
        .map(|(_, migration)| migration)
        .collect();
    for migration in &chosen {
        let divergent = reconciliation.standings().iter().any(|standing| {
            standing.version == migration.version && standing.state == State::Divergent
        });
        if divergent {
            return Err(refuse(
                RefusalKind::Divergent,
                format!(
                    "{} was edited after it was applied, so its revert may not fit",
                    migration.script.path
                ),
                "restore the file as it was applied, then revert".to_owned(),
            ));
        }
        if let Some(reason) = &migration.script.directives.irreversible {
            return Err(refuse(
                RefusalKind::Irreversible,
                format!("{} is irreversible: {reason}", migration.script.path),
                "undo it with a new migration".to_owned(),
            ));
        }
        if migration.revert.is_none() {
            return Err(refuse(
                RefusalKind::Irreversible,
                format!("{} has no revert file", migration.script.path),
                format!(
                    "write {}, or undo it with a new migration",
                    migration.script.path.replace("/migrations/", "/reverts/")
                ),
            ));
        }
    }
    Ok(chosen)
}
