//! The origin of a setting, for messages: a flag, a variable or a key in a file.

use std::fmt;
use std::path::PathBuf;

/// The origin of a setting; `Display` reads well after "from".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A command-line flag.
    Flag(String),
    /// An environment variable, or several that belong together.
    Variables(Vec<String>),
    /// A key in a configuration file.
    File {
        /// The file's path.
        file: PathBuf,
        /// The full dotted key.
        key: String,
    },
    /// Derived: the server of another service's address.
    SameServer(Box<Origin>),
}

impl Origin {
    pub(super) fn variable(name: impl Into<String>) -> Self {
        Self::Variables(vec![name.into()])
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variables(names) => f.write_str(&names.join(", ")),
            Self::File { file, key } => write!(f, "`{key}` in {}", file.display()),
            Self::SameServer(origin) => write!(f, "{origin} (same server)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_well_in_a_message() {
        let file = Origin::File {
            file: "config/default.toml".into(),
            key: "server.url".to_owned(),
        };
        assert_eq!(file.to_string(), "`server.url` in config/default.toml");
        let same = Origin::SameServer(Box::new(Origin::variable("DATABASE_URL")));
        assert_eq!(same.to_string(), "DATABASE_URL (same server)");
    }
}
