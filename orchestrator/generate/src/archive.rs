//! Reads the table of contents of a `pg_dump --format=custom` archive.
//!
//! It lists every schema object with the statements that create and drop it, its dependencies, and its place in the catalog, in
//! an order in which the objects can be created. The server and pg_dump write the SQL; nothing here parses it.

/// One object of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The number that dependencies refer to.
    pub(crate) id: i64,
    /// The kind, as pg_dump names it: `TABLE`, `FK CONSTRAINT`, …
    pub(crate) kind: String,
    /// The schema; empty for an object outside schemas.
    pub(crate) schema: String,
    /// The name within the schema: `users`, `users users_pkey`, `f(integer)`, …
    pub(crate) tag: String,
    /// The statements that create it.
    pub(crate) create: String,
    /// The statements that drop it; empty if it is dropped together with another object.
    pub(crate) drop: String,
    /// The OID of its catalog, such as that of `pg_class`.
    pub(crate) class: i64,
    /// Its OID in that catalog; 0 for comments and privileges.
    pub(crate) oid: i64,
    /// The entries that it depends on.
    pub(crate) deps: Vec<i64>,
}

/// Entries that are settings of the dump itself, or of the database.
const SETTINGS: [&str; 5] = [
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "DATABASE",
    "DATABASE PROPERTIES",
];

/// The entries of an archive, in the order in which they can be created. `None` if the format is unknown.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut archive = Archive {
        rest: bytes.strip_prefix(b"PGDMP")?,
        int_size: 0,
    };
    let (major, minor) = (archive.byte()?, archive.byte()?);
    if major != 1 || !(14..=16).contains(&minor) {
        return None;
    }
    archive.byte()?;
    archive.int_size = usize::from(archive.byte()?);
    let offset_size = usize::from(archive.byte()?);
    archive.byte()?;
    match minor {
        14 => drop(archive.int()?),
        _ => drop(archive.byte()?),
    }
    // The time of the dump.
    for _ in 0..7 {
        archive.int()?;
    }
    // The database, the version of the server, and that of pg_dump.
    for _ in 0..3 {
        archive.text()?;
    }
    let count = archive.int()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let id = archive.int()?;
        archive.int()?;
        let class = archive.text()?.parse().ok()?;
        let oid = archive.text()?.parse().ok()?;
        let tag = archive.text()?;
        let kind = archive.text()?;
        archive.int()?;
        let create = archive.text()?;
        let drop = archive.text()?;
        archive.text()?;
        let schema = archive.text()?;
        // The tablespace and the access method.
        archive.text()?;
        archive.text()?;
        if minor >= 16 {
            archive.int()?;
        }
        // The owner, and whether the table has OIDs.
        archive.text()?;
        archive.text()?;
        let mut deps = Vec::new();
        while let Some(dep) = archive.optional_text()? {
            deps.push(dep.parse().ok()?);
        }
        archive.take(1 + offset_size)?;
        if !SETTINGS.contains(&kind.as_str()) && !tag.starts_with("DATABASE ") {
            entries.push(Entry {
                id,
                kind,
                schema,
                tag,
                create: create.trim().to_owned(),
                drop: drop.trim().to_owned(),
                class,
                oid,
                deps,
            });
        }
    }
    Some(entries)
}

struct Archive<'a> {
    rest: &'a [u8],
    int_size: usize,
}

impl<'a> Archive<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A sign, and the bytes of the number from the lowest.
    fn int(&mut self) -> Option<i64> {
        let is_negative = self.byte()? != 0;
        let bytes = self.take(self.int_size)?;
        let number = bytes.iter().rev().try_fold(0_i64, |number, byte| {
            number.checked_mul(256)?.checked_add(i64::from(*byte))
        })?;
        Some(if is_negative { -number } else { number })
    }

    /// `Some(None)` is an absent text.
    fn optional_text(&mut self) -> Option<Option<String>> {
        let length = self.int()?;
        let Ok(length) = usize::try_from(length) else {
            return Some(None);
        };
        let bytes = self.take(length)?;
        Some(Some(String::from_utf8(bytes.to_vec()).ok()?))
    }

    fn text(&mut self) -> Option<String> {
        self.optional_text().map(Option::unwrap_or_default)
    }
}
