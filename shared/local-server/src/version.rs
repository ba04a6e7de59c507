//! The version of server binaries.
//!
//! Responsible for: parsing the output of `postgres --version`. Not for: the version that a running
//! server reports over a connection.

use std::fmt;

/// Version of a set of server binaries, such as 15.18.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    major: u32,
    full: String,
}

impl Version {
    /// Reads the output of `postgres --version`, such as `postgres (PostgreSQL) 15.18 (Debian …)`.
    ///
    /// Development versions (`18beta1`, `19devel`) have a major number too.
    pub(super) fn parse(output: &str) -> Option<Self> {
        let full = output
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        let digits = full
            .split(|character: char| !character.is_ascii_digit())
            .next()?;
        Some(Self {
            major: digits.parse().ok()?,
            full: full.to_owned(),
        })
    }

    /// The major version, which decides which data folders these binaries can serve.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The whole version as PostgreSQL writes it, such as `15.18`.
    pub fn full(&self) -> &str {
        &self.full
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_released_and_development_versions() {
        let debian = Version::parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        let debian = debian.expect("a released version");
        assert_eq!((debian.major(), debian.full()), (15, "15.18"));
        let beta = Version::parse("postgres (PostgreSQL) 18beta1").expect("a beta version");
        assert_eq!((beta.major(), beta.full()), (18, "18beta1"));
    }

    #[test]
    fn rejects_other_output() {
        assert_eq!(Version::parse(""), None);
        assert_eq!(
            Version::parse("postgres: error while loading shared libraries"),
            None
        );
    }
}
