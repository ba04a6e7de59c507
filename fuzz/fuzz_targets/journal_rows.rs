//! Any journal rows, and any file of anchors or accepted drift: judged, or refused with the file's name.
#![no_main]

use arbitrary::Arbitrary;
use domain::{Anchor, Fleet, Service};
use drift::AcceptedDrift;
use fuzz::{chain, folder, write};
use health::journal::{AnchorFile, judge};
use libfuzzer_sys::fuzz_target;
use store::ChainRow;

#[derive(Arbitrary, Debug)]
struct Kept<'a> {
    rows: Vec<Row<'a>>,
    anchor: Option<(i64, i64, Option<&'a str>)>,
    anchor_file: &'a [u8],
    accepted_file: &'a [u8],
}

#[derive(Arbitrary, Debug)]
struct Row<'a> {
    id: Id,
    texts: Vec<Option<&'a str>>,
    previous: Option<Hash<'a>>,
    hash: Option<Hash<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Id {
    Next,
    Any(i64),
}

/// The hash of another row, far more often than by chance.
#[derive(Arbitrary, Debug)]
enum Hash<'a> {
    OfRow(u8),
    Any(&'a str),
}

fuzz_target!(|kept: Kept<'_>| {
    let mut rows: Vec<ChainRow> = Vec::new();
    for row in kept.rows.iter().take(64) {
        let id = match row.id {
            Id::Next => rows.last().map_or(1, |last| last.id.saturating_add(1)),
            Id::Any(id) => id,
        };
        let hash = |hash: &Option<Hash<'_>>| match hash {
            Some(Hash::OfRow(index)) => rows
                .get(usize::from(*index))
                .and_then(|row| row.hash.clone()),
            Some(Hash::Any(text)) => Some((*text).to_owned()),
            None => None,
        };
        rows.push(ChainRow {
            id,
            started_at: String::new(),
            texts: row
                .texts
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect(),
            previous: hash(&row.previous),
            hash: hash(&row.hash),
        });
    }
    rows.sort_by_key(|row| row.id);
    let anchor = kept.anchor.map(|(rows, id, hash)| Anchor {
        service: "shop".parse().expect("a name"),
        database: "shop".to_owned(),
        rows,
        id,
        hash: hash.map(str::to_owned),
    });
    let judgement = judge(&rows, anchor.as_ref());
    assert!(judgement.sealed <= rows.len());
    for finding in &judgement.findings {
        assert!(!finding.message.is_empty());
    }
    files(&kept);
});

fn files(kept: &Kept<'_>) {
    let anchors = folder().join("anchors.json");
    write(&anchors, kept.anchor_file);
    match AnchorFile::read(&anchors, &fleet()) {
        Ok(file) => {
            let again = folder().join("anchors-again.json");
            let _ = std::fs::remove_file(&again);
            file.write(&again).expect("writes");
            let read = AnchorFile::read(&again, &fleet()).expect("reads what it wrote");
            assert_eq!(read.len(), file.len());
            assert_eq!(read.taken_at(), file.taken_at());
        }
        Err(error) => assert!(chain(&error).contains("anchors.json")),
    }
    let accepted = folder().join("accepted.toml");
    write(&accepted, kept.accepted_file);
    match AcceptedDrift::read(&accepted) {
        Ok(drift) => {
            let again = folder().join("accepted-again.toml");
            let _ = std::fs::remove_file(&again);
            drift.write(&again).expect("writes");
            assert_eq!(
                AcceptedDrift::read(&again).expect("reads what it wrote"),
                drift
            );
        }
        Err(error) => assert!(chain(&error).contains("accepted.toml")),
    }
}

fn fleet() -> Fleet {
    let service = |name: &str| Service {
        name: name.parse().expect("a name"),
        database: name.to_owned(),
        depends_on: Vec::new(),
        history_table: None,
        legacy_table: None,
        description: None,
        owner: None,
        path: format!("{name}/service.toml"),
        migrations: Vec::new(),
    };
    Fleet::new([service("shop"), service("auth")]).expect("two services")
}
