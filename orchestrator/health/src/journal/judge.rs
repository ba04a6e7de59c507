//! Verifies the rows of a journal: a pure function of the rows and an anchor.
//!
//! Each row must match its hash and refer to the hash of the preceding row. A new row gets the id after the newest one, so ids have no
//! gaps since the chain began: a gap shows which rows were removed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domain::Anchor;
use sha2::{Digest, Sha256};
use store::{ChainRow, FORMAT};

use super::{Finding, FindingKind};

/// The most rows that are compared with each other to detect moved rows.
const MOST_COMPARED: usize = 200;

/// The index of the outcome column.
const OUTCOME: usize = 7;

/// The result of verifying a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The number of rows older than the chain. They are unchanged since it began; earlier changes cannot be detected.
    pub sealed: usize,
    /// The findings, by row.
    pub findings: Vec<Finding>,
}

/// Verifies the rows of a journal, oldest first.
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
                        "rows up to {}, older than the hash chain, were changed after it began",
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
                    format!("row {} was inserted: it is not part of the chain", row.id),
                ));
                last_id = row.id;
                continue;
            }
            judgement
                .findings
                .extend(broken_link(row, last_id, is_linked, is_true, &known));
        }
        last_id = row.id;
        last = row.hash.clone().unwrap_or_default();
    }
    if let Some(anchor) = anchor {
        judgement.findings.extend(against(rows, anchor));
    }
    judgement
}

/// The finding for a row of the chain that does not match.
fn broken_link(
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
        let message = format!("row {id} was edited: it does not match its hash");
        findings.push(Finding::of_row(FindingKind::Edited, id, message));
    }
    if !is_linked {
        if id > last_id.saturating_add(1) {
            findings.push(Finding::removed(last_id + 1, id - 1));
        } else if names_another && is_true {
            let message = format!("row {id} followed another row when it was written");
            findings.push(Finding::of_row(FindingKind::Reordered, id, message));
        } else if is_true && last_id > 0 {
            let message = format!("row {last_id} was edited: row {id} refers to its former hash");
            findings.push(Finding::of_row(FindingKind::Edited, last_id, message));
        } else if findings.is_empty() {
            let message =
                format!("row {id} was edited: it refers to a preceding row that does not exist");
            findings.push(Finding::of_row(FindingKind::Edited, id, message));
        }
    }
    findings
}

/// Unchanged rows under another id, with their original id.
fn moved(rows: &[ChainRow]) -> BTreeMap<i64, i64> {
    let is_true_as =
        |row: &ChainRow, id: i64| row.hash.as_deref() == Some(hash_of(row, id).as_str());
    let (true_ones, false_ones): (Vec<&ChainRow>, Vec<&ChainRow>) =
        rows.iter().partition(|row| is_true_as(row, row.id));
    if false_ones.len() > MOST_COMPARED {
        return BTreeMap::new();
    }
    let rightful: HashSet<i64> = true_ones.iter().map(|row| row.id).collect();
    // An insertion shifts the later rows, so the neighbor's id is also a candidate.
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

/// Compares the rows with the anchor: they may be consistent with each other and still differ from it.
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
                "the rows up to {} do not match the anchor: rows were changed and all hashes \
                 recomputed",
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
                        "there are {there} rows up to {}, but {} in the anchor",
                        anchor.id, anchor.rows
                    ),
                });
            }
        }
    }
    findings
}

/// Explains a difference by a restore, if the rows record one: from that row on they differ from the old database. The row itself
/// cannot be verified, so the difference stays a finding.
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
            "row {id} records a restore of the database at {at} UTC, which replaced rows {id} to {anchored} of the anchor: verify them \
             in the kept database, and take a new anchor. If the anchor is newer than the restore, rows were changed"
        ),
    })
}

/// The hash of a row's content under a given id.
fn hash_of(row: &ChainRow, id: i64) -> String {
    hexadecimal(&Sha256::digest(canonical(row, row.previous.as_deref(), id)))
}

/// The hash of the newest row older than the chain, which covers all of them.
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
