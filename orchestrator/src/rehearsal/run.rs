//! Several services at a time, told as it goes.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use shared::command::Selected;
use shared::domain::{ExitStatus, ServiceName};
use shared::report::Reporter;
use tokio::sync::watch;

use super::pending::{Scope, Work};
use super::reporter::{Message, MessageSender, RehearsalReporter};
use super::service::rehearse_service;
use crate::rules::Rulebook;
use crate::scratch::{ScratchError, ScratchServers};

/// How often a rehearsal for which the server had no connection is begun again.
const MOST_ATTEMPTS: u32 = 5;
/// The longest pause before the first of these; it grows.
const PAUSE: Duration = Duration::from_secs(4);

/// Services at a time: each keeps a processor busy.
const REHEARSALS: usize = 4;

/// Rehearses the migrations of services.
pub async fn rehearse(
    scratch_servers: &ScratchServers<'_>,
    selected: &Selected,
    scope: &Scope,
    rulebook: &Rulebook,
    reporter: &mut dyn Reporter,
    mut cancelled: watch::Receiver<u32>,
) -> ExitStatus {
    let at_a_time = REHEARSALS.min(scratch_servers.context().jobs());
    let names: Vec<&ServiceName> = selected.names.iter().collect();
    let looked = stream::iter(&names)
        .map(|name| Work::of(scratch_servers, name, selected, scope))
        .buffered(at_a_time)
        .collect::<Vec<_>>();
    let looked = scratch_servers
        .until_cancelled(&mut cancelled, looked)
        .await;
    let is_cancelled = looked.is_none();
    let mut works: Vec<Work> = Vec::new();
    let mut stopped: Vec<(&ServiceName, ScratchError)> = Vec::new();
    for (name, work) in names.iter().zip(looked.unwrap_or_default()) {
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
    let mut reporter = RehearsalReporter::begin(reporter, services, unchanged, steps);
    for (name, error) in &stopped {
        reporter.fail(name, error);
    }
    if is_cancelled {
        reporter.cancel();
        return reporter.end();
    }
    let works = &works;
    let rehearsals = reporter.during(|say| async move {
        stream::iter(works)
            .for_each_concurrent(at_a_time, |work| {
                one(scratch_servers, work, rulebook, say.clone())
            })
            .await;
    });
    let through = scratch_servers
        .until_cancelled(&mut cancelled, rehearsals)
        .await;
    if through.is_none() {
        reporter.cancel();
    }
    reporter.end()
}

async fn one(
    scratch_servers: &ScratchServers<'_>,
    work: &Work,
    rulebook: &Rulebook,
    say: MessageSender,
) {
    let name = &work.service.name;
    let said = |said: Message| {
        // Heard for as long as there is work.
        let _ = say.send((name.clone(), said));
    };
    said(Message::Started(work.pending.len()));
    let mut told = BTreeSet::new();
    let mut attempt = 0;
    let rehearsal = loop {
        let rehearsal = rehearse_service(scratch_servers, work, rulebook, |version, rehearsed| {
            // An attempt before this one may have come so far.
            if told.insert(version) {
                said(Message::Rehearsed(version, rehearsed.clone()));
            }
        });
        match Box::pin(rehearsal).await {
            // Rehearsals that hold connections and wait for more wait for each other: this one has given its own back.
            Err(error) if error.wants_connections() && attempt < MOST_ATTEMPTS => {
                attempt += 1;
                tokio::time::sleep(PAUSE.mul_f64(f64::from(attempt) * fastrand::f64())).await;
            }
            ended => break ended,
        }
    };
    said(match rehearsal {
        Ok(rehearsal) => Message::Through(rehearsal),
        Err(error) => Message::Failed(error),
    });
}
