//! Drops the databases that restores kept.

use pg_sql::quote_identifier;
use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Reporter;
use domain::{
    ExitStatus, Refusal, RefusalKind, ServerError, ServiceName, ServiceOutcome, called, commented,
    rerun, suggest,
};
use engine::dispatch::{Operation, Start, Stops};
use engine::inspect::{ServiceError, Target};
use pg_session::Client;
use service_cli::command::Context;
use tokio_postgres::error::SqlState;

use super::error::RestoreError;
use super::event::RestoreEvent;
use super::leftovers::kept_databases;
use super::surroundings;

/// Drops the kept databases of services, or lists them in a dry run.
pub async fn drop_old(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    dry_run: bool,
    terminate: bool,
    reporter: &mut dyn Reporter,
    stops: Stops,
) -> ExitStatus {
    let start = Start {
        steps: 0,
        ..Start::of("restore", targets.keys().cloned().collect())
    };
    let mut operation = Operation::begin(reporter, stops, start);
    let mut dropped = 0;
    for (name, target) in targets {
        operation.service_begins(name);
        match drop_of(context, target, dry_run, terminate, &mut operation).await {
            Ok(number) => {
                dropped += number;
                let outcome = if number > 0 {
                    ServiceOutcome::Done
                } else {
                    ServiceOutcome::Unchanged
                };
                operation.service_finished(name, outcome);
            }
            Err(error) => {
                operation.totals.failed += 1;
                let outcome = operation.service_failed(name, error.diagnostic());
                operation.service_finished(name, outcome);
            }
        }
    }
    operation.end(dropped)
}

async fn drop_of(
    context: &Context,
    target: &Target,
    dry_run: bool,
    terminate: bool,
    operation: &mut Operation<'_>,
) -> Result<usize, RestoreError> {
    let address = &target.address;
    let failed = |error| RestoreError::from(ServiceError::query(address, error));
    let connection = context
        .connections()
        .keep(address)
        .await
        .map_err(ServiceError::from)?;
    let client = &connection.client;
    let mut kept = kept_databases(client).await.map_err(failed)?;
    kept.retain(|kept| kept.is_of(address.database()));
    let service = &target.service.name;
    if dry_run {
        for kept in kept {
            let event = RestoreEvent::OldDatabaseKept {
                database: kept.name,
                bytes: kept.bytes,
            };
            operation.service(service, event);
        }
        return Ok(0);
    }
    // The kept database may be the only copy.
    let live = surroundings::database(client, address.database())
        .await
        .map_err(failed)?;
    if let (None, Some(first)) = (live, kept.first()) {
        return Err(Refusal {
            kind: RefusalKind::InUse,
            service: Some(service.clone()),
            message: format!(
                "{address} does not exist: {} may be the only copy",
                first.name
            ),
            next: commented(
                suggest(["restore", service.as_str(), "--from", "latest"]),
                "or drop it manually",
            ),
        }
        .into());
    }
    let number = kept.len();
    for kept in kept {
        drop_one(client, target, &kept.name, terminate).await?;
        let event = RestoreEvent::OldDatabaseDropped {
            database: kept.name,
            bytes: kept.bytes,
        };
        operation.service(service, event);
    }
    Ok(number)
}

/// Drops one database, unless it is in use.
pub(super) async fn drop_one(
    client: &Client,
    target: &Target,
    database: &str,
    terminate: bool,
) -> Result<(), RestoreError> {
    let force = if terminate { " WITH (FORCE)" } else { "" };
    let statement = format!("DROP DATABASE {}{force}", quote_identifier(database));
    match client.batch_execute(&statement).await {
        Ok(()) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::OBJECT_IN_USE) => {
            let users = surroundings::users(client, database, &[])
                .await
                .unwrap_or_default();
            let users: Vec<String> = users.into_iter().map(|user| user.text).collect();
            // A subscription or a replication slot, which `--terminate` does not end.
            let other = ServerError::from_error(&error).filter(|_| users.is_empty());
            let (who, next) = match other {
                Some(error) => (
                    error.detail.unwrap_or(error.message),
                    rerun("first drop that in the database"),
                ),
                None => (users.join(", "), called().with(["--terminate"]).to_string()),
            };
            Err(Refusal {
                kind: RefusalKind::InUse,
                service: Some(target.service.name.clone()),
                message: format!("{database} is in use: {who}"),
                next,
            }
            .into())
        }
        Err(error) => {
            let (name, user) = (
                quote_identifier(database),
                quote_identifier(target.address.user()),
            );
            Err(ServiceError::query(&target.address, error)
                .given_by(|| format!("ALTER DATABASE {name} OWNER TO {user}"))
                .into())
        }
    }
}
