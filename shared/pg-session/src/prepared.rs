//! Prepared transactions of ours: their identifiers, and the statements of two-phase commit.
//!
//! Responsible for the statements in one database. Not for the decision, which is stored in the coordinator's database
//! (`release`), nor for their order (`dispatch`).

use std::fmt;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::Client;
use super::Session;
use domain::{Decision, HeldLock, ServiceName};

/// The prefix of our identifiers.
const PREFIX: &str = "orchestrator:";

/// PostgreSQL accepts only identifiers with fewer bytes.
const LONGEST: usize = 200;

/// The prepared transactions of this program in the session's database, as a condition on `pg_prepared_xact()`. The view
/// `pg_prepared_xacts` would query other catalogs.
const OURS: &str = "FROM pg_catalog.pg_prepared_xact() p WHERE pg_catalog.starts_with(p.gid, 'orchestrator:') \
    AND p.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())";

/// The kinds of relations whose locks can block other sessions.
const RELATIONS: &str = "('r', 'p', 'v', 'm', 'f', 'S')";

/// The identifier of the prepared transaction of one database in one release.
///
/// It names the service whose database stores the decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gid {
    /// The run of the release.
    pub run_id: Uuid,
    /// The number of the database within the release, from 1.
    pub number: usize,
    /// The service whose database stores the decision.
    pub coordinator: ServiceName,
}

impl Gid {
    /// Parses an identifier; `None` if it is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.splitn(3, ':');
        Some(Self {
            run_id: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
            coordinator: parts.next()?.parse().ok()?,
        })
    }

    /// Whether PostgreSQL accepts it: the name of a service may have any length.
    pub fn is_short_enough(&self) -> bool {
        self.to_string().len() < LONGEST
    }

    /// As an SQL literal. No part of it contains a quote or a backslash.
    fn literal(&self) -> String {
        format!("'{self}'")
    }
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}:{}:{}",
            self.run_id, self.number, self.coordinator
        )
    }
}

/// Whether a release is in doubt in the session's database, as an SQL expression.
pub(super) fn in_doubt() -> String {
    format!("EXISTS (SELECT {OURS})")
}

/// Whether a release is in doubt in the session's database now.
pub async fn is_in_doubt(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let rows = client
        .query_typed(&format!("SELECT {}", in_doubt()), &[])
        .await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// The releases that are in doubt in the session's database.
pub async fn read_in_doubt(client: &Client) -> Result<Vec<Gid>, tokio_postgres::Error> {
    let rows = client
        .query_typed(&format!("SELECT p.gid {OURS} ORDER BY p.prepared"), &[])
        .await?;
    let mut found = Vec::new();
    for row in &rows {
        found.extend(Gid::parse(row.try_get(0)?));
    }
    Ok(found)
}

/// Prepares the current transaction.
pub async fn prepare_transaction(client: &Client, gid: &Gid) -> Result<(), tokio_postgres::Error> {
    client
        .batch_execute(&format!("PREPARE TRANSACTION {}", gid.literal()))
        .await
}

/// Whether a transaction is prepared.
pub async fn is_prepared(client: &Client, gid: &Gid) -> Result<bool, tokio_postgres::Error> {
    Ok(read_in_doubt(client).await?.contains(gid))
}

/// Commits or rolls back a prepared transaction. `false`: it no longer existed, so another session had finished it.
pub async fn finish_prepared(
    client: &Client,
    gid: &Gid,
    decision: Decision,
) -> Result<bool, tokio_postgres::Error> {
    let verb = match decision {
        Decision::Commit => "COMMIT",
        Decision::Rollback => "ROLLBACK",
    };
    let finished = client
        .batch_execute(&format!("{verb} PREPARED {}", gid.literal()))
        .await;
    match finished {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The limit and the number of prepared transactions on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedSlots {
    /// `max_prepared_transactions`.
    pub most: usize,
    /// Prepared transactions of all databases and all programs.
    pub taken: usize,
}

/// Queries them.
pub async fn read_prepared_slots(client: &Client) -> Result<PreparedSlots, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT pg_catalog.current_setting('max_prepared_transactions')::int8, \
               (SELECT pg_catalog.count(*) FROM pg_catalog.pg_prepared_xact())",
            &[],
        )
        .await?;
    let number = |index| {
        let value = rows.first().map(|row| row.get::<_, i64>(index));
        usize::try_from(value.unwrap_or_default()).unwrap_or_default()
    };
    Ok(PreparedSlots {
        most: number(0),
        taken: number(1),
    })
}

/// The relations visible to other sessions, by oid: what this transaction creates is not visible yet.
#[derive(Clone, Debug, Default)]
pub struct KnownRelations {
    oids: Vec<u32>,
    names: Vec<String>,
}

/// Reads the existing relations, except ours.
pub async fn read_relations(
    session: &Session,
    history_tables: &[&str],
) -> Result<KnownRelations, tokio_postgres::Error> {
    let rows = session
        .client()
        .query_typed(
            &format!(
                "SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE c.relkind IN {RELATIONS} AND c.oid >= 16384 AND n.nspname <> 'orchestrator'"
            ),
            &[],
        )
        .await?;
    let ours: Vec<String> = history_tables
        .iter()
        .map(|table| session.qualified_history(table))
        .collect();
    let mut known = KnownRelations::default();
    for row in &rows {
        let name: String = row.try_get(1)?;
        if !ours.iter().any(|table| table.replace('"', "") == name) {
            known.oids.push(row.try_get(0)?);
            known.names.push(name);
        }
    }
    Ok(known)
}

/// The locks on those relations that this session's transaction holds.
pub async fn read_locks(
    client: &Client,
    known: &KnownRelations,
) -> Result<Vec<HeldLock>, tokio_postgres::Error> {
    let rows = client
        .query_typed(
            "SELECT DISTINCT l.relation, l.mode FROM pg_catalog.pg_locks l \
             WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted \
               AND l.relation = ANY ($1)",
            &[(&known.oids, Type::OID_ARRAY)],
        )
        .await?;
    let mut locks = Vec::new();
    for row in &rows {
        let oid: u32 = row.try_get(0)?;
        let name = known.oids.iter().position(|known| *known == oid);
        if let Some(relation) = name.and_then(|index| known.names.get(index)) {
            locks.push(HeldLock {
                relation: relation.clone(),
                mode: row.try_get(1)?,
            });
        }
    }
    locks.sort();
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gid(coordinator: &str) -> Gid {
        Gid {
            run_id: Uuid::from_u128(0x0198_3f2a_0000_7000_8000_0000_0000_0001),
            number: 12,
            coordinator: coordinator.parse().unwrap(),
        }
    }

    #[test]
    fn an_identifier_can_be_read_back() {
        let text = gid("policy-2").to_string();
        assert_eq!(
            text,
            "orchestrator:01983f2a-0000-7000-8000-000000000001:12:policy-2"
        );
        assert_eq!(Gid::parse(&text), Some(gid("policy-2")));
    }

    #[test]
    fn those_of_others_are_left_alone() {
        for text in [
            "",
            "transfer",
            "orchestrator:",
            "orchestrator:1:2:policy",
            "orchestrator:01983f2a-0000-7000-8000-000000000001:x:policy",
            "orchestrator:01983f2a-0000-7000-8000-000000000001:1:",
            "orchestrator:01983f2a-0000-7000-8000-000000000001:1:it's",
        ] {
            assert_eq!(Gid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_may_be_too_long() {
        assert!(gid(&"x".repeat(140)).is_short_enough());
        assert!(!gid(&"x".repeat(150)).is_short_enough());
    }
}
