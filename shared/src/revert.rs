//! Choosing what to undo in one service. Pure; the order over services is the caller's. Floor 3.

use std::collections::BTreeSet;

use crate::domain::{Migration, Refusal, RefusalKind, Service, Version, commented, rerun, suggest};
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

/// Those of `wanted` that are applied or half-done, newest first. Whether there is a way back is not asked:
/// [`refuse_irreversible`] does.
///
/// Refuses to take away what a newer migration stands on, and what was edited since.
pub fn select_these<'a>(
    service: &Service,
    reconciliation: &Reconciliation<'a>,
    wanted: &BTreeSet<Version>,
) -> Result<Vec<&'a Migration>, Refusal> {
    let candidates = reconciliation.revertible()?;
    let chosen: Vec<&Migration> = candidates
        .iter()
        .copied()
        .filter(|migration| wanted.contains(&migration.version))
        .collect();
    let on_top = candidates
        .iter()
        .take_while(|candidate| {
            chosen
                .last()
                .is_some_and(|oldest| candidate.version > oldest.version)
        })
        .find(|candidate| !wanted.contains(&candidate.version));
    if let (Some(on_top), Some(oldest)) = (on_top, chosen.last()) {
        return Err(Refusal {
            kind: RefusalKind::OnTop,
            service: Some(service.name.clone()),
            message: format!(
                "{} cannot be undone: the newer {} was applied by another run",
                oldest.version, on_top.version
            ),
            next: commented(
                suggest(["revert", service.name.as_str()]),
                "undo that first",
            ),
        });
    }
    for migration in &chosen {
        refuse_divergent(service, reconciliation, migration)?;
    }
    Ok(chosen)
}

/// Refuses a migration that has no way back.
pub fn refuse_irreversible(service: &Service, migration: &Migration) -> Result<(), Refusal> {
    let refuse = |message: String, next: String| Refusal {
        kind: RefusalKind::Irreversible,
        service: Some(service.name.clone()),
        message,
        next,
    };
    if let Some(reason) = &migration.script.directives.irreversible {
        return Err(refuse(
            format!("{} is irreversible: {reason}", migration.script.path),
            commented(
                suggest([
                    "generate",
                    service.name.as_str(),
                    &format!("undo_{}", migration.name),
                ]),
                "write what undoes it into a new migration",
            ),
        ));
    }
    if migration.revert.is_none() {
        return Err(refuse(
            format!(
                "{} has no revert: its revert file is missing, or has no statement",
                migration.script.path
            ),
            rerun(format!(
                "write {} first, or undo it with a new migration",
                migration.script.path.replace("/migrations/", "/reverts/")
            )),
        ));
    }
    Ok(())
}

fn refuse_divergent(
    service: &Service,
    reconciliation: &Reconciliation<'_>,
    migration: &Migration,
) -> Result<(), Refusal> {
    let divergent = reconciliation.standings().iter().any(|standing| {
        standing.version == migration.version && standing.state == State::Divergent
    });
    if !divergent {
        return Ok(());
    }
    Err(Refusal {
        kind: RefusalKind::Divergent,
        service: Some(service.name.clone()),
        message: format!(
            "{} was edited after it was applied, so its revert may not fit",
            migration.script.path
        ),
        next: rerun(format!(
            "restore {} as it was applied first",
            migration.script.path
        )),
    })
}

/// The migrations to undo, newest first. Refuses what has no way back.
pub fn select<'a>(
    service: &Service,
    reconciliation: &Reconciliation<'a>,
    scope: Scope,
) -> Result<Vec<&'a Migration>, Refusal> {
    let candidates = reconciliation.revertible()?;
    if let Scope::To(version) = scope
        && !candidates
            .iter()
            .any(|migration| migration.version == version)
    {
        return Err(Refusal {
            kind: RefusalKind::Irreversible,
            service: Some(service.name.clone()),
            message: format!("{version} is not applied, so nothing can be undone down to it"),
            next: commented(
                suggest(["status", service.name.as_str()]),
                "see what is applied",
            ),
        });
    }
    if let Scope::Steps(steps) = scope
        && steps > candidates.len()
        && !candidates.is_empty()
    {
        return Err(Refusal {
            kind: RefusalKind::Irreversible,
            service: Some(service.name.clone()),
            message: match candidates.len() {
                1 => format!("only 1 migration is applied, not {steps}: nothing was reverted"),
                applied => {
                    format!(
                        "only {applied} migrations are applied, not {steps}: nothing was reverted"
                    )
                }
            },
            next: commented(
                suggest(["status", service.name.as_str()]),
                "see what is applied",
            ),
        });
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
        refuse_divergent(service, reconciliation, migration)?;
        refuse_irreversible(service, migration)?;
    }
    Ok(chosen)
}
