//! The text for a compensation: its start and reason, its success, or the state in which it left each database.

use uuid::Uuid;

use super::failure::headed;
use super::style::{Palette, Role};
use super::table::{Align, Cell, columns};
use super::text::one_line;
use super::units::count;
use domain::{CatalogState, CompensationStop};

/// The maximum width of a foreign sentence.
const SENTENCE: usize = 300;

/// `control 1753251001000 failed: undoing the 5 migrations that this run applied.`
pub(super) fn started(own: Uuid, of_run: Uuid, because: &str, steps: usize) -> String {
    let because = one_line(because, SENTENCE);
    let migrations = count(steps, "migration");
    if of_run == own {
        format!("{because}: undoing the {migrations} that this run applied.")
    } else {
        format!("Undoing the {migrations} that remain of run {of_run} ({because}).")
    }
}

/// The text for a finished compensation.
pub(super) fn finished(own: Uuid, of_run: Uuid) -> String {
    if of_run == own {
        "Undone: every database is as it was before this run.".to_owned()
    } else {
        format!("Undone: every database is as it was before run {of_run}.")
    }
}

/// Why a compensation stopped, and the state of each database.
pub(super) fn stopped(stop: &CompensationStop, palette: Palette, width: Option<usize>) -> String {
    let head = format!(
        "cannot undo everything: {}",
        one_line(&stop.because, SENTENCE)
    );
    let rows: Vec<Vec<Cell>> = stop
        .databases
        .iter()
        .map(|database| {
            let role = match database.state {
                CatalogState::Old => Role::Good,
                CatalogState::New => Role::Warning,
                CatalogState::Between | CatalogState::Unknown => Role::Bad,
            };
            vec![
                database.service.as_str().into(),
                database.database.clone().into(),
                Cell::new(role, database.state.as_str()),
                database
                    .version
                    .map_or_else(String::new, |version| version.to_string())
                    .into(),
            ]
        })
        .collect();
    let table = columns(
        &["service", "database", "catalog", "newest applied"],
        &rows,
        &[Align::Left; 4],
        palette,
        width,
    );
    let head = headed("error", &head, palette, width).join("\n");
    format!("{head}\n{}", table.trim_end())
}
