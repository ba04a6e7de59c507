//! Selects the migrations to undo in one service. Pure; the caller decides the order between services.

use std::collections::BTreeSet;

use crate::reconcile::{Reconciliation, State};
use domain::{Migration, Refusal, RefusalKind, Service, Version, commented, rerun, suggest};

/// Which migrations to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The last N.
    Steps(usize),
    /// Everything.
    All,
    /// Everything newer than this version.
    To(Version),
    /// This version and everything newer.
    From(Version),
}

/// Selects those of `versions` that are applied or half-done, newest first. Does not check whether they are reversible:
/// [`refuse_irreversible`] does.
///
/// Refuses to undo a migration below a newer one that stays, and a migration that was edited.
pub fn select_these<'a>(
    service: &Service,
    reconciliation: &Reconciliation<'a>,
    versions: &BTreeSet<Version>,
) -> Result<Vec<&'a Migration>, Refusal> {
    let candidates = reconciliation.revertible()?;
    let chosen: Vec<&Migration> = candidates
        .iter()
        .copied()
        .filter(|migration| versions.contains(&migration.version))
        .collect();
    let on_top = candidates
        .iter()
        .take_while(|candidate| {
            chosen
                .last()
                .is_some_and(|oldest| candidate.version > oldest.version)
        })
        .find(|candidate| !versions.contains(&candidate.version));
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

/// Refuses a migration that cannot be undone.
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
                    "--empty",
                ]),
                "undo it with a new migration",
            ),
        ));
    }
    if migration.revert.is_none() {
        return Err(refuse(
            format!(
                "{} has no revert: the revert file is missing or has no statement",
                migration.script.path
            ),
            rerun(format!(
                "after writing {}; or undo it with a new migration",
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
            "{} was edited after it was applied, so its revert may not match",
            migration.script.path
        ),
        next: rerun(format!(
            "after restoring {} as it was applied",
            migration.script.path
        )),
    })
}

/// Selects the migrations to undo, newest first. Refuses those that cannot be undone.
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
            message: format!("{version} is not applied; --to requires an applied version"),
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
