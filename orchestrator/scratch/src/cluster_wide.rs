//! Statements that affect the whole server: replaying them on the live server would change it.

use domain::{Migration, Script};

use super::ScratchError;

/// The objects that belong to the whole server.
const SHARED: [&str; 5] = ["role", "user", "group", "database", "tablespace"];

/// Refuses files with a statement that changes the server itself. Statements that a `DO` block builds at run time are not
/// detected.
pub(super) fn refuse<'s>(
    scripts: impl IntoIterator<Item = &'s Script>,
) -> Result<(), ScratchError> {
    for script in scripts {
        // Planning refuses a file that cannot be split, and names the place.
        let statements = pg_sql::split(&script.text).unwrap_or_default();
        for statement in &statements {
            if let Some(words) = first_words(statement.text) {
                return Err(ScratchError::cluster_wide(
                    &script.path,
                    pg_sql::position_at(&script.text, statement.offset).line,
                    &words,
                ));
            }
        }
    }
    Ok(())
}

/// The roles that migrations create. Statements that a `DO` block builds at run time are not detected.
pub(super) fn created_roles(migrations: &[&Migration]) -> Vec<String> {
    migrations
        .iter()
        .flat_map(|migration| {
            let text = &migration.script.text;
            pg_sql::split(text).unwrap_or_default().into_iter()
        })
        .filter_map(|statement| created_role(statement.text))
        .collect()
}

fn created_role(statement: &str) -> Option<String> {
    const OF_ROLES: [&str; 3] = ["ROLE", "USER", "GROUP"];
    if !OF_ROLES.iter().any(|object| {
        first_words(statement).as_deref() == Some(format!("CREATE {object}").as_str())
    }) {
        return None;
    }
    let name = statement.split_whitespace().nth(2)?.trim_end_matches(';');
    Some(match name.strip_prefix('"') {
        Some(quoted) => quoted.trim_end_matches('"').replace("\"\"", "\""),
        None => name.to_lowercase(),
    })
}

/// The first words of a statement that affects the whole server.
fn first_words(statement: &str) -> Option<String> {
    let words: Vec<String> = statement
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .take(3)
        .map(str::to_ascii_lowercase)
        .collect();
    let verb = words.first()?;
    let object = words.get(1)?;
    let changes = ["create", "alter", "drop"].contains(&verb.as_str());
    let is_mapping = words.get(2).is_some_and(|word| word == "mapping");
    let is_cluster_wide = (changes && SHARED.contains(&object.as_str()) && !is_mapping)
        || (changes && object == "subscription")
        || (verb == "alter" && object == "system");
    is_cluster_wide.then(|| format!("{verb} {object}").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::{created_role, first_words};

    #[test]
    fn a_created_role_has_the_name_that_the_server_gives_it() {
        for (statement, role) in [
            ("CREATE ROLE Auditor NOLOGIN", Some("auditor")),
            ("create user \"App\"\"s\";", Some("App\"s")),
            ("CREATE GROUP\n  staff;", Some("staff")),
            ("CREATE USER MAPPING FOR app SERVER s", None),
            ("ALTER ROLE app NOLOGIN", None),
            ("CREATE DATABASE x", None),
        ] {
            assert_eq!(created_role(statement).as_deref(), role, "{statement}");
        }
    }

    #[test]
    fn cluster_wide_statements_are_detected() {
        for (statement, words) in [
            ("ALTER ROLE app SET search_path = soc", "ALTER ROLE"),
            ("create user x", "CREATE USER"),
            ("ALTER DATABASE soc_auth SET x = 1", "ALTER DATABASE"),
            ("ALTER SYSTEM SET x = 1", "ALTER SYSTEM"),
            ("DROP SUBSCRIPTION s", "DROP SUBSCRIPTION"),
        ] {
            assert_eq!(first_words(statement).as_deref(), Some(words));
        }
    }

    #[test]
    fn statements_about_the_database_are_not_cluster_wide() {
        for statement in [
            "CREATE USER MAPPING FOR app SERVER s",
            "ALTER TABLE role ADD x int",
            "CREATE TABLE \"user\" (id int)",
            "COMMENT ON ROLE x IS 'y'",
            "SELECT 1",
            "",
        ] {
            assert_eq!(first_words(statement), None, "{statement}");
        }
    }
}
