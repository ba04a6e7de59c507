//! Writing an adoption that was proven.

use std::time::Duration;

use shared::domain::{Direction, Holder, Refusal, RefusalKind, Version, rerun};
use shared::inspect::{ServiceError, Target};
use shared::postgres::{
    Attempt, AttemptOutcome, LockedSession, RunIdentity, SessionSettings, read_history,
    record_adoption,
};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use super::prove::{Proven, Seen};
use crate::scratch::ScratchServers;

/// A migration that counts as applied from now on.
pub(super) struct Adopted {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// The legacy rows that it stands for.
    pub stands_for: Vec<String>,
}

/// Locks a target's database, tells who is waited for, and gives the lock away for the work.
pub(super) async fn lock(
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
    cancelled: &mut watch::Receiver<u32>,
    waiting: impl FnMut(Option<Holder>) + Send,
) -> Result<LockedSession, ServiceError> {
    let context = scratch_servers.context();
    let session = context
        .connections()
        .session(&target.address, &target.history_table)
        .await?;
    if session.is_read_only() {
        return Err(Refusal {
            kind: RefusalKind::ReadOnly,
            service: Some(target.service.name.clone()),
            message: format!(
                "{} takes no writes (a standby, or read-only)",
                target.address
            ),
            next: rerun("with the address of the primary server"),
        }
        .into());
    }
    let engine = context.configuration.engine();
    let mut locked = LockedSession::acquire(session, engine.advisory_lock_wait, cancelled, waiting)
        .await
        .map_err(|source| ServiceError::lock(target, source))?;
    let settings = SessionSettings {
        lock_timeout: engine.lock_timeout,
        statement_timeout: Duration::ZERO,
    };
    let session = locked.session_mut();
    let prepared = async {
        session.prepare(&settings).await?;
        // Another run may have made the tables while the lock was waited for.
        session.refresh(&target.history_table).await
    };
    prepared
        .await
        .map_err(|source| ServiceError::query(&target.address, source))?;
    locked.session().refuse_unwritable()?;
    Ok(locked)
}

/// Writes history and journal rows, after looking again whether the database still holds what the proof rests on.
pub(super) async fn record(
    target: &Target,
    locked: &mut LockedSession,
    proven: &Proven,
    identity: &RunIdentity,
) -> Result<Vec<Adopted>, ServiceError> {
    let failed = |source| ServiceError::query(&target.address, source);
    let service = &target.service;
    let history = read_history(locked.session(), &service.name, &target.history_table)
        .await
        .map_err(failed)?;
    let history_tables = proven.seen.history_tables.clone();
    let now = Seen::now(locked.session(), target, history_tables).await?;
    if !history.applied.is_empty() || !proven.seen.is_same(&now) {
        return Err(Refusal {
            kind: RefusalKind::Drift,
            service: Some(service.name.clone()),
            message: "the database was changed while it was being proven; nothing was written"
                .to_owned(),
            next: rerun("first see who changes it"),
        }
        .into());
    }
    let adopted: Vec<Adopted> = service
        .migrations
        .iter()
        .filter(|migration| migration.version <= proven.version)
        .map(|migration| Adopted {
            version: migration.version,
            name: migration.name.clone(),
            stands_for: proven
                .legacy
                .stands_for
                .get(&migration.version)
                .cloned()
                .unwrap_or_default(),
        })
        .collect();
    let words: Vec<String> = adopted.iter().map(|it| inputs(it, proven)).collect();
    let attempts: Vec<Attempt<'_>> = service
        .migrations
        .iter()
        .zip(&words)
        .map(|(migration, words)| Attempt {
            run: identity,
            service: &service.name,
            version: migration.version,
            name: &migration.name,
            direction: Direction::Up,
            checksum: migration.checksum,
            outcome: AttemptOutcome::Adopted,
            duration: Duration::ZERO,
            attempts: 0,
            statements: None,
            sqlstate: None,
            message: Some(words),
        })
        .collect();
    // refinery reads this column as RFC 3339.
    let applied_on = OffsetDateTime::now_utc()
        .format(&Rfc3339)
        .unwrap_or_default();
    record_adoption(locked, &target.history_table, &applied_on, &attempts)
        .await
        .map_err(failed)?;
    Ok(adopted)
}

/// What the journal says an adopted migration rests on.
fn inputs(adopted: &Adopted, proven: &Proven) -> String {
    let what = if adopted.stands_for.is_empty() {
        format!("no legacy row; the schema is that of {}", proven.version)
    } else {
        format!("stands for {}", adopted.stands_for.join(", "))
    };
    match proven.proof.accepted.len() {
        0 => what,
        1 => format!("{what}; 1 difference was accepted"),
        number => format!("{what}; {number} differences were accepted"),
    }
}
