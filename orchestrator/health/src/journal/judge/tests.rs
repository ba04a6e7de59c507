use super::*;

/// A journal that the engine could have written.
fn journal(rows: i64) -> Vec<ChainRow> {
    let mut journal: Vec<ChainRow> = Vec::new();
    for id in 1..=rows {
        let previous = journal.last().and_then(|row| row.hash.clone());
        let texts = vec![Some(id.to_string()), Some(format!("said {id}")), None];
        let mut row = ChainRow {
            id,
            started_at: String::new(),
            texts,
            previous: Some(previous.unwrap_or_default()),
            hash: None,
        };
        row.hash = Some(hash_of(&row, id));
        journal.push(row);
    }
    journal
}

/// Rows from before the chain, as the engine leaves them when it begins one.
fn sealed(rows: usize) -> Vec<ChainRow> {
    let mut journal = journal(rows as i64);
    for row in &mut journal {
        (row.previous, row.hash) = (None, None);
    }
    let seal = seal_of(&journal);
    journal.last_mut().unwrap().hash = Some(seal);
    journal
}

fn append(journal: &mut Vec<ChainRow>) {
    let last = journal.last().unwrap().clone();
    let id = last.id + 1;
    let mut row = ChainRow {
        id,
        previous: last.hash.clone(),
        ..last
    };
    row.hash = Some(hash_of(&row, id));
    journal.push(row);
}

fn renumber(row: &mut ChainRow, id: i64) {
    row.id = id;
    row.texts[0] = Some(id.to_string());
}

fn anchor(journal: &[ChainRow]) -> Anchor {
    let newest = journal.last().unwrap();
    Anchor {
        service: "policy".parse().unwrap(),
        database: "soc_policies".to_owned(),
        rows: journal.len() as i64,
        id: newest.id,
        hash: newest.hash.clone(),
    }
}

/// The findings as `kind first-last`.
fn found(journal: &[ChainRow], anchor: Option<&Anchor>) -> Vec<String> {
    judge(journal, anchor)
        .findings
        .iter()
        .map(|it| format!("{:?} {}-{}", it.kind, it.first_id, it.last_id))
        .collect()
}

const NONE: [&str; 0] = [];

#[test]
fn untouched_rows_pass_alone_and_with_any_earlier_anchor() {
    assert_eq!(found(&[], None), NONE);
    let whole = journal(6);
    assert_eq!(found(&whole, None), NONE);
    for rows in 1..=6 {
        assert_eq!(found(&whole, Some(&anchor(&whole[..rows]))), NONE);
    }
}

#[test]
fn an_edit_is_reported_with_its_row() {
    for at in 0..6 {
        let mut rows = journal(6);
        rows[at].texts[2] = Some("changed".to_owned());
        assert_eq!(found(&rows, None), [format!("Edited {0}-{0}", at + 1)]);
    }
}

#[test]
fn an_edit_with_a_new_hash_is_detected_at_the_next_row() {
    for at in 0..5 {
        let mut rows = journal(6);
        rows[at].texts[2] = Some("changed".to_owned());
        rows[at].hash = Some(hash_of(&rows[at], at as i64 + 1));
        assert_eq!(found(&rows, None), [format!("Edited {0}-{0}", at + 1)]);
    }
}

#[test]
fn a_null_is_not_an_empty_text() {
    let mut rows = journal(3);
    rows[1].texts[2] = Some(String::new());
    assert_eq!(found(&rows, None), ["Edited 2-2"]);
}

#[test]
fn an_edited_link_is_an_edit() {
    let mut rows = journal(4);
    rows[2].previous = Some("00".to_owned());
    assert_eq!(found(&rows, None).len(), 1);
    rows[2].hash = Some(hash_of(&rows[2], 3));
    assert!(!found(&rows, None).is_empty());
}

#[test]
fn a_gap_names_the_rows_that_are_gone() {
    for (gone, found_kinds) in [
        (0..1, "Removed 1-1"),
        (0..2, "Removed 1-2"),
        (2..3, "Removed 3-3"),
        (1..4, "Removed 2-4"),
    ] {
        let mut rows = journal(6);
        rows.drain(gone);
        assert_eq!(found(&rows, None), [found_kinds]);
    }
}

#[test]
fn the_newest_rows_are_missed_by_an_anchor_only() {
    let whole = journal(6);
    assert_eq!(found(&whole[..4], None), NONE);
    assert_eq!(found(&whole[..4], Some(&anchor(&whole))), ["Removed 5-6"]);
    assert_eq!(found(&[], Some(&anchor(&whole))), ["Removed 1-6"]);
}

#[test]
fn a_row_that_the_chain_passes_over_was_inserted() {
    let mut rows = journal(5);
    for row in &mut rows[2..] {
        renumber(row, row.id + 1);
    }
    let mut strange = rows[1].clone();
    renumber(&mut strange, 3);
    rows.insert(2, strange);
    let found_kinds = found(&rows, None);
    assert!(
        found_kinds.contains(&"Inserted 3-3".to_owned()),
        "{found_kinds:?}"
    );
    assert!(
        found_kinds.contains(&"Reordered 4-4".to_owned()),
        "{found_kinds:?}"
    );
}

#[test]
fn a_row_without_a_hash_was_inserted() {
    let mut rows = journal(3);
    append(&mut rows);
    (rows[3].previous, rows[3].hash) = (None, None);
    assert_eq!(found(&rows, None), ["Inserted 4-4"]);
}

#[test]
fn swapped_rows_are_both_reported() {
    let mut rows = journal(6);
    rows.swap(2, 3);
    renumber(&mut rows[2], 3);
    renumber(&mut rows[3], 4);
    assert_eq!(found(&rows, None), ["Reordered 3-3", "Reordered 4-4"]);
}

#[test]
fn a_recomputed_chain_is_detected_only_with_an_anchor() {
    let whole = journal(6);
    let mut forged = journal(6);
    forged[2].texts[1] = Some("another story".to_owned());
    for at in 2..6 {
        forged[at].previous = forged[at - 1].hash.clone();
        forged[at].hash = Some(hash_of(&forged[at], forged[at].id));
    }
    assert_eq!(found(&forged, None), NONE);
    assert_eq!(found(&forged, Some(&anchor(&whole[..2]))), NONE);
    for rows in 3..=6 {
        let found_kinds = found(&forged, Some(&anchor(&whole[..rows])));
        assert_eq!(found_kinds, [format!("Rewritten 1-{rows}")]);
    }
}

#[test]
fn rows_from_before_the_chain_are_vouched_for_from_its_beginning_on() {
    let unchained: Vec<ChainRow> = sealed(3)
        .into_iter()
        .map(|row| ChainRow { hash: None, ..row })
        .collect();
    assert_eq!(judge(&unchained, None).sealed, 3);
    assert_eq!(found(&unchained, None), NONE);
    let before = anchor(&unchained);

    let mut rows = sealed(3);
    append(&mut rows);
    append(&mut rows);
    assert_eq!(judge(&rows, None).sealed, 3);
    assert_eq!(found(&rows, None), NONE);
    assert_eq!(found(&rows, Some(&before)), NONE);
    for at in 0..3 {
        let mut edited = rows.clone();
        edited[at].texts[1] = None;
        assert_eq!(found(&edited, None), ["Edited 1-3"]);
        let mut fewer = rows.clone();
        fewer.remove(at);
        assert!(!found(&fewer, None).is_empty(), "row {at} was missed");
    }
    let mut edited = rows.clone();
    edited[3].texts[1] = None;
    assert_eq!(found(&edited, None), ["Edited 4-4"]);
}

#[test]
fn a_chain_cannot_be_passed_off_as_one_that_began_later() {
    let mut rows = journal(6);
    for row in &mut rows[..3] {
        (row.previous, row.hash) = (None, None);
    }
    let seal = seal_of(&rows[..3]);
    rows[2].hash = Some(seal);
    assert!(!found(&rows, None).is_empty());
}

#[test]
fn an_anchor_older_than_a_restore_is_explained_and_a_newer_one_matches() {
    let before = journal(6);
    let taken = anchor(&before);
    let mut rows = journal(3);
    append(&mut rows);
    let restored = rows.last_mut().unwrap();
    restored.texts.resize(9, None);
    restored.texts[OUTCOME] = Some("restored".to_owned());
    restored.hash = Some(hash_of(restored, 4));
    assert_eq!(found(&rows, Some(&anchor(&before[..3]))), NONE);
    assert_eq!(found(&rows, Some(&taken)), ["Restored 4-6"]);
    let after = anchor(&rows);
    for _ in 0..3 {
        append(&mut rows);
        rows.last_mut().unwrap().texts[OUTCOME] = Some("applied".to_owned());
        let hash = hash_of(rows.last().unwrap(), rows.last().unwrap().id);
        rows.last_mut().unwrap().hash = Some(hash);
    }
    assert_eq!(found(&rows, Some(&taken)), ["Restored 4-6"]);
    assert_eq!(found(&rows, Some(&after)), NONE);
}
