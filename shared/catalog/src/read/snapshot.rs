//! The whole reading.
//!
//! Responsible for the list of families, for sending all queries at once and for putting the answers
//! together. Third floor.

use futures_util::future::join_all;
use tokio_postgres::{Client, Error};

use super::comments::{COMMENTS, LABELS, Sayings};
use super::family::Family;
use super::row::drafts;
use super::session::{Reading, Server};
use super::{
    collations, columns, constraints, default_privileges, foreign, functions, indexes, languages,
    large_objects, members, operators, policies, publications, schemas, sequences, statistics,
    subscriptions, tables, text_search, triggers, types, views,
};
use crate::kind::Kind;
use crate::object::Object;
use crate::snapshot::Snapshot;

/// Reads the schema of the database that the client is connected to.
///
/// Everything is read in one `REPEATABLE READ READ ONLY` transaction of its own, so the client must not be
/// inside of one; the session's settings are untouched afterwards, also after an error or when the future
/// is dropped. What the session's role may not see (a subscription's connection, an option of another
/// role's user mapping) is left out.
///
/// # Errors
/// What the server or the connection says.
pub async fn read(client: &Client) -> Result<Snapshot, Error> {
    let (reading, server) = Reading::begin(client).await?;
    let families = families(&server);
    // The server works through them in this order: the first error is the cause of those after it.
    let mut queries: Vec<&str> = vec![COMMENTS, LABELS];
    queries.extend(families.iter().map(|family| family.sql.as_str()));
    let answers: Vec<_> = join_all(queries.into_iter().map(|sql| reading.query(sql))).await;
    let mut answers = answers
        .into_iter()
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter();
    reading.finish().await?;

    let comments = Sayings::of(&answers.next().unwrap_or_default())?;
    let labels = Sayings::of(&answers.next().unwrap_or_default())?;
    let mut objects: Vec<Object> = Vec::new();
    for (family, answer) in families.iter().zip(answers) {
        let mut drafts = drafts(&answer, family)?;
        comments.attach(&mut drafts, "comment");
        labels.attach(&mut drafts, "security label");
        objects.extend(
            drafts
                .into_iter()
                .map(|draft| draft.object)
                .filter(says_something),
        );
    }
    Ok(Snapshot::new(
        server.version,
        server.superuser,
        schemas::settled(sequences::folded(objects)),
    ))
}

/// The families that may have members in this database. Privileges are also on what was there from the start.
fn families(server: &Server) -> Vec<Family> {
    let mut families = vec![schemas::schemas(server), schemas::extensions()];
    families.extend(tables::families());
    families.push(columns::columns(server));
    families.push(views::views());
    families.push(sequences::sequences());
    families.extend(constraints::families(server));
    families.push(indexes::indexes(server));
    families.extend(triggers::families());
    families.push(policies::policies());
    families.push(statistics::statistics());
    families.extend(types::families(server));
    families.extend(functions::families());
    families.extend(operators::families());
    families.extend(languages::families());
    families.extend(collations::families(server));
    families.extend(text_search::families());
    families.extend(foreign::families());
    families.extend(publications::families(server));
    families.push(subscriptions::subscriptions(server));
    families.push(default_privileges::default_privileges());
    families.push(large_objects::large_objects());
    families.retain(|family| server.may_have(family.catalog));
    families.extend(members::families());
    families
}

/// Columns of views and composite types are in the definition; only what is said about them is worth an
/// object. The same for privileges that are as they were at the start.
fn says_something(object: &Object) -> bool {
    match object.kind {
        Kind::Column | Kind::Privileges | Kind::DefaultPrivileges => !object.attributes.is_empty(),
        _ => true,
    }
}
