//! Writes a proven adoption.

use std::time::Duration;

use domain::{Direction, Holder, Refusal, RefusalKind, Version, rerun};
use engine::inspect::{ServiceError, Target};
use pg_session::{LockedSession, SessionSettings};
use store::{Attempt, AttemptOutcome, RunIdentity, read_history, record_adoption};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use super::prove::{Proven, Seen};
use scratch::ScratchServers;

/// A migration that counts as applied from now on.
pub(super) struct Adopted {
    /// The version of the migration.
    pub version: Version,
    /// The name of the migration.
    pub name: String,
    /// The legacy rows of the migration.
    pub stands_for: Vec<String>,
}

/// Locks a target's database; calls `waiting` with the holder while it waits.
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
                "{} does not accept writes (it is a standby or read-only)",
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
        // Another run may have created the tables while this one waited for the lock.
        session.refresh(&target.history_table).await
    };
    prepared
        .await
        .map_err(|source| ServiceError::query(&target.address, source))?;
    locked.session().refuse_unwritable()?;
    Ok(locked)
}

/// Writes history and journal rows. First checks again, under the lock, that the database is still as it was proven.
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
            message: "the database changed during the proof; nothing was written".to_owned(),
            next: rerun("first find out what changes it"),
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
    let messages: Vec<String> = adopted.iter().map(|it| inputs(it, proven)).collect();
    let attempts: Vec<Attempt<'_>> = service
        .migrations
        .iter()
        .zip(&messages)
        .map(|(migration, messages)| Attempt {
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
            message: Some(messages),
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

/// The journal message with the evidence for an adopted migration.
fn inputs(adopted: &Adopted, proven: &Proven) -> String {
    let what = if adopted.stands_for.is_empty() {
        format!("no legacy row; the schema matches {}", proven.version)
    } else {
        format!("legacy row {}", adopted.stands_for.join(", "))
    };
    match proven.proof.accepted.len() {
        0 => what,
        1 => format!("{what}; 1 difference was accepted"),
        number => format!("{what}; {number} differences were accepted"),
    }
}
