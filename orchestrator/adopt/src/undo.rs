//! Undoes an adoption.

use std::time::Duration;

use domain::{
    Checksum, Direction, Refusal, RefusalKind, ServiceName, Version, called, commented, suggest,
};
use engine::inspect::{ServiceError, Target};
use pg_session::LockedSession;
use store::{
    Attempt, AttemptOutcome, LegacyRow, LegacyTable, RunIdentity, install, read_adoption,
    read_history, read_legacy_tables, remove_adoption,
};

/// Deletes the rows that an adoption wrote, unless a migration was applied since. Returns the number of migrations: 0 if there is no
/// history, as after an earlier undo.
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
    let in_history: Vec<Version> = history.applied.iter().map(|row| row.version).collect();
    // TypeORM continues from its own rows: it would take a migration that was reverted here for applied.
    let legacy = read_legacy_tables(locked.session(), target.legacy_table.as_deref())
        .await
        .map_err(failed)?;
    let rows: Vec<(&LegacyTable, &LegacyRow)> = legacy
        .iter()
        .flat_map(|table| table.rows.iter().map(move |row| (table, row)))
        .collect();
    let reverted = rows.iter().filter(|(_, row)| {
        state.touched.contains(&row.version) && !in_history.contains(&row.version)
    });
    if let Some((table, row)) = reverted.max_by_key(|(_, row)| row.version) {
        return Err(refuse(
            format!(
                "{} was reverted after the adoption, but the legacy history still lists it as applied: {}",
                row.version,
                table.describe(row)
            ),
            commented(suggest(["run", name.as_str(), "--to", &row.version.to_string()]), "applies it again; then undo the adoption"),
        )
        .into());
    }
    // A migration that was reverted and reapplied agrees with TypeORM's row.
    let is_returned = |version: &Version| {
        state.adopted.contains(version) || rows.iter().any(|(_, row)| row.version == *version)
    };
    if in_history.is_empty() && history.interrupted.is_empty() {
        return Ok(0);
    }
    if !in_history.iter().any(is_returned) {
        return Err(nothing_to_undo(name, "there is no adoption to undo").into());
    }
    let newer = in_history
        .iter()
        .find(|version| !is_returned(version))
        .or_else(|| {
            history
                .interrupted
                .first()
                .map(|interruption| &interruption.version)
        });
    if let Some(version) = newer {
        return Err(refuse(
            format!("{version} was applied after the adoption and must be reverted first"),
            commented(
                suggest(["revert", name.as_str()]),
                format!("reverts the newest migration; then: {}", called()),
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
            format!("{version} was adopted but is no longer in the history"),
            commented(suggest(["history", name.as_str()]), "shows what was done"),
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
        let installed = install(locked.session_mut(), &target.history_table, false).await;
        if let Err(error) = installed {
            let session = locked.session();
            return Err(ServiceError::installing(session, &target.address, error).await);
        }
    }
    remove_adoption(locked, &target.history_table, &attempts)
        .await
        .map_err(failed)?;
    Ok(attempts.len())
}

/// The refusal when there is nothing to undo.
pub(super) fn nothing_to_undo(name: &ServiceName, what: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::NotAdopted,
        service: Some(name.clone()),
        message: what.to_owned(),
        next: commented(suggest(["history", name.as_str()]), "shows what was done"),
    }
}
