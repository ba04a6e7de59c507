//! Rehearses several services concurrently.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::{ExitStatus, Reporter, ServiceName};
use engine::dispatch::{Operation, Start, Stops};
use futures_util::{StreamExt, stream};
use pg_session::Backoff;
use service_cli::command::Selected;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::event::Rehearsed;
use super::pending::{Scope, Work};
use super::reporter::{Message, MessageSender, end, fail, receive};
use super::service::rehearse_service;
use lint::lint;
use lint::rules::Rulebook;
use scratch::{ScratchError, ScratchServers};

/// How often a rehearsal is retried when the server has no free connection.
const MOST_ATTEMPTS: u32 = 5;
/// The pause before the first retry; it grows with each.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The number of concurrent services: each keeps a CPU busy.
const REHEARSALS: usize = 4;

/// Rehearses the migrations of services.
pub async fn rehearse(
    scratch_servers: &ScratchServers<'_>,
    selected: &Selected,
    scope: &Scope,
    rulebook: &Rulebook,
    reporter: &mut dyn Reporter,
    stops: Stops,
) -> ExitStatus {
    let mut cancelled = stops.times.clone();
    let at_a_time = REHEARSALS.min(scratch_servers.context().jobs());
    let names: Vec<&ServiceName> = selected.names.iter().collect();
    let loaded = stream::iter(&names)
        .map(|name| Work::of(scratch_servers, name, selected, scope))
        .buffered(at_a_time)
        .collect::<Vec<_>>();
    let loaded = scratch_servers
        .until_cancelled(&mut cancelled, loaded)
        .await;
    let is_cancelled = loaded.is_none();
    let mut works: Vec<Work> = Vec::new();
    let mut stopped: Vec<(&ServiceName, ScratchError)> = Vec::new();
    for (name, work) in names.iter().zip(loaded.unwrap_or_default()) {
        match work {
            Ok(work) => works.extend(work),
            Err(error) => stopped.push((name, error)),
        }
    }
    let steps = works.iter().map(|work| work.pending.len()).sum();
    let unchanged: Vec<ServiceName> = works
        .iter()
        .filter(|work| work.pending.is_empty())
        .map(|work| work.service.name.clone())
        .collect();
    works.retain(|work| !work.pending.is_empty());
    let services = names
        .iter()
        .filter(|name| !unchanged.contains(name))
        .map(|name| (*name).clone())
        .collect();
    let start = Start {
        unchanged,
        steps,
        ..Start::of("rehearse", services)
    };
    let mut operation = Operation::begin(reporter, stops, start);
    for (name, error) in &stopped {
        fail(&mut operation, name, error);
    }
    if is_cancelled {
        operation.cancel_unfinished();
        return end(operation);
    }
    let works = &works;
    let (sender, messages) = mpsc::unbounded_channel();
    let rehearsing = stream::iter(works).for_each_concurrent(at_a_time, |work| {
        one(scratch_servers, work, rulebook, sender.clone())
    });
    let rehearsals = operation.receive(messages, rehearsing, |operation, (service, message)| {
        receive(operation, &service, message);
    });
    let finished = scratch_servers
        .until_cancelled(&mut cancelled, rehearsals)
        .await;
    if finished.is_none() {
        operation.cancel_unfinished();
    }
    end(operation)
}

async fn one(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rulebook: &Rulebook,
    sender: MessageSender,
) {
    let name = &work.service.name;
    let send = |message: Message| {
        // The receiver lives as long as the work.
        let _ = sender.send((name.clone(), message));
    };
    send(Message::Started(work.pending.len()));
    let is_pending = |version| work.pending.contains(&version);
    let now = OffsetDateTime::now_utc();
    let predicted = lint(&work.service, rulebook, now, is_pending, is_pending);
    let mut reported = BTreeSet::new();
    let mut attempt = 0;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let rehearsal = loop {
        let report = |version, rehearsed: &Rehearsed| {
            // An earlier attempt may have reported it.
            if reported.insert(version) {
                send(Message::Rehearsed(version, rehearsed.clone()));
            }
        };
        let rehearsal = rehearse_service(scratch_servers, work, rulebook, &predicted, report);
        match Box::pin(rehearsal).await {
            // Rehearsals that hold connections while they wait for more would deadlock: this one has closed its own.
            Err(error) if error.requires_connections() && attempt < MOST_ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(backoff.next_pause()).await;
            }
            ended => break ended,
        }
    };
    send(match rehearsal {
        Ok(rehearsal) => Message::Finished(rehearsal),
        Err(error) => Message::Failed(error),
    });
}
