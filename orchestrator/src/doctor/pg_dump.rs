//! The `pg_dump` of this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use shared::postgres::local_server::Binaries;

/// A `pg_dump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PgDump {
    pub path: PathBuf,
    pub version: String,
    pub major: i32,
}

impl PgDump {
    /// The one that a backup would use: of the folder given, else beside the server binaries, else in `PATH`. Blocks.
    pub(super) fn find(folder: Option<&Path>) -> Option<Self> {
        let path = match folder {
            Some(folder) => folder.join("pg_dump"),
            None => Binaries::find(None)
                .ok()
                .and_then(|binaries| binaries.program("pg_dump"))
                .unwrap_or_else(|| PathBuf::from("pg_dump")),
        };
        let output = Command::new(&path)
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .ok()?;
        Self::parse(path, &String::from_utf8_lossy(&output.stdout))
    }

    /// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
    fn parse(path: PathBuf, text: &str) -> Option<Self> {
        let version = text.strip_prefix("pg_dump (PostgreSQL) ")?;
        let version = version.split_whitespace().next()?.to_owned();
        let digits = version.find(|c: char| !c.is_ascii_digit());
        let major = version[..digits.unwrap_or(version.len())].parse().ok()?;
        Some(Self {
            path,
            version,
            major,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_it_says() {
        let parse = |text: &str| PgDump::parse(PathBuf::from("pg_dump"), text);
        let found = parse("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(
            found.map(|it| (it.version, it.major)),
            Some(("15.18".to_owned(), 15))
        );
        assert_eq!(
            parse("pg_dump (PostgreSQL) 19beta1\n").map(|it| it.major),
            Some(19)
        );
        assert_eq!(parse("something else"), None);
    }
}
