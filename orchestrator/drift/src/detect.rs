//! `drift`: compares a live schema with what its applied migrations produce.

use domain::{ColumnOrder, Migration, SchemaDifference, ServiceName, Version};
use engine::inspect::{ServiceError, Target, inspect};
use schemars::JsonSchema;
use serde::Serialize;
use store::read_legacy_tables;

use super::{
    AcceptedDrift, CohostedService, DatabaseSetting, Live, differences, other_major, read_live,
    read_replayed,
};
use scratch::{Replay, ScratchError, ScratchServers};

/// The drift of one service.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DriftReport {
    pub name: ServiceName,
    pub database: String,
    /// Whether the database exists.
    pub database_exists: bool,
    /// The number of applied migrations.
    pub applied: usize,
    /// The newest applied migration.
    pub version: Option<Version>,
    /// The objects that differ.
    pub differences: Vec<SchemaDifference>,
    /// Objects that differ as accepted.
    pub accepted: Vec<SchemaDifference>,
    /// Tables whose columns are in a different order: not drift.
    pub column_order: Vec<ColumnOrder>,
    /// INVALID indexes that the migrations do not create: not drift, but useless.
    pub invalid_indexes: Vec<String>,
    /// Settings of the database itself: not drift, since they differ between environments.
    pub database_settings: Vec<DatabaseSetting>,
    /// The version of the live server.
    pub server_version: Option<String>,
    /// The version of the server on which the migrations were replayed.
    pub scratch_server_version: Option<String>,
}

/// Compares the live schema of a service with what its applied migrations produce.
pub async fn detect(
    scratch_servers: &ScratchServers<'_>,
    target: &Target,
    accepted: &AcceptedDrift,
) -> Result<DriftReport, ScratchError> {
    let context = scratch_servers.context();
    let mut report = DriftReport {
        name: target.service.name.clone(),
        database: target.address.database().to_owned(),
        database_exists: false,
        applied: 0,
        version: None,
        differences: Vec::new(),
        accepted: Vec::new(),
        column_order: Vec::new(),
        invalid_indexes: Vec::new(),
        database_settings: Vec::new(),
        server_version: None,
        scratch_server_version: None,
    };
    let inspection = inspect(&context.connections(), target).await?;
    if !inspection.exists {
        return Ok(report);
    }
    // Each session is closed before the next is opened, so that one free connection is enough.
    drop(inspection.session);
    let mut cohosted = vec![CohostedService::of_target(target, &inspection.history)?];
    cohosted.extend(CohostedService::beside(context, target).await?);
    let history_tables: Vec<&str> = cohosted
        .iter()
        .map(|cohosted_service| cohosted_service.history_table.as_str())
        .collect();
    let session = context
        .connections()
        .session(&target.address, &target.history_table)
        .await
        .map_err(ServiceError::from)?;
    let legacy = read_legacy_tables(&session, target.legacy_table.as_deref())
        .await
        .map_err(|source| ServiceError::query(&target.address, source))?;
    let live = read_live(&session, target, &history_tables, &legacy).await?;
    drop(session);
    report.database_exists = true;
    report.server_version = Some(live.server_version.clone());
    report.database_settings.clone_from(&live.settings);
    let own = &cohosted[0];
    report.applied = own.applied.len();
    report.version = own.applied.last().copied();

    let replay = replay_cohosted(scratch_servers, target, &cohosted, &live).await?;
    let expected = read_replayed(&replay, &history_tables).await?;
    let scratch_version = replay.server_version().await?;
    replay.finish().await;
    if let Some(warning) = other_major(&live.server_version, &scratch_version) {
        scratch_servers.warn_once(warning);
    }
    report.scratch_server_version = Some(scratch_version);
    // An extension that the legacy tool created when it connected does not count as a schema.
    let nothing_applied = cohosted
        .iter()
        .all(|cohosted_service| cohosted_service.applied.is_empty());
    if !(nothing_applied && live.is_empty()) {
        fill_in(&mut report, &expected, &live, accepted);
    }
    Ok(report)
}

fn fill_in(
    report: &mut DriftReport,
    expected: &catalog::Snapshot,
    live: &Live,
    accepted: &AcceptedDrift,
) {
    let found = differences(expected, live);
    (report.accepted, report.differences) = match accepted.of(&report.name) {
        Some(drift) => drift.part(found.differences),
        None => (Vec::new(), found.differences),
    };
    report.column_order = found.column_order;
    report.invalid_indexes = found.invalid_indexes;
}

async fn replay_cohosted<'a>(
    scratch_servers: &ScratchServers<'a>,
    target: &Target,
    cohosted: &[CohostedService],
    live: &Live,
) -> Result<Replay<'a>, ScratchError> {
    let all: Vec<&Migration> = cohosted
        .iter()
        .flat_map(CohostedService::migrations)
        .collect();
    let service = &target.service;
    let replay =
        Replay::prepare(scratch_servers, service, &target.address, &live.roles, &all).await?;
    for cohosted_service in cohosted {
        cohosted_service.replay(&replay).await?;
    }
    Ok(replay)
}

impl DriftReport {
    /// Whether the live schema has differences that are not accepted.
    pub fn has_drift(&self) -> bool {
        !self.differences.is_empty()
    }
}
