//! The announcement, the final table and the summary of a run.

use domain::{ServiceName, ServiceOutcome, Totals, Verdict};

use super::inline;
use super::style::{Role, Terminal};
use super::table::{Align, Cell, columns};
use super::tally::{ServiceTally, Tally};
use super::text::{hanging, one_line};
use super::units::{count, duration};

/// The maximum number of services without work that are named; if there are more, only their number is shown.
const NAMED: usize = 12;

/// `Applying 23 migrations to 10 services, 1 is up to date.`
pub(super) fn announce(
    services: &[ServiceName],
    unchanged: usize,
    steps: usize,
    reverts: bool,
) -> String {
    let migrations = count(steps, "migration");
    let whom = match services {
        [only] => only.to_string(),
        many => count(many.len(), "service"),
    };
    let rest = match (unchanged, reverts) {
        (0, _) => String::new(),
        (1, false) => ", 1 is up to date".to_owned(),
        (many, false) => format!(", {many} are up to date"),
        (1, true) => ", 1 has nothing to revert".to_owned(),
        (many, true) => format!(", {many} have nothing to revert"),
    };
    if reverts {
        format!("Reverting {migrations} of {whom}{rest}.")
    } else {
        format!("Applying {migrations} to {whom}{rest}.")
    }
}

/// The final table with an empty line around it; empty when the run was about one service.
pub(super) fn table(tally: &Tally, terminal: Terminal) -> String {
    // A run that applies may have undone something.
    let undid = !tally.reverts && tally.services.iter().any(|it| it.reverted > 0);
    let rows: Vec<Vec<Cell>> = tally
        .involved()
        .map(|standing| row(standing, tally, undid))
        .collect();
    if rows.is_empty() || tally.services.len() < 2 {
        return String::new();
    }
    let done = if tally.reverts { "reverted" } else { "applied" };
    let mut headers = vec!["service", done, "duration", "state"];
    let mut alignments = vec![Align::Left, Align::Right, Align::Right, Align::Left];
    if undid {
        headers.insert(2, "reverted");
        alignments.insert(2, Align::Right);
    }
    let table = columns(&headers, &rows, &alignments, terminal.out, terminal.width);
    let up_to_date = tally.up_to_date();
    let mut text = format!("\n{table}");
    if !up_to_date.is_empty() {
        let label = if tally.reverts {
            "nothing to revert: "
        } else {
            "up to date: "
        };
        let names = inline::names(up_to_date, NAMED);
        for line in hanging(label, &names, terminal.width) {
            text.push_str(&terminal.out.paint(Role::Quiet, &line));
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

fn row(standing: &ServiceTally, tally: &Tally, undid: bool) -> Vec<Cell> {
    let done = if tally.reverts {
        standing.reverted
    } else {
        standing.applied
    };
    let is_whole = standing.outcome == Some(ServiceOutcome::Done) || standing.steps <= done;
    let number = if is_whole {
        done.to_string()
    } else {
        format!("{done} of {}", standing.steps)
    };
    // The time of a service that was stopped before its first step is meaningless.
    let took = if standing.done() > 0 || standing.failed.is_some() {
        duration(standing.duration_ms)
    } else {
        String::new()
    };
    let mut cells = vec![
        standing.name.as_str().into(),
        number.into(),
        took.into(),
        state(standing, tally.is_left),
    ];
    if undid {
        cells.insert(2, standing.reverted.to_string().into());
    }
    cells
}

fn state(standing: &ServiceTally, is_left: bool) -> Cell {
    let because = standing
        .because
        .as_deref()
        .map(|because| format!(": {}", one_line(because, 200)))
        .unwrap_or_default();
    match standing.outcome {
        Some(ServiceOutcome::Done) if is_left && standing.applied > standing.reverted => {
            Cell::new(Role::Warning, "not undone")
        }
        Some(ServiceOutcome::Done) => Cell::new(Role::Good, "done"),
        Some(ServiceOutcome::Unchanged) => Cell::new(Role::Quiet, "up to date"),
        Some(ServiceOutcome::Failed) => match &standing.failed {
            Some(migration) => Cell::new(
                Role::Bad,
                format!("failed at {}", inline::migration(migration)),
            ),
            None => Cell::new(Role::Bad, "failed"),
        },
        Some(ServiceOutcome::Findings) => Cell::new(Role::Bad, "findings"),
        Some(ServiceOutcome::Refused) => Cell::new(Role::Bad, "refused"),
        Some(ServiceOutcome::Unavailable) => Cell::new(Role::Bad, "unavailable"),
        Some(ServiceOutcome::RolledBack) => {
            Cell::new(Role::Warning, format!("rolled back{because}"))
        }
        Some(ServiceOutcome::Skipped) => Cell::new(Role::Warning, format!("skipped{because}")),
        Some(ServiceOutcome::Reverted) => Cell::new(Role::Warning, "reverted"),
        Some(ServiceOutcome::Cancelled) => Cell::new(Role::Warning, "cancelled"),
        None => Cell::new(Role::Warning, format!("not finished{because}")),
    }
}

/// The last line.
pub(super) fn summary(tally: &Tally, verdict: Verdict, totals: &Totals) -> String {
    let time = duration(totals.duration_ms);
    let up_to_date = tally.up_to_date();
    match verdict {
        Verdict::NothingToDo => nothing_to_do(&up_to_date.into_iter().collect::<Vec<_>>(), tally),
        // Work other than migrations, such as keeping pending reverts, was reported line by line.
        Verdict::Done if totals.applied + totals.reverted + totals.adopted == 0 => {
            format!("Done in {time}")
        }
        Verdict::Done => {
            let active = tally
                .involved()
                .filter(|standing| standing.done() > 0)
                .count();
            let rest = match (up_to_date.len(), tally.reverts) {
                (0, _) => String::new(),
                (number, true) => {
                    format!(", nothing to revert in {}", count(number, "service"))
                }
                (number, false) => format!(", {} up to date", count(number, "service")),
            };
            format!(
                "{}, {} in {time}{rest}",
                count(active, "service"),
                done(totals)
            )
        }
        Verdict::Failed
        | Verdict::Findings
        | Verdict::Reverted
        | Verdict::Refused
        | Verdict::Unavailable
        | Verdict::Cancelled => {
            let word = match verdict {
                Verdict::Findings => "Findings",
                Verdict::Reverted => "Reverted",
                Verdict::Refused => "Refused",
                Verdict::Unavailable => "Unavailable",
                Verdict::Cancelled => "Cancelled",
                _ => "Failed",
            };
            let mut parts = Vec::new();
            if totals.failed > 0 {
                parts.push(format!("{} failed", count(totals.failed, "migration")));
            }
            if totals.cancelled > 0 {
                parts.push(format!(
                    "{} cancelled",
                    count(totals.cancelled, "migration")
                ));
            }
            parts.push(match (totals.applied + totals.reverted, tally.reverts) {
                (0, false) => "nothing applied".to_owned(),
                (0, true) => "nothing reverted".to_owned(),
                _ => done(totals),
            });
            if totals.skipped > 0 {
                parts.push(format!("{} not started", totals.skipped));
            }
            format!("{word} after {time}: {}", parts.join(", "))
        }
    }
}

fn done(totals: &Totals) -> String {
    match (totals.applied, totals.reverted) {
        (applied, 0) => format!("{} applied", count(applied, "migration")),
        (0, reverted) => format!("{} reverted", count(reverted, "migration")),
        (applied, reverted) => {
            format!(
                "{} applied, {reverted} reverted",
                count(applied, "migration")
            )
        }
    }
}

fn nothing_to_do(up_to_date: &[&ServiceName], tally: &Tally) -> String {
    match (up_to_date, tally.reverts) {
        ([], _) => "Nothing to do.".to_owned(),
        ([only], false) => format!("Nothing to do: {only} is up to date."),
        (many, false) => format!(
            "Nothing to do: {} are up to date.",
            count(many.len(), "service")
        ),
        ([only], true) => format!("Nothing to do: {only} has no applied migration to revert."),
        (many, true) => format!(
            "Nothing to do: {} have no applied migration to revert.",
            count(many.len(), "service")
        ),
    }
}

/// The color of the last line.
pub(super) fn role(verdict: Verdict) -> Role {
    match verdict {
        Verdict::Done => Role::Good,
        Verdict::NothingToDo => Role::Plain,
        Verdict::Cancelled => Role::Warning,
        Verdict::Failed
        | Verdict::Findings
        | Verdict::Reverted
        | Verdict::Refused
        | Verdict::Unavailable => Role::Bad,
    }
}
