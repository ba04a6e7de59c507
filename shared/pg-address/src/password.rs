//! Passwords and libpq's password file.
//!
//! Keeps passwords out of all output, and implements the rules of `~/.pgpass`.
//! Source: PostgreSQL documentation, "The Password File" (34.16), and `passwordFromFile` in libpq.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use service_layout::files;

use super::AddressError;

/// A password that `Debug` hides and that has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Wraps a password.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password in plain text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The lines of a password file.
#[derive(Debug, Clone)]
pub(super) struct PasswordFile {
    path: PathBuf,
    entries: Arc<[Entry]>,
}

/// One line: four patterns and the password.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    patterns: [String; 4],
    password: Password,
}

impl PasswordFile {
    /// Reads the file. Like libpq, treats a missing file as empty and ignores one that others can read, with a warning. Scripts
    /// specify `/dev/null` to disable it.
    pub(super) fn read(
        path: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, AddressError> {
        if path == Path::new("/dev/null") || !files::is_file(path)? {
            return Ok(None);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = |metadata: fs::Metadata| metadata.permissions().mode() & 0o077 != 0;
            if fs::metadata(path).is_ok_and(open) {
                warnings.push(format!(
                    "ignoring the password file {0}: it is readable by group or others; run `chmod 0600 {0}`",
                    path.display()
                ));
                return Ok(None);
            }
        }
        let entries = parse(&String::from_utf8_lossy(&files::read(path)?));
        Ok(Some(Self {
            path: path.to_owned(),
            entries: entries.into(),
        }))
    }

    /// The path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The password in the first line that matches.
    pub(super) fn password(
        &self,
        host: &str,
        port: u16,
        database: &str,
        user: &str,
    ) -> Option<&Password> {
        let port = port.to_string();
        let target = [host, &port, database, user];
        self.entries
            .iter()
            .find(|entry| {
                entry
                    .patterns
                    .iter()
                    .zip(target)
                    .all(|(pattern, value)| pattern == "*" || pattern == value)
            })
            .map(|entry| &entry.password)
    }
}

/// Parses `host:port:database:user:password` lines with `\:` and `\\`; skips lines with fewer fields, as libpq does.
fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = vec![String::new()];
            let mut characters = line.chars();
            while let Some(character) = characters.next() {
                let character = match character {
                    ':' if fields.len() < 5 => {
                        fields.push(String::new());
                        continue;
                    }
                    '\\' => characters.next().unwrap_or('\\'),
                    other => other,
                };
                if let Some(field) = fields.last_mut() {
                    field.push(character);
                }
            }
            let [host, port, database, user, password] = <[String; 5]>::try_from(fields).ok()?;
            Some(Entry {
                patterns: [host, port, database, user],
                password: Password(password),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> PasswordFile {
        PasswordFile {
            path: PathBuf::new(),
            entries: parse(text).into(),
        }
    }

    fn found(text: &str) -> Option<String> {
        file(text)
            .password("db.example.com", 5432, "soc_auth", "app")
            .map(|password| password.expose().to_owned())
    }

    #[test]
    fn the_first_matching_line_wins() {
        let text =
            "# comment\nother:*:*:*:no\n*:5433:*:*:no\n*:*:soc_auth:app:yes\n*:*:*:*:later\n";
        assert_eq!(found(text).as_deref(), Some("yes"));
    }

    #[test]
    fn no_line_matches() {
        assert_eq!(found("db.example.com:5432:soc_auth:root:x\n"), None);
        assert_eq!(found("db.example.com:5432:soc_auth\n"), None);
    }

    #[test]
    fn colons_and_backslashes_are_escaped() {
        assert_eq!(
            found("*:*:*:app:a\\:b\\\\c:d\n").as_deref(),
            Some("a:b\\c:d")
        );
        let ipv6 = file("\\:\\:1:*:*:*:x\n");
        assert!(ipv6.password("::1", 1, "d", "u").is_some());
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", file("*:*:*:*:secret\n")).contains("secret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_ignored_with_a_warning() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("password-file-{}", std::process::id()));
        fs::write(&path, "*:*:*:*:x\n").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets the mode");
        let mut warnings = Vec::new();
        let open = PasswordFile::read(&path, &mut warnings);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("sets the mode");
        let closed = PasswordFile::read(&path, &mut warnings);
        fs::remove_file(&path).expect("removes");
        assert!(open.expect("ignored").is_none());
        assert!(warnings[0].contains("chmod 0600"), "{warnings:?}");
        assert!(closed.expect("read").is_some());
        assert!(
            PasswordFile::read(&path, &mut warnings)
                .expect("missing is fine")
                .is_none()
        );
    }
}
