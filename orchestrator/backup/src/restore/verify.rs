//! Verifies a restored database against the manifest.

use domain::History;
use engine::dispatch::Events;
use engine::inspect::ServiceError;
use engine::reconcile::{State, reconcile};
use pg_address::DatabaseAddress;
use pg_session::Client;
use pg_session::Session;
use report::units::count;
use service_cli::command::Context;
use store::read_history;
use tokio_postgres::Error;
use tokio_postgres::types::Type;

use super::choice::{Member, Restoration};
use super::error::RestoreError;
use super::program::Contents;
use super::reporter::warn;

/// The state of one service in the restored database.
pub(super) struct Verified {
    pub session: Session,
    pub history: History,
}

/// Compares a service's history with the manifest, and warns about divergent and missing migrations.
pub(super) async fn history(
    context: &Context,
    member: &Member,
    restored: &DatabaseAddress,
    events: &Events,
) -> Result<Verified, RestoreError> {
    let session = context
        .connections()
        .session(restored, &member.target.history_table)
        .await
        .map_err(ServiceError::from)?;
    let name = &member.target.service.name;
    // The manifest's counts are for the history table that it names.
    let history = read_history(&session, name, &member.backup.history_table)
        .await
        .map_err(|error| ServiceError::query(restored, error))?;
    let expected = (
        member.backup.applied,
        member.backup.head.as_ref().map(|head| head.version),
    );
    let found = (
        history.applied.len(),
        history.applied.iter().map(|row| row.version).max(),
    );
    if found != expected {
        let description = |(applied, head): (usize, Option<_>)| match head {
            Some(head) => format!("{} up to {head}", count(applied, "migration")),
            None => count(applied, "migration"),
        };
        return Err(RestoreError::NotTheSame {
            what: format!(
                "its history has {} instead of {}",
                description(found),
                description(expected)
            ),
        });
    }
    for standing in reconcile(&member.target.service, &history).standings() {
        if matches!(standing.state, State::Divergent | State::Missing) {
            let (version, state) = (standing.version, standing.state.as_str());
            let message = format!("{version} {} is {state} after the restore", standing.name);
            warn(events, name, message);
        }
    }
    Ok(Verified { session, history })
}

/// Compares the objects with the table of contents, and the rows with the manifest if it has row counts.
pub(super) async fn objects(
    client: &Client,
    restoration: &Restoration,
    contents: &Contents,
    address: &DatabaseAddress,
) -> Result<(), RestoreError> {
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    let found = objects_in(client).await.map_err(failed)?;
    let pairs = [
        ("table", found.tables, contents.tables),
        ("view", found.views, contents.views),
        ("index", found.indexes, contents.indexes),
    ];
    for (noun, found, expected) in pairs {
        if found < expected {
            let noun = if noun == "index" {
                "indexes"
            } else {
                &format!("{noun}s")
            };
            return Err(RestoreError::NotTheSame {
                what: format!("it has {found} {noun} instead of {expected}"),
            });
        }
    }
    for (table, expected) in restoration.dump().rows.iter().flatten() {
        let found = rows(client, table).await.map_err(failed)?;
        if found != Some(i64::try_from(*expected).unwrap_or(i64::MAX)) {
            let found = found.map_or_else(
                || "does not exist".to_owned(),
                |rows| format!("has {rows} rows"),
            );
            return Err(RestoreError::NotTheSame {
                what: format!("{table} {found} (expected {expected})"),
            });
        }
    }
    Ok(())
}

/// Counts the objects that have entries in a dump, so without members of extensions and indexes of constraints.
async fn objects_in(client: &Client) -> Result<Contents, Error> {
    let rows = client
        .query_typed(
            "SELECT count(*) FILTER (WHERE c.relkind IN ('r', 'p')), count(*) FILTER (WHERE c.relkind = 'v'), \
               count(*) FILTER (WHERE c.relkind IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k \
                 WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
                 AND d.objid = c.oid AND d.deptype = 'e')",
            &[],
        )
        .await?;
    let number = |at: usize| -> Result<usize, Error> {
        let number = rows
            .first()
            .map_or(Ok(0), |row| row.try_get::<_, i64>(at))?;
        Ok(usize::try_from(number).unwrap_or(0))
    };
    Ok(Contents {
        entries: 0,
        tables: number(0)?,
        views: number(1)?,
        indexes: number(2)?,
    })
}

/// The row count of a table; `None` if it does not exist.
async fn rows(client: &Client, table: &str) -> Result<Option<i64>, Error> {
    // Older manifests omit the schema `public`.
    let named = client
        .query_typed(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = COALESCE(pg_catalog.to_regclass($1), pg_catalog.to_regclass('public.' || $1))",
            &[(&table, Type::TEXT)],
        )
        .await?;
    let Some(name) = named.first() else {
        return Ok(None);
    };
    let name: String = name.try_get(0)?;
    let counted = client
        .query_typed(&format!("SELECT count(*) FROM ONLY {name}"), &[])
        .await?;
    counted.first().map(|row| row.try_get(0)).transpose()
}
