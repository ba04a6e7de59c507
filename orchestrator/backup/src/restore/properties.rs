//! Applies the properties of a database that are not in a dump to the new database.

use pg_session::Client;
use pg_sql::{quote_identifier, quote_literal};
use tokio_postgres::Error;
use tokio_postgres::types::Type;

use crate::{DatabaseProperties, RoleSetting};

/// The tablespace of `template0`.
const DEFAULT_TABLESPACE: &str = "pg_default";

/// Settings whose value is a list of names; a single literal would be a single name. Source: PostgreSQL, `GUC_LIST_QUOTE`.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// The statement that creates an empty database with the properties that cannot be changed later.
pub(super) fn create(
    name: &str,
    properties: &DatabaseProperties,
    major: i32,
    tablespaces: &[String],
) -> String {
    let mut statement = format!(
        "CREATE DATABASE {} TEMPLATE template0 {}",
        quote_identifier(name),
        properties.creation_options(major)
    );
    // Omitted for the default tablespace: naming it would require a privilege on it.
    if properties.tablespace != DEFAULT_TABLESPACE && tablespaces.contains(&properties.tablespace) {
        let tablespace = quote_identifier(&properties.tablespace);
        statement.push_str(&format!(" TABLESPACE {tablespace}"));
    }
    statement
}

/// The tablespaces of a server.
pub(super) async fn tablespaces(client: &Client) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed("SELECT spcname::text FROM pg_catalog.pg_tablespace", &[])
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Applies the remaining properties to a database, all or none.
pub(super) async fn apply(
    client: &Client,
    name: &str,
    properties: &DatabaseProperties,
) -> Result<(), Error> {
    let database = quote_identifier(name);
    let mut statements = Vec::new();
    if !properties.owner.is_empty() {
        let owner = quote_identifier(&properties.owner);
        statements.push(format!("ALTER DATABASE {database} OWNER TO {owner}"));
    }
    if let Some(privileges) = &properties.privileges {
        statements.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"));
        let owner = quote_identifier(&properties.owner);
        statements.push(format!("REVOKE ALL ON DATABASE {database} FROM {owner}"));
        statements.extend(grants(client, &database, properties, privileges).await?);
    }
    if let Some(comment) = &properties.comment {
        let comment = quote_literal(comment);
        statements.push(format!("COMMENT ON DATABASE {database} IS {comment}"));
    }
    if properties.connection_limit >= 0 {
        let limit = properties.connection_limit;
        statements.push(format!(
            "ALTER DATABASE {database} CONNECTION LIMIT {limit}"
        ));
    }
    for setting in &properties.settings {
        let of = match &setting.role {
            Some(role) => format!("ROLE {} IN DATABASE {database}", quote_identifier(role)),
            None => format!("DATABASE {database}"),
        };
        let name = parameter(&setting.name);
        let value = value(setting);
        statements.push(format!("ALTER {of} SET {name} TO {value}"));
    }
    // Several statements in one simple-query message are one transaction.
    client.batch_execute(&statements.join("; ")).await
}

async fn grants(
    client: &Client,
    database: &str,
    properties: &DatabaseProperties,
    privileges: &[String],
) -> Result<Vec<String>, Error> {
    let rows = client
        .query_typed(
            // The server parses its own aclitem text. The owner's grants come first, because grantees may have passed them on.
            "SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, \
               a.privilege_type, a.is_grantable, pg_catalog.pg_get_userbyid(a.grantor)::text \
             FROM pg_catalog.aclexplode($1::text[]::aclitem[]) a \
             ORDER BY pg_catalog.pg_get_userbyid(a.grantor) <> $2, 4, 1, 2",
            &[(&privileges, Type::TEXT_ARRAY), (&properties.owner, Type::TEXT)],
        )
        .await?;
    let mut statements = Vec::new();
    for row in &rows {
        let (grantee, privilege): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (is_grantable, grantor): (bool, String) = (row.try_get(2)?, row.try_get(3)?);
        let option = if is_grantable {
            " WITH GRANT OPTION"
        } else {
            ""
        };
        let grant = format!("GRANT {privilege} ON DATABASE {database} TO {grantee}{option}");
        if grantor == properties.owner {
            statements.push(grant);
        } else {
            let grantor = quote_identifier(&grantor);
            statements.push(format!("SET LOCAL ROLE {grantor}; {grant}; RESET ROLE"));
        }
    }
    Ok(statements)
}

/// The quoted name of a setting, such as `work_mem` or `app.tenant`.
fn parameter(name: &str) -> String {
    name.split('.')
        .map(quote_identifier)
        .collect::<Vec<_>>()
        .join(".")
}

fn value(setting: &RoleSetting) -> String {
    if !LISTS.contains(&setting.name.to_lowercase().as_str()) {
        return quote_literal(&setting.value);
    }
    let names = names(&setting.value);
    if names.is_empty() {
        return quote_literal("");
    }
    names
        .iter()
        .map(|name| quote_literal(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Parses a list of names such as `"$user", public`.
fn names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let (mut quoted, mut was_quoted) = (false, false);
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                names.push((std::mem::take(&mut name), was_quoted));
                was_quoted = false;
            }
            character if character.is_whitespace() && !quoted => {}
            character => name.push(character),
        }
    }
    names.push((name, was_quoted));
    // A list can contain the empty name; an empty list contains no name.
    names
        .into_iter()
        .filter(|(name, was_quoted)| *was_quoted || !name.is_empty())
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> RoleSetting {
        RoleSetting {
            role: None,
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_list_of_names_stays_one() {
        let path = |list: &str| value(&setting("search_path", list));
        assert_eq!(path("\"$user\", public"), "'$user', 'public'");
        assert_eq!(path("\"a, b\",\"c\"\"d\""), "'a, b', 'c\"d'");
        assert_eq!(path(""), "''");
        assert_eq!(path("\"\""), "''");
        assert_eq!(value(&setting("DateStyle", "ISO, DMY")), "'ISO, DMY'");
        assert_eq!(
            value(&setting("app.words", "it's \\ here")),
            "E'it''s \\\\ here'"
        );
    }

    #[test]
    fn a_tablespace_is_named_where_it_is_there_and_not_the_default_one() {
        let create = |tablespace: &str| {
            let properties = DatabaseProperties {
                encoding: "UTF8".to_owned(),
                tablespace: tablespace.to_owned(),
                ..DatabaseProperties::default()
            };
            create(
                "x",
                &properties,
                14,
                &["fast".to_owned(), DEFAULT_TABLESPACE.to_owned()],
            )
        };
        assert!(create("fast").starts_with("CREATE DATABASE x TEMPLATE template0 ENCODING 'UTF8'"));
        assert!(create("fast").ends_with(" TABLESPACE fast"));
        for other in ["gone", DEFAULT_TABLESPACE] {
            assert!(!create(other).contains("TABLESPACE"), "{other}");
        }
    }
}
