//! `status`: lists applied, pending, interrupted, divergent, missing and out-of-order migrations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::print::print_text;
use super::{Context, Selected, Services, Unreachable, print_document, unreachable_lines};
use domain::History;
use domain::{
    Diagnostic, Direction, ErrorEntry, ExitStatus, RefusalKind, ServiceName, Version, suggest,
};
use engine::inspect::{Inspection, ServiceError, Target, inspect};
use engine::reconcile::{Disagreement, State, disagreements, reconcile};
use engine::runner::left_behind;
use pg_session::Connections;
use report::failure;
use report::table::{Align, Cell, columns_without};
use report::units::{count, duration};
use report::{Palette, Role, clean};
use store::durations;

/// Flags of `status`.
#[derive(Args, Clone, Debug, Default)]
pub struct StatusArgs {
    /// Exit with 4 when migrations are pending
    #[arg(long)]
    pub exit_code: bool,
}

/// `status` of one service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceStatus {
    name: ServiceName,
    database: String,
    database_exists: Option<bool>,
    applied: usize,
    pending: usize,
    migrations: Vec<MigrationStatus>,
    /// Whether an interrupted atomic release is prepared in the database.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    release_in_doubt: bool,
    /// The differences between history and journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disagreements: Vec<Disagreement>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compensation: Option<CompensationStatus>,
    /// Why the database cannot be inspected.
    #[serde(flatten)]
    error: Option<ErrorEntry>,
    /// Whether another tool migrated the database, and it is not adopted yet.
    #[serde(skip)]
    not_adopted: bool,
}

/// The pending reverts of a compensation.
#[derive(Debug, Serialize, JsonSchema)]
struct CompensationStatus {
    run_id: Uuid,
    because: String,
    versions: Vec<Version>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MigrationStatus {
    version: Version,
    name: String,
    #[serde(flatten)]
    state: State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left: Vec<String>,
    /// Whether an interrupted migration has no file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    file_missing: bool,
    applied_on: Option<String>,
    duration_ms: Option<i64>,
    reversible: bool,
}

/// Reads the states of services concurrently. Writes nothing.
async fn read_status(
    connections: &Arc<Connections>,
    targets: &BTreeMap<ServiceName, Arc<Target>>,
) -> Result<Vec<ServiceStatus>, Diagnostic> {
    let mut tasks = JoinSet::new();
    for target in targets.values() {
        let (target, connections) = (Arc::clone(target), Arc::clone(connections));
        tasks.spawn(async move {
            match read_one(&connections, &target).await {
                Ok(status) => status,
                Err(error) => unreadable(&target, &error),
            }
        });
    }
    let mut found = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        found.push(
            joined
                .map_err(|error| Diagnostic::failed("reading a status was interrupted", &error))?,
        );
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

async fn read_one(
    connections: &Connections,
    target: &Target,
) -> Result<ServiceStatus, ServiceError> {
    let inspection = inspect(connections, target).await?;
    let took = match &inspection.session {
        Some(session) => durations(session, &target.service.name, Direction::Up)
            .await
            .map_err(|source| ServiceError::query(&target.address, source))?,
        None => HashMap::new(),
    };
    let mut left = left_by_version(&inspection, target).await?;
    let reconciliation = reconcile(&target.service, &inspection.history);
    let migrations: Vec<MigrationStatus> = reconciliation
        .standings()
        .iter()
        .map(|standing| MigrationStatus {
            version: standing.version,
            name: standing.name.to_owned(),
            state: standing.state,
            left: left.remove(&standing.version).unwrap_or_default(),
            file_missing: standing.migration.is_none()
                && matches!(standing.state, State::Interrupted { .. }),
            applied_on: standing.applied_on.map(str::to_owned),
            duration_ms: standing
                .applied_on
                .and_then(|_| took.get(&standing.version).copied()),
            reversible: standing
                .migration
                .is_some_and(|migration| migration.is_reversible()),
        })
        .collect();
    Ok(ServiceStatus {
        name: target.service.name.clone(),
        database: target.address.database().to_owned(),
        database_exists: Some(inspection.exists),
        applied: reconciliation.applied_count(),
        pending: reconciliation.pending_count(),
        migrations,
        disagreements: disagreements(&target.service, &inspection.history),
        compensation: compensation(&inspection.history),
        release_in_doubt: inspection.in_doubt,
        error: None,
        not_adopted: reconciliation
            .to_apply(None)
            .is_err_and(|refusal| refusal.kind == RefusalKind::LegacyHistory),
    })
}

fn compensation(history: &History) -> Option<CompensationStatus> {
    let owed = history.outstanding().last()?;
    Some(CompensationStatus {
        run_id: owed.run_id,
        because: owed.because.clone(),
        versions: history.outstanding().map(|owed| owed.version).collect(),
    })
}

/// The objects that interrupted files left behind.
async fn left_by_version(
    inspection: &Inspection,
    target: &Target,
) -> Result<HashMap<Version, Vec<String>>, ServiceError> {
    let mut found: HashMap<Version, Vec<String>> = HashMap::new();
    let Some(session) = &inspection.session else {
        return Ok(found);
    };
    for interruption in &inspection.history.interrupted {
        let (_, left) = left_behind(
            session.client(),
            &target.service.name,
            interruption.version,
            interruption.direction,
        )
        .await
        .map_err(|source| ServiceError::query(&target.address, source))?;
        found.entry(interruption.version).or_default().extend(left);
    }
    Ok(found)
}

fn unreadable(target: &Target, error: &ServiceError) -> ServiceStatus {
    ServiceStatus {
        name: target.service.name.clone(),
        database: target.address.database().to_owned(),
        database_exists: None,
        applied: 0,
        pending: 0,
        migrations: Vec::new(),
        disagreements: Vec::new(),
        compensation: None,
        release_in_doubt: false,
        error: Some(ErrorEntry(error.diagnostic())),
        not_adopted: false,
    }
}

/// Prints the states of the selected services.
pub async fn status(
    context: &Context,
    selected: &Selected,
    args: &StatusArgs,
) -> Result<ExitStatus, Diagnostic> {
    let targets = context.targets(&selected.names, selected, false).await?;
    let found = read_status(&context.connections(), &targets).await?;
    if context.is_human() {
        print_text(&human(&found, context))?;
    } else {
        print_document(&Services { services: &found })?;
    }
    let errors = found.iter().filter_map(|service| service.error.as_ref());
    let worst = errors.fold(ExitStatus::Done, |worst, ErrorEntry(error)| {
        worst.or_worse(error.exit_code)
    });
    let unfinished = |migration: &MigrationStatus| migration.state != State::Applied;
    let pending = found.iter().any(|service| {
        service.compensation.is_some()
            || !service.disagreements.is_empty()
            || service.migrations.iter().any(unfinished)
    });
    Ok(if args.exit_code && pending {
        worst.or_worse(ExitStatus::Findings)
    } else {
        worst
    })
}

fn human(services: &[ServiceStatus], context: &Context) -> String {
    let palette = context.terminal.out;
    let mut text = match services {
        [one] if one.error.is_none() => migrations_of(one, palette, context.terminal.width),
        _ => overview(services, palette, context.terminal.width),
    };
    if let Some(next) = next_step(services, context.fleet.services().count()) {
        text.push_str(&format!("\n{}\n", failure::next(&next, palette).join("\n")));
    }
    text
}

/// The most urgent next step; `None` if everything is applied, or if the problem has its own `next`.
fn next_step(services: &[ServiceStatus], fleet: usize) -> Option<String> {
    let with = |filter: &dyn Fn(&ServiceStatus) -> bool| -> Vec<&str> {
        let found = services
            .iter()
            .filter(|service| service.error.is_none() && filter(service));
        found.map(|service| service.name.as_str()).collect()
    };
    let has = |service: &ServiceStatus, filter: fn(State) -> bool| {
        service
            .migrations
            .iter()
            .any(|migration| filter(migration.state))
    };
    if services
        .iter()
        .any(|service| service.compensation.is_some())
    {
        return None;
    }
    if services.iter().any(|service| service.release_in_doubt) {
        return Some(suggest(["doctor", "--fix"]));
    }
    let disputed = with(&|service| {
        service
            .disagreements
            .iter()
            .any(Disagreement::is_contradiction)
    });
    if let Some(first) = disputed.first() {
        return Some(suggest(["doctor", first]));
    }
    let odd = with(&|service| {
        has(service, |state| {
            matches!(state, State::Divergent | State::Missing | State::OutOfOrder)
        }) || service.migrations.iter().any(|it| it.file_missing)
    });
    if let Some(first) = odd.first() {
        return Some(suggest(["plan", first]));
    }
    let not_adopted = with(&|service| service.not_adopted);
    if !not_adopted.is_empty() {
        return Some(suggest(std::iter::once("adopt").chain(not_adopted)));
    }
    let pending = with(&|service| has(service, |state| state != State::Applied));
    match pending.as_slice() {
        [] => None,
        all if all.len() == fleet && all.len() > 1 => Some(suggest(["all"])),
        some => Some(suggest(std::iter::once("run").chain(some.iter().copied()))),
    }
}

fn overview(services: &[ServiceStatus], palette: Palette, width: Option<usize>) -> String {
    let rows: Vec<Vec<Cell>> = services
        .iter()
        .map(|service| {
            let (role, state) = state_of(service);
            vec![
                service.name.to_string().into(),
                service.database.clone().into(),
                count_or_dash(service, service.applied),
                count_or_dash(service, service.pending),
                service
                    .migrations
                    .iter()
                    .rfind(|migration| migration.applied_on.is_some())
                    .map(|migration| format!("{} {}", migration.version, migration.name))
                    .unwrap_or_default()
                    .into(),
                Cell::new(role, state),
            ]
        })
        .collect();
    let mut text = columns_without(
        &[4, 1],
        &[
            "service",
            "database",
            "applied",
            "pending",
            "newest applied",
            "state",
        ],
        &rows,
        &[
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Right,
            Align::Left,
            Align::Left,
        ],
        palette,
        width,
    );
    let failed: Vec<Unreachable> = services
        .iter()
        .filter_map(|service| {
            Some(Unreachable {
                name: service.name.clone(),
                error: service.error.clone()?,
            })
        })
        .collect();
    if !failed.is_empty() {
        text.push('\n');
        text.push_str(&unreachable_lines(&failed, palette));
    }
    text
}

fn count_or_dash(service: &ServiceStatus, count: usize) -> Cell {
    if service.error.is_some() {
        "-".into()
    } else {
        count.to_string().into()
    }
}

fn state_of(service: &ServiceStatus) -> (Role, String) {
    if service.error.is_some() {
        return (Role::Bad, "unknown".to_owned());
    }
    if let Some(compensation) = &service.compensation {
        let left = count(compensation.versions.len(), "migration");
        return (Role::Bad, format!("{left} to be undone"));
    }
    if service
        .disagreements
        .iter()
        .any(Disagreement::is_contradiction)
    {
        return (Role::Bad, "history and journal disagree".to_owned());
    }
    let odd = service
        .migrations
        .iter()
        .find(|migration| !matches!(migration.state, State::Applied | State::Pending));
    match odd {
        Some(migration) => (role_of(migration.state), state_text(migration.state)),
        None if service.release_in_doubt => (
            Role::Bad,
            format!(
                "an atomic release is in doubt: {}",
                suggest(["doctor", "--fix"])
            ),
        ),
        None if service.database_exists == Some(false) => {
            (Role::Warning, "no database yet".to_owned())
        }
        None if !service.disagreements.is_empty() => {
            (Role::Warning, "unknown to the journal".to_owned())
        }
        None if service.pending > 0 => (Role::Warning, "pending".to_owned()),
        None => (Role::Good, "up to date".to_owned()),
    }
}

fn migrations_of(service: &ServiceStatus, palette: Palette, width: Option<usize>) -> String {
    let rows: Vec<Vec<Cell>> = service
        .migrations
        .iter()
        .map(|migration| {
            vec![
                migration.version.to_string().into(),
                migration.name.clone().into(),
                Cell::new(
                    role_of(migration.state),
                    match migration.file_missing {
                        true => format!("{}, file missing", state_text(migration.state)),
                        false => state_text(migration.state),
                    },
                ),
                migration
                    .applied_on
                    .as_deref()
                    .map(|time| time.get(..19).unwrap_or(time).replace('T', " "))
                    .unwrap_or_default()
                    .into(),
                migration
                    .duration_ms
                    .map(|millis| duration(u64::try_from(millis).unwrap_or_default()))
                    .unwrap_or_default()
                    .into(),
                if migration.reversible {
                    ""
                } else {
                    "irreversible"
                }
                .into(),
            ]
        })
        .collect();
    let table = columns_without(
        &[4, 3],
        &["version", "name", "state", "applied on (UTC)", "took", ""],
        &rows,
        &[
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Right,
            Align::Left,
        ],
        palette,
        width,
    );
    let absent = if service.database_exists == Some(false) {
        " (the database does not exist yet)"
    } else {
        ""
    };
    let mut text = format!(
        "{} ({}): {} applied, {} pending{absent}

{table}",
        service.name, service.database, service.applied, service.pending
    );
    if let Some(compensation) = &service.compensation {
        let versions: Vec<String> = compensation
            .versions
            .iter()
            .map(ToString::to_string)
            .collect();
        text.push_str(&format!(
            "\n{} {} ({}); undo the rest: {}\n",
            palette.paint(Role::Bad, "to be undone:"),
            versions.join(", "),
            clean(&compensation.because),
            suggest(["revert", "all", "--run", &compensation.run_id.to_string()])
        ));
    }
    for disagreement in &service.disagreements {
        let role = match disagreement.is_contradiction() {
            true => Role::Bad,
            false => Role::Warning,
        };
        text.push_str(&format!(
            "\n{} {}\n  next: {}\n",
            palette.paint(role, "disagree:"),
            clean(&disagreement.sentence()),
            suggest(["doctor", service.name.as_str()])
        ));
    }
    for migration in &service.migrations {
        for what in &migration.left {
            text.push_str(&format!(
                "\n{} {} {}: {what}\n",
                palette.paint(Role::Warning, "left by"),
                migration.version,
                migration.name
            ));
        }
    }
    text
}

fn state_text(state: State) -> String {
    match state {
        State::Interrupted { done, total } => format!("interrupted after {done} of {total}"),
        other => other.as_str().to_owned(),
    }
}

fn role_of(state: State) -> Role {
    match state {
        State::Applied => Role::Good,
        State::Pending => Role::Warning,
        _ => Role::Bad,
    }
}
