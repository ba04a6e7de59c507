//! The name of a migration file: `V<version>__<name>.sql`.

use std::fmt;

/// The longest name that refinery's history column (`varchar(255)`) can store.
const LONGEST_NAME: usize = 255;

/// A parsed migration file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The number after `V`: milliseconds since 1970 by convention, but any `int8` is valid.
    pub version: i64,
    /// The part between `__` and `.sql`.
    pub name: String,
}

impl FileName {
    /// Parses the last component of a path.
    ///
    /// Stricter than refinery, which silently skips names with a hyphen and panics at run time on `V1.5__x.sql`.
    pub fn parse(file_name: &str) -> Result<Self, FileNameProblem> {
        let stem = file_name
            .strip_suffix(".sql")
            .ok_or(FileNameProblem::NotSql)?;
        if stem.starts_with('U') {
            return Err(FileNameProblem::Unversioned);
        }
        let (version, name) = stem
            .strip_prefix('V')
            .and_then(|rest| rest.split_once("__"))
            .ok_or(FileNameProblem::Form)?;
        if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(FileNameProblem::Version);
        }
        let version = version
            .parse()
            .map_err(|_| FileNameProblem::VersionTooLarge)?;
        // Refinery does not accept numeric characters that are not digits (`²`, `½`) as part of a name.
        let belongs = |c: char| c.is_alphabetic() || c.is_ascii_digit() || c == '_';
        if let Some(stray) = name.chars().find(|c| !belongs(*c)) {
            return Err(FileNameProblem::Character(stray));
        }
        if name.is_empty() {
            return Err(FileNameProblem::Form);
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(FileNameProblem::TooLong);
        }
        Ok(Self {
            version,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "V{}__{}.sql", self.version, self.name)
    }
}

/// Why a migration file name is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileNameProblem {
    /// It does not end in `.sql`.
    NotSql,
    /// It does not have the form `V<version>__<name>.sql`.
    Form,
    /// The version is not a whole number.
    Version,
    /// The version does not fit `int8`.
    VersionTooLarge,
    /// The name contains a character that makes refinery skip the file.
    Character(char),
    /// The name is too long for the history table.
    TooLong,
    /// `U…`: unversioned migrations of refinery are not supported.
    Unversioned,
}

impl fmt::Display for FileNameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSql => write!(f, "only .sql files belong here; move it elsewhere"),
            Self::Form => write!(
                f,
                "name it V<version>__<name>.sql, as in V1753250000000__initial_schema.sql"
            ),
            Self::Version => write!(
                f,
                "the version between V and __ must be a whole number, as in V1753250000000__initial_schema.sql"
            ),
            Self::VersionTooLarge => write!(
                f,
                "the version is larger than {} (int8): use milliseconds since 1970",
                i64::MAX
            ),
            Self::Character(c) => {
                write!(f, "the name contains {c:?}: use only letters, digits and _")
            }
            Self::TooLong => write!(
                f,
                "the name is longer than {LONGEST_NAME} characters: shorten it"
            ),
            Self::Unversioned => write!(
                f,
                "U files are not supported (reverts/ contains the reverts, with the same names as their migrations): name it V<version>__<name>.sql"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FileName, FileNameProblem};

    #[test]
    fn a_well_formed_name_is_version_and_name() {
        let parsed = FileName::parse("V1753250000000__initial_schema.sql").unwrap();
        assert_eq!(parsed.version, 1_753_250_000_000);
        assert_eq!(parsed.name, "initial_schema");
        assert_eq!(parsed.to_string(), "V1753250000000__initial_schema.sql");
    }

    #[test]
    fn each_misnamed_file_reports_its_problem() {
        for (file, problem) in [
            ("V1__a-b.sql", FileNameProblem::Character('-')),
            ("V1__m².sql", FileNameProblem::Character('²')),
            ("V1.5__x.sql", FileNameProblem::Version),
            ("V__x.sql", FileNameProblem::Version),
            ("V1_x.sql", FileNameProblem::Form),
            ("V1__.sql", FileNameProblem::Form),
            ("v1__x.sql", FileNameProblem::Form),
            ("U1__x.sql", FileNameProblem::Unversioned),
            (
                "V20240101000000123456__x.sql",
                FileNameProblem::VersionTooLarge,
            ),
            ("V1__x.sql~", FileNameProblem::NotSql),
            ("V1__x.rs", FileNameProblem::NotSql),
        ] {
            assert_eq!(FileName::parse(file), Err(problem), "{file}");
        }
        let long = format!("V1__{}.sql", "x".repeat(256));
        assert_eq!(FileName::parse(&long), Err(FileNameProblem::TooLong));
    }
}
