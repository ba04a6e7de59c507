//! `CREATE INDEX CONCURRENTLY` and `DROP INDEX CONCURRENTLY`.

use domain::commented;
use tokio_postgres::types::Type;

use super::before::Before;
use super::{CatalogCheck, Finding};
use crate::runner::fault::Fault;
use pg_sql::Name;

/// The index that a statement builds.
pub(super) struct Wanted<'a> {
    pub(super) name: Option<&'a Name>,
    pub(super) table: &'a Name,
    pub(super) if_not_exists: bool,
    pub(super) unique: bool,
    /// Everything after the name of the table.
    pub(super) definition: &'a str,
}

/// The catalog entry of an index.
#[derive(Debug)]
struct Index {
    oid: u32,
    name: String,
    qualified: String,
    valid: bool,
}

/// Finds what exists of an index that a statement builds.
pub(super) async fn created(
    catalog: &CatalogCheck<'_>,
    wanted: &Wanted<'_>,
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    let Some(table) = catalog.relation(wanted.table).await? else {
        return Ok(Finding::run_as_it_is());
    };
    let others = match earlier {
        Some(Before::CreateIndex { others, .. }) => Some(others.as_slice()),
        _ => None,
    };
    let mut all = catalog.indexes_of(table).await?;
    if suspects(&all, wanted, others).any(|index| !index.valid) {
        catalog.until_settled(&[table]).await?;
        all = catalog.indexes_of(table).await?;
    }
    let suspects: Vec<&Index> = suspects(&all, wanted, others).collect();
    if suspects.is_empty() && wanted.if_not_exists {
        refuse_invalid_elsewhere(catalog, wanted, table).await?;
    }
    let oids: Vec<u32> = suspects.iter().map(|index| index.oid).collect();
    let same = catalog.built_by(wanted, table, &oids).await?;
    let is_ours = |index: &Index| match &same {
        Some(same) => same.contains(&index.oid),
        // Compare by name, or take the only index that is new since the intent.
        None => others.is_some() && suspects.len() == 1,
    };
    let (ours, foreign): (Vec<&Index>, Vec<&Index>) =
        suspects.iter().partition(|index| is_ours(index));
    // An INVALID index has our name: IF NOT EXISTS would accept it as valid.
    if let (Some(_), Some(index)) = (wanted.name, foreign.iter().find(|index| !index.valid)) {
        return Err(not_ours(catalog, wanted.table, &index.qualified));
    }
    // If the server chose the name, a valid index beside an INVALID one belongs to another session.
    let finished = ours.iter().any(|index| index.valid) && ours.iter().all(|index| index.valid);
    if finished && others.is_some() {
        return Ok(Finding::Done(
            "the server finished the index after the run was interrupted".to_owned(),
        ));
    }
    let taken = wanted.name.is_some() && suspects.iter().any(|index| index.valid);
    let invalid: Vec<&Index> = ours.into_iter().filter(|index| !index.valid).collect();
    Ok(Finding::Run {
        first: invalid.iter().map(|index| drop(&index.qualified)).collect(),
        recovered: invalid.first().map(|index| {
            format!(
                "dropped the INVALID index {} of an earlier attempt and rebuilt it",
                index.qualified
            )
        }),
        before: (!taken).then(|| Before::CreateIndex {
            table,
            name: wanted.name.map(|name| name.name.clone()),
            others: all
                .iter()
                .filter(|index| invalid.iter().all(|gone| gone.oid != index.oid))
                .map(|index| index.oid)
                .collect(),
        }),
    })
}

/// The indexes that the statement may have built: the one with its name, or the new ones if the server chose the name.
fn suspects<'a>(
    all: &'a [Index],
    wanted: &Wanted<'_>,
    others: Option<&[u32]>,
) -> impl Iterator<Item = &'a Index> {
    all.iter().filter(move |index| match (wanted.name, others) {
        (Some(name), _) => index.name == name.name,
        (None, Some(others)) => !others.contains(&index.oid),
        (None, None) => false,
    })
}

/// `DROP INDEX CONCURRENTLY` of an index.
pub(super) fn drop(qualified: &str) -> String {
    format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}")
}

impl CatalogCheck<'_> {
    async fn indexes_of(&self, table: u32) -> Result<Vec<Index>, Fault> {
        let rows = self
            .ask(
                "SELECT c.oid, c.relname::text, pg_catalog.format('%I.%I', n.nspname, c.relname), i.indisvalid \
                 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
                   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE i.indrelid = $1 AND c.relkind = 'i' ORDER BY c.oid",
                &[(&table, Type::OID)],
            )
            .await?;
        Ok(rows
            .iter()
            .map(|row| Index {
                oid: row.get(0),
                name: row.get(1),
                qualified: row.get(2),
                valid: row.get(3),
            })
            .collect())
    }
}

/// Refuses an INVALID index of that name on another table of the schema: `IF NOT EXISTS` would skip the statement.
async fn refuse_invalid_elsewhere(
    catalog: &CatalogCheck<'_>,
    wanted: &Wanted<'_>,
    table: u32,
) -> Result<(), Fault> {
    let Some(name) = wanted.name else {
        return Ok(());
    };
    let rows = catalog
            .ask(
            "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class t \
               JOIN pg_catalog.pg_class c ON c.relnamespace = t.relnamespace AND c.relname = $2 AND c.relkind = 'i' \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND NOT i.indisvalid \
             WHERE t.oid = $1",
            &[(&table, Type::OID), (&name.name, Type::TEXT)],
        )
        .await?;
    match rows.first() {
        Some(row) => Err(not_ours(catalog, wanted.table, row.get(0))),
        None => Ok(()),
    }
}

fn not_ours(catalog: &CatalogCheck<'_>, table: &Name, index: &str) -> Fault {
    Fault::refused(
        format!(
            "the index {index} is INVALID and differs from the one that this statement builds on {table}: something else created it"
        ),
        commented(
            catalog.context.rerun_command,
            format!("find out what created it, then drop it: DROP INDEX CONCURRENTLY {index}"),
        ),
    )
}

/// Finds what exists of the indexes that a statement drops.
pub(super) async fn dropped(
    catalog: &CatalogCheck<'_>,
    names: &[Name],
    earlier: Option<&Before>,
) -> Result<Finding, Fault> {
    if let Some(Before::DropIndex { indexes }) = earlier
        && !indexes.is_empty()
    {
        let rows = catalog
            .ask(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_index WHERE indexrelid = ANY ($1))",
                &[(indexes, Type::OID_ARRAY)],
            )
            .await?;
        // By oid: the name may now refer to another index, further down the search_path.
        return Ok(if rows.first().is_some_and(|row| row.get(0)) {
            Finding::run(Before::DropIndex {
                indexes: indexes.clone(),
            })
        } else {
            Finding::Done("the server dropped the index after the run was interrupted".to_owned())
        });
    }
    let mut indexes = Vec::new();
    for name in names {
        indexes.extend(catalog.relation(name).await?);
    }
    Ok(Finding::run(Before::DropIndex { indexes }))
}
