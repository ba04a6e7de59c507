//! Whether a run that was disturbed told the truth.

use serde_json::Value;
use tests::Outcome;

use super::world::{Direction, World, telling};

/// Holds what a run said against what is in the databases right after it.
pub(crate) fn check(
    world: &World<'_>,
    direction: Direction,
    outcome: &Outcome,
) -> Result<(), String> {
    judge(world, direction, outcome).map_err(|lie| format!("{lie}\n{}", telling(outcome)))
}

fn judge(world: &World<'_>, direction: Direction, outcome: &Outcome) -> Result<(), String> {
    if outcome.stderr.contains("panicked") {
        return Err("it panicked".to_owned());
    }
    let killed = outcome.code == -1;
    if !killed && ![0, 1, 5].contains(&outcome.code) {
        return Err(format!("exit code {} does not fit", outcome.code));
    }
    let events = parsed(outcome)?;
    match events.last() {
        _ if killed => {}
        Some(last) => {
            if last["event"] != "run_finished" || last["exit_code"] != outcome.code {
                return Err("the last event is not this end of the run".to_owned());
            }
            for (event, total) in [
                ("migration_applied", "applied"),
                ("migration_reverted", "reverted"),
                ("migration_failed", "failed"),
            ] {
                let said = events.iter().filter(|said| said["event"] == event).count();
                if last[total] != said {
                    return Err(format!("{total} is not the number of events {event}"));
                }
            }
        }
        // Before there is a plan there are no events, only the error.
        None if outcome.code == 0 || outcome.stderr.trim().is_empty() => {
            return Err("it said nothing".to_owned());
        }
        None => {}
    }
    let (done, gone) = match direction {
        Direction::Up => ("migration_applied", true),
        Direction::Down => ("migration_reverted", false),
    };
    for event in &events {
        let (Some(service), Some(version)) = (event["service"].as_str(), event["version"].as_i64())
        else {
            continue;
        };
        let is_there = || world.history(&format!("db_{service}")).contains(&version);
        if event["event"] == done && is_there() != gone {
            return Err(format!("{done} of {service}@{version} is not true"));
        }
        if event["event"] != "migration_failed" {
            continue;
        }
        if event["next"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{service}@{version}: what to do next?"));
        }
        if event["outcome_unknown"] == true {
            continue;
        }
        if is_there() == gone {
            return Err(format!("{service}@{version} did not fail"));
        }
        let recorded = world.recorded(&format!("db_{service}"), version);
        let said = event["statements_done"].as_u64().unwrap_or_default();
        if said != recorded {
            return Err(format!(
                "{recorded} statements of {service}@{version} are done, not {said}"
            ));
        }
    }
    Ok(())
}

fn parsed(outcome: &Outcome) -> Result<Vec<Value>, String> {
    let mut events = Vec::new();
    for line in outcome.stdout.lines() {
        match serde_json::from_str(line) {
            Ok(event) => events.push(event),
            // What was under way when it was killed.
            Err(_) if outcome.code == -1 => {}
            Err(error) => return Err(format!("{error}: {line}")),
        }
    }
    Ok(events)
}
