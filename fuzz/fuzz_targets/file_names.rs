//! Any names in `migrations/` and `reverts/`, including invalid UTF-8: read in order, or refused by name.
#![no_main]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use arbitrary::Arbitrary;
use domain::{Requirement, Version};
use fuzz::{chain, empty, folder, write};
use libfuzzer_sys::fuzz_target;
use service_layout::{FileName, Layout, LayoutError};

#[derive(Arbitrary, Debug)]
struct Names<'a> {
    migrations: Vec<Name<'a>>,
    reverts: Vec<Name<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Name<'a> {
    Raw(&'a [u8]),
    Parts(&'a str, &'a str),
    Good(u64, &'a str),
    /// The name of the migration with that index, because a revert without a migration is refused early.
    Same(u8),
}

fuzz_target!(|names: Names<'_>| {
    let service = folder().join("service");
    empty(&service.join("migrations"));
    empty(&service.join("reverts"));
    let migrations: Vec<Vec<u8>> = names
        .migrations
        .iter()
        .filter_map(|name| bytes(name, &[]))
        .collect();
    let reverts: Vec<Vec<u8>> = names
        .reverts
        .iter()
        .filter_map(|name| bytes(name, &migrations))
        .collect();
    for name in migrations.iter().chain(&reverts) {
        alone(name);
    }
    create(&service.join("migrations"), &migrations);
    create(&service.join("reverts"), &reverts);
    match Layout::read(&service) {
        Ok(layout) => in_order(&layout, &migrations, &reverts),
        Err(LayoutError::File(error)) => panic!("{error}"),
        Err(error) => assert!(chain(&error).contains("service/")),
    }
});

/// The bytes that Linux accepts as a file name.
fn bytes(name: &Name<'_>, others: &[Vec<u8>]) -> Option<Vec<u8>> {
    let name = match name {
        Name::Raw(raw) => raw.to_vec(),
        Name::Parts(version, words) => format!("V{version}__{words}.sql").into_bytes(),
        Name::Good(version, words) => format!("V{version}__{words}.sql").into_bytes(),
        Name::Same(index) => others.get(usize::from(*index))?.clone(),
    };
    let is_possible = !name.is_empty()
        && name.len() < 256
        && !name.contains(&0)
        && !name.contains(&b'/')
        && name != b"."
        && name != b"..";
    is_possible.then_some(name)
}

fn create(folder: &Path, names: &[Vec<u8>]) {
    for name in names {
        write(&folder.join(OsStr::from_bytes(name)), "");
    }
}

/// refinery accepts every accepted name, and interprets it in the same way.
fn alone(name: &[u8]) {
    let Ok(name) = str::from_utf8(name) else {
        return;
    };
    let Ok(parsed) = FileName::parse(name) else {
        return;
    };
    assert!(parsed.version >= 0);
    let printed = parsed.to_string();
    assert_eq!(FileName::parse(&printed).as_ref(), Ok(&parsed), "{printed}");
    let stem = name.strip_suffix(".sql").expect("the end of the name");
    let refinerys =
        refinery::Migration::unapplied(stem, "").unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(
        (refinerys.version(), refinerys.name()),
        (parsed.version, parsed.name.as_str())
    );
    let version = Version::new(parsed.version);
    assert_eq!(version.to_string().parse(), Ok(version));
    let requirement: Requirement = format!("auth@V{version}").parse().expect("a requirement");
    assert_eq!(requirement.to_string().parse(), Ok(requirement));
}

fn in_order(layout: &Layout, migrations: &[Vec<u8>], reverts: &[Vec<u8>]) {
    let visible = |names: &[Vec<u8>]| {
        let mut names: Vec<&[u8]> = names
            .iter()
            .map(Vec::as_slice)
            .filter(|name| !name.starts_with(b"."))
            .collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    };
    assert_eq!(layout.migrations.len(), visible(migrations));
    assert_eq!(layout.reverts.len(), visible(reverts));
    for files in [&layout.migrations, &layout.reverts] {
        assert!(files.is_sorted_by(|a, b| a.name.version < b.name.version));
        assert!(files.iter().all(|file| fs::metadata(&file.path).is_ok()));
    }
    for revert in &layout.reverts {
        let name = revert.path.file_name();
        assert!(
            layout
                .migrations
                .iter()
                .any(|file| file.path.file_name() == name)
        );
    }
}
