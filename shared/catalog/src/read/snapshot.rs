//! Reads a whole snapshot: sends the queries of all families at once and combines the answers.

use futures_util::future::join_all;
use tokio_postgres::{Client, Error};

use super::comments::{Annotations, COMMENTS, LABELS};
use super::family::Family;
use super::row::drafts;
use super::session::{Server, SnapshotTransaction};
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
/// Everything is read in a separate `REPEATABLE READ READ ONLY` transaction, so the client must not be in one. The
/// session's settings are unchanged afterwards, even after an error or if the future is dropped. What the session's
/// role may not see (a subscription's connection, an option of another role's user mapping) is omitted.
///
/// # Errors
/// The error of the server or the connection.
pub async fn read(client: &Client) -> Result<Snapshot, Error> {
    read_in(SnapshotTransaction::begin(client).await?).await
}

/// As [`read`], for a session that reads often: its queries stay prepared in the session, as planning them takes as long as
/// answering them.
///
/// # Errors
/// The error of the server or the connection.
pub async fn read_prepared(client: &Client) -> Result<Snapshot, Error> {
    read_in(SnapshotTransaction::begin_prepared(client).await?).await
}

async fn read_in(
    (transaction, server): (SnapshotTransaction<'_>, Server),
) -> Result<Snapshot, Error> {
    let families = families(&server);
    // The server processes them in this order: the first error causes those after it.
    let mut queries: Vec<&str> = vec![COMMENTS, LABELS];
    queries.extend(families.iter().map(|family| family.sql.as_str()));
    let answers: Vec<_> = join_all(queries.into_iter().map(|sql| transaction.query(sql))).await;
    let mut answers = answers
        .into_iter()
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter();
    transaction.finish().await?;

    let comments = Annotations::of(&answers.next().unwrap_or_default())?;
    let labels = Annotations::of(&answers.next().unwrap_or_default())?;
    let mut objects: Vec<Object> = Vec::new();
    for (family, answer) in families.iter().zip(answers) {
        let mut drafts = drafts(&answer, family)?;
        comments.attach(&mut drafts, "comment");
        labels.attach(&mut drafts, "security label");
        objects.extend(
            drafts
                .into_iter()
                .map(|draft| draft.object)
                .filter(is_significant),
        );
    }
    Ok(Snapshot::new(
        server.version,
        server.superuser,
        schemas::settled(sequences::folded(objects)),
    ))
}

/// The families that may have rows in this database. System objects can have privileges too.
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

/// Whether an object has anything to report. Columns of views and composite types are part of the definition, and
/// privileges matter only if they differ from the initial ones.
fn is_significant(object: &Object) -> bool {
    match object.kind {
        Kind::Column | Kind::Privileges | Kind::DefaultPrivileges => !object.attributes.is_empty(),
        _ => true,
    }
}
