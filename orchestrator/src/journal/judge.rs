//! The judgement on the rows of a journal: a pure function of what was read, and of an anchor.
//!
//! Each row must have the hash of what it says, and name the hash of the row before it. Ids have no gaps since the chain
//! began, because a row gets the id after the newest one; so a gap tells which rows are gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sha2::{Digest, Sha256};
use shared::domain::Anchor;
use shared::postgres::{ChainRow, FORMAT};

use super::{Finding, FindingKind};

/// The most rows that are compared with each other to find out which of them changed places.
const MOST_COMPARED: usize = 200;

/// The place of the outcome among the columns of a row.
const OUTCOME: usize = 7;

/// What came of looking at a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Rows from before the chain. They are as they were when it began, and nothing is known of the time before that.
    pub sealed: usize,
    /// What is wrong, by row.
    pub findings: Vec<Finding>,
}

/// Judges the rows of a journal, the oldest first.
pub fn judge(rows: &[ChainRow], anchor: Option<&Anchor>) -> Judgement {
    let mut judgement = Judgement::default();
    let seal = rows
        .iter()
        .position(|row| row.hash.is_some())
        .filter(|&at| rows[at].previous.is_none());
    let (chained, mut last_id, mut last) = match seal {
        Some(at) => {
            judgement.sealed = at + 1;
            let newest = &rows[at];
            if newest.hash.as_deref() != Some(seal_of(&rows[..=at]).as_str()) {
                judgement.findings.push(Finding {
                    kind: FindingKind::Edited,
                    first_id: rows[0].id,
                    last_id: newest.id,
                    message: format!(
                        "rows up to {}, from before the chain, are not as they were when it began",
                        newest.id
                    ),
                });
            }
            let hash = newest.hash.clone().unwrap_or_default();
            (&rows[at + 1..], newest.id, hash)
        }
        None if rows.iter().all(|row| row.hash.is_none()) => {
            judgement.sealed = rows.len();
            (&rows[rows.len()..], 0, String::new())
        }
        None => (rows, 0, String::new()),
    };
    let known: HashSet<&str> = rows.iter().filter_map(|row| row.hash.as_deref()).collect();
    let moved = moved(chained);
    for (at, row) in chained.iter().enumerate() {
        let is_linked = row.previous.as_deref() == Some(last.as_str());
        let is_true = row.hash.as_deref() == Some(hash_of(row, row.id).as_str());
        let is_behind_moved = is_true
            && chained
                .iter()
                .any(|it| moved.contains_key(&it.id) && it.hash == row.previous);
        if let Some(origin) = moved.get(&row.id) {
            judgement.findings.push(Finding::of_row(
                FindingKind::Reordered,
                row.id,
                format!("row {} was row {origin} when it was written", row.id),
            ));
        } else if !(is_linked && is_true || is_behind_moved) {
            let next = chained.get(at + 1);
            let is_passed_over =
                next.is_some_and(|next| next.previous.as_deref() == Some(last.as_str()));
            if (is_passed_over && !is_linked) || row.hash.is_none() {
                judgement.findings.push(Finding::of_row(
                    FindingKind::Inserted,
                    row.id,
                    format!("row {} was inserted: it is no part of the chain", row.id),
                ));
                last_id = row.id;
                continue;
            }
            judgement
                .findings
                .extend(told(row, last_id, is_linked, is_true, &known));
        }
        last_id = row.id;
        last = row.hash.clone().unwrap_or_default();
    }
    if let Some(anchor) = anchor {
        judgement.findings.extend(against(rows, anchor));
    }
    judgement
}

/// What is wrong with a row that is part of the chain, and not as it should be.
fn told(
    row: &ChainRow,
    last_id: i64,
    is_linked: bool,
    is_true: bool,
    known: &HashSet<&str>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let id = row.id;
    let names_another = row
        .previous
        .as_deref()
        .is_some_and(|previous| known.contains(previous));
    if !is_true {
        let message = format!("row {id} was edited: it is not what its hash says");
        findings.push(Finding::of_row(FindingKind::Edited, id, message));
    }
    if !is_linked {
        if id > last_id.saturating_add(1) {
            findings.push(Finding::removed(last_id + 1, id - 1));
        } else if names_another && is_true {
            let message = format!("row {id} stood behind another row when it was written");
            findings.push(Finding::of_row(FindingKind::Reordered, id, message));
        } else if is_true && last_id > 0 {
            let message =
                format!("row {last_id} was edited: row {id} names the hash that it had before");
            findings.push(Finding::of_row(FindingKind::Edited, last_id, message));
        } else if findings.is_empty() {
            let message = format!("row {id} was edited: it names a row before it that is not here");
            findings.push(Finding::of_row(FindingKind::Edited, id, message));
        }
    }
    findings
}

/// Rows that say the truth under an id that no row has rightly, with that id.
fn moved(rows: &[ChainRow]) -> BTreeMap<i64, i64> {
    let is_true_as =
        |row: &ChainRow, id: i64| row.hash.as_deref() == Some(hash_of(row, id).as_str());
    let (true_ones, false_ones): (Vec<&ChainRow>, Vec<&ChainRow>) =
        rows.iter().partition(|row| is_true_as(row, row.id));
    if false_ones.len() > MOST_COMPARED {
        return BTreeMap::new();
    }
    let rightful: HashSet<i64> = true_ones.iter().map(|row| row.id).collect();
    // An insertion shifts the rows behind it, so the neighbour's id is a candidate as well.
    let candidates: BTreeSet<i64> = false_ones
        .iter()
        .flat_map(|row| [row.id, row.id.saturating_sub(1)])
        .filter(|id| !rightful.contains(id))
        .collect();
    false_ones
        .iter()
        .filter_map(|row| {
            let mut origins = candidates.iter().copied().filter(|&id| id != row.id);
            let origin = origins.find(|&id| is_true_as(row, id));
            origin.map(|origin| (row.id, origin))
        })
        .collect()
}

/// What the anchor says against the rows, which may go together all the same.
fn against(rows: &[ChainRow], anchor: &Anchor) -> Vec<Finding> {
    if anchor.rows == 0 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let newest = rows.last().map_or(0, |row| row.id);
    let anchored = rows.iter().find(|row| row.id == anchor.id);
    let is_there = anchored.is_some_and(|row| anchor.hash.is_none() || row.hash == anchor.hash);
    if !is_there && let Some(restored) = restored_before(rows, anchor.id) {
        findings.push(restored);
        return findings;
    }
    match anchored {
        None if newest < anchor.id => findings.push(Finding::removed(newest + 1, anchor.id)),
        None => findings.push(Finding::removed(anchor.id, anchor.id)),
        Some(row) if anchor.hash.is_some() && row.hash != anchor.hash => {
            let message = format!(
                "the rows up to {} are not those that the anchor vouches for: one or more were changed and all hashes \
                 computed anew",
                anchor.id
            );
            findings.push(Finding {
                kind: FindingKind::Rewritten,
                first_id: rows.first().map_or(0, |row| row.id),
                last_id: anchor.id,
                message,
            });
        }
        Some(_) => {
            let there = rows.iter().filter(|row| row.id <= anchor.id).count();
            let there = i64::try_from(there).unwrap_or(i64::MAX);
            if there != anchor.rows {
                let kind = if there < anchor.rows {
                    FindingKind::Removed
                } else {
                    FindingKind::Inserted
                };
                findings.push(Finding {
                    kind,
                    first_id: rows.first().map_or(0, |row| row.id),
                    last_id: anchor.id,
                    message: format!(
                        "there are {there} rows up to {}, where the anchor vouches for {}",
                        anchor.id, anchor.rows
                    ),
                });
            }
        }
    }
    findings
}

/// What a restore explains, if the rows speak of one: from its row on they are not those of the time before. Nobody can tell here
/// whether that row says the truth, so it stays a finding.
fn restored_before(rows: &[ChainRow], anchored: i64) -> Option<Finding> {
    let is_restore = |row: &&ChainRow| {
        row.id <= anchored && row.texts.get(OUTCOME).and_then(Option::as_deref) == Some("restored")
    };
    let row = rows.iter().rfind(is_restore)?;
    let (id, at) = (row.id, row.started_at.get(..19).unwrap_or(&row.started_at));
    let at = at.replace('T', " ");
    Some(Finding {
        kind: FindingKind::Restored,
        first_id: id,
        last_id: anchored,
        message: format!(
            "row {id} says that the database was restored at {at} UTC, so that the rows from {id} to {anchored} that the anchor \
             vouches for are not here: verify them in the database that was kept, and take a new anchor. If the anchor is \
             newer than that, rows were changed"
        ),
    })
}

/// The hash of what a row says, as if it had this id.
fn hash_of(row: &ChainRow, id: i64) -> String {
    hexadecimal(&Sha256::digest(canonical(row, row.previous.as_deref(), id)))
}

/// What the newest row from before the chain has as its hash.
fn seal_of(rows: &[ChainRow]) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| canonical(row, None, row.id))
        .collect();
    hexadecimal(&Sha256::digest(lines.join("\n")))
}

/// The text that is hashed: a JSON array of strings and nulls.
fn canonical(row: &ChainRow, previous: Option<&str>, id: i64) -> String {
    let id = id.to_string();
    let texts = row.texts.iter().skip(1).map(Option::as_deref);
    let all: Vec<Option<&str>> = [Some(FORMAT), previous, Some(id.as_str())]
        .into_iter()
        .chain(texts)
        .collect();
    serde_json::Value::from_iter(all).to_string()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
