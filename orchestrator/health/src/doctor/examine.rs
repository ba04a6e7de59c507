//! Examines databases and servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{Diagnostic, Refusal, RefusalKind, Service, ServiceName, suggest};
use engine::inspect::{ServiceError, Target, inspect};
use futures_util::{StreamExt, stream};
use pg_session::Client;
use service_cli::command::{Context, Unreachable};
use tokio_postgres::Error;

use super::checks::{Database, ServerFacts};
use super::queries::{DatabaseRows, ServerRows};
use super::{Finding, Severity};
use backup::restore::{KeptDatabase, dead_databases, is_restoring, kept_databases};
use client_program::ClientProgram;

/// The result for the fleet.
#[derive(Default)]
pub struct Examination {
    /// The findings, by server and service.
    pub findings: Vec<Finding>,
    /// The targets that could not be checked.
    pub unreachable: Vec<Unreachable>,
    /// The number of databases checked.
    pub examined: usize,
}

impl Examination {
    /// The number of findings, without notes.
    pub fn counted(&self) -> usize {
        let findings = self.findings.iter();
        findings.filter(|it| it.severity != Severity::Note).count()
    }
}

/// Examines databases, and each of their servers once. Writes nothing.
pub async fn examine(
    context: &Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    idle_after: Duration,
) -> Result<Examination, Diagnostic> {
    let mut examination = Examination::default();
    let mut servers: BTreeMap<String, &Target> = BTreeMap::new();
    let mut databases = Vec::new();
    let examined: Vec<_> = stream::iter(targets.values())
        .map(|target| async move {
            let neighbours = neighbours(context, targets, target);
            let findings = database(context, target, neighbours, idle_after).await;
            (target, findings)
        })
        .buffered(context.jobs().max(1))
        .collect()
        .await;
    for (target, result) in examined {
        match result {
            Ok(Some(findings)) => {
                servers.entry(target.address.server_key()).or_insert(target);
                examination.examined += 1;
                databases.extend(findings);
            }
            Ok(None) => databases.push(absent(target)),
            Err(ServiceError::Refused(refusal)) if refusal.kind == RefusalKind::Pooler => {
                databases.push(pooled(target, refusal));
            }
            Err(error) => {
                let name = &target.service.name;
                examination.unreachable.push(Unreachable::new(name, error));
            }
        }
    }
    for target in servers.into_values() {
        match server(context, target).await {
            Ok(findings) => examination.findings.extend(findings),
            Err(error) => {
                let name = &target.service.name;
                examination.unreachable.push(Unreachable::new(name, error));
            }
        }
    }
    for finding in databases {
        // Services that share a database have the same findings.
        let is_known = |known: &Finding| {
            known.kind == finding.kind && known.place == finding.place && known.what == finding.what
        };
        if finding.is_of_service() || !examination.findings.iter().any(is_known) {
            examination.findings.push(finding);
        }
    }
    Ok(examination)
}

/// The other services in the database of a target. A service whose address was not resolved is matched by its database name.
fn neighbours<'a>(
    context: &'a Context,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
    target: &Target,
) -> Vec<&'a Service> {
    let others = context.fleet.services();
    others
        .filter(|other| other.name != target.service.name)
        .filter(|other| match targets.get(&other.name) {
            Some(known) => known.address.database_key() == target.address.database_key(),
            None => other.database == target.service.database,
        })
        .collect()
}

fn absent(target: &Target) -> Finding {
    Finding {
        kind: "database_absent",
        severity: Severity::Note,
        service: Some(target.service.name.clone()),
        place: target.address.to_string(),
        what: "the database does not exist yet".to_owned(),
        next: suggest(["run", target.service.name.as_str()]),
        remedy: None,
    }
}

/// A transaction-mode pooler: the remaining checks require a direct connection.
fn pooled(target: &Target, refusal: Refusal) -> Finding {
    Finding {
        kind: "pooler",
        severity: Severity::Error,
        service: Some(target.service.name.clone()),
        place: target.address.to_string(),
        what: refusal.message,
        next: refusal.next,
        remedy: None,
    }
}

/// Returns the findings of one database, or `None` if it does not exist.
async fn database(
    context: &Context,
    target: &Target,
    neighbours: Vec<&Service>,
    idle_after: Duration,
) -> Result<Option<Vec<Finding>>, ServiceError> {
    let failed = |error| ServiceError::query(&target.address, error);
    let connections = context.connections();
    let inspection = inspect(&connections, target).await?;
    let Some(session) = inspection.session else {
        return Ok(None);
    };
    let database = Database {
        service: &target.service,
        neighbours,
        address: &target.address,
        history: &inspection.history,
        rows: DatabaseRows::read(session.client()).await.map_err(failed)?,
        missing_schema: session
            .missing_schema()
            .map(|(schema, sql)| (schema.to_owned(), sql)),
        idle_after,
    };
    Ok(Some(database.findings()))
}

async fn server(context: &Context, target: &Target) -> Result<Vec<Finding>, ServiceError> {
    let connections = context.connections();
    let session = connections
        .session(&target.address, &target.history_table)
        .await?;
    let rows = ServerRows::read(session.client())
        .await
        .map_err(|error| ServiceError::query(&target.address, error))?;
    let failed = |error| ServiceError::query(&target.address, error);
    let (kept, dead) = left_by_restores(context, session.client())
        .await
        .map_err(failed)?;
    let folder = context.globals.pg_bin.clone();
    let major = rows.version_number / 10_000;
    let finding = move || ClientProgram::find("pg_dump", folder.as_deref(), major);
    let Ok(pg_dump) = tokio::task::spawn_blocking(finding).await else {
        return Err(ServiceError::Cancelled);
    };
    let server = ServerFacts {
        address: target.address.clone(),
        rows,
        pg_dump,
        kept,
        dead_restores: dead,
    };
    Ok(server.findings())
}

/// The databases that restores of our services left on a server. Other databases with such names are ignored.
async fn left_by_restores(
    context: &Context,
    client: &Client,
) -> Result<(Vec<(ServiceName, KeptDatabase)>, Vec<String>), Error> {
    let mut kept = Vec::new();
    for database in kept_databases(client).await? {
        let mut services = context.fleet.services();
        if let Some(service) = services.find(|service| database.is_of(&service.database)) {
            kept.push((service.name.clone(), database));
        }
    }
    let mut dead = dead_databases(client).await?;
    dead.retain(|database| {
        let mut services = context.fleet.services();
        services.any(|service| is_restoring(&service.database, database))
    });
    Ok((kept, dead))
}
