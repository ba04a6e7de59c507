//! The table of `--timings`.

use domain::{PhaseTime, Timings};

use super::style::Terminal;
use super::table::{Align, Cell, columns};

/// The phases that happened, with an empty line before them, and the duration of the whole command.
pub(super) fn table(timings: &Timings, terminal: Terminal) -> String {
    let rows: Vec<Vec<Cell>> = timings.phases.iter().map(row).collect();
    let headers = ["phase", "times", "total", "longest"];
    let alignments = [Align::Left, Align::Right, Align::Right, Align::Right];
    let table = columns(&headers, &rows, &alignments, terminal.out, terminal.width);
    let elapsed = milliseconds(timings.elapsed_us);
    format!(
        "\n{table}\nWhole command: {elapsed}. Services that work at the same time are added up."
    )
}

fn row(phase: &PhaseTime) -> Vec<Cell> {
    vec![
        phase.phase.label().into(),
        phase.count.to_string().into(),
        milliseconds(phase.total_us).into(),
        milliseconds(phase.longest_us).into(),
    ]
}

/// With one decimal: most phases take less than ten milliseconds.
fn milliseconds(micros: u64) -> String {
    let tenths = micros.saturating_add(50) / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}
