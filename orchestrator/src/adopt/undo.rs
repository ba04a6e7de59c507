//! Taking an adoption back.

use std::time::Duration;

use shared::domain::{Checksum, Direction, Refusal, RefusalKind, ServiceName, Version, suggest};
use shared::inspect::{ServiceError, Target};
use shared::postgres::{
    Attempt, AttemptOutcome, LockedSession, RunIdentity, install, read_adoption, read_history,
    remove_adoption,
};

/// Takes back what an adoption wrote, while nothing of ours was applied since. Gives how many migrations it was.
pub(super) async fn undo(
    target: &Target,
    locked: &mut LockedSession,
    identity: &RunIdentity,
) -> Result<usize, ServiceError> {
    let name = &target.service.name;
    let failed = |source| ServiceError::query(&target.address, source);
    let state = read_adoption(locked.session(), name)
        .await
        .map_err(failed)?;
    let history = read_history(locked.session(), name, &target.history_table)
        .await
        .map_err(failed)?;
    let refuse = |message: String, next: String| Refusal {
        kind: RefusalKind::NotAdopted,
        service: Some(name.clone()),
        message,
        next,
    };
    if state.adopted.is_empty() {
        return Err(nothing_to_undo(name, "there is no adoption to take back").into());
    }
    let in_history: Vec<Version> = history.applied.iter().map(|row| row.version).collect();
    let newer = in_history
        .iter()
        .find(|version| !state.adopted.contains(version))
        .or_else(|| {
            history
                .interrupted
                .first()
                .map(|interruption| &interruption.version)
        });
    if let Some(version) = newer {
        return Err(refuse(
            format!("{version} was applied after the adoption, which must stay below it"),
            format!(
                "revert what was applied since, then again: {}",
                suggest(["revert", name.as_str()])
            ),
        )
        .into());
    }
    if let Some(version) = state
        .adopted
        .iter()
        .find(|version| !in_history.contains(version))
    {
        return Err(refuse(
            format!("{version} was adopted and is not in the history any more"),
            format!("see what was done: {}", suggest(["history", name.as_str()])),
        )
        .into());
    }
    let attempts: Vec<Attempt<'_>> = history
        .applied
        .iter()
        .map(|row| Attempt {
            run: identity,
            service: name,
            version: row.version,
            name: &row.name,
            direction: Direction::Down,
            checksum: row.checksum.unwrap_or_else(|| Checksum::new(0)),
            outcome: AttemptOutcome::AdoptionUndone,
            duration: Duration::ZERO,
            attempts: 0,
            statements: None,
            sqlstate: None,
            message: None,
        })
        .collect();
    if !locked.session().is_installed(false) {
        install(locked.session_mut(), &target.history_table, false)
            .await
            .map_err(failed)?;
    }
    remove_adoption(locked, &target.history_table, &attempts)
        .await
        .map_err(failed)?;
    Ok(attempts.len())
}

/// Refuses to take back what is not there.
pub(super) fn nothing_to_undo(name: &ServiceName, what: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::NotAdopted,
        service: Some(name.clone()),
        message: what.to_owned(),
        next: format!("see what was done: {}", suggest(["history", name.as_str()])),
    }
}
