//! Random fleets with something applied and something pending, and whether all of them stand at the same side.

use std::collections::BTreeSet;

use fastrand::Rng;
use tests::{Program, Server, Services};

/// Services of which version 1 is applied and the others are pending.
pub(crate) struct Fleet {
    /// Version 1 of each.
    pub(crate) base: Services,
    /// All versions.
    pub(crate) full: Services,
    /// The services, in an order that the graph allows; their databases are `db_<name>`.
    pub(crate) names: Vec<String>,
    /// The newest version of each.
    pub(crate) newest: Vec<i64>,
}

/// Where all databases stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing that was pending is applied.
    Old,
    /// All of it is.
    New,
}

/// What a release may consist of. `#` is the version.
const KINDS: [&str; 7] = [
    "CREATE TABLE t_# (id int PRIMARY KEY, base int REFERENCES base); INSERT INTO t_# SELECT i, 1 FROM generate_series(1, 20) i;",
    "ALTER TABLE base ADD COLUMN c_# text NOT NULL DEFAULT 'x'; UPDATE base SET c_# = c_# || id;",
    "CREATE INDEX i_# ON base (id);",
    "CREATE TYPE e_# AS ENUM ('sad', 'ok'); CREATE TABLE m_# (m e_# DEFAULT 'ok'); INSERT INTO m_# DEFAULT VALUES;",
    "SET search_path = pg_catalog; CREATE TABLE public.w_# AS SELECT current_setting('search_path') AS path;",
    "CREATE TABLE d_# (id int PRIMARY KEY, up int REFERENCES d_# DEFERRABLE INITIALLY DEFERRED); INSERT INTO d_# VALUES (1, 2), (2, 1);",
    "-- nothing\n",
];

/// Ends a release, in one way or another.
const FAILURES: [&str; 4] = [
    "SELECT 1 / 0;",
    "ALTER TABLE nowhere ADD COLUMN a int;",
    "CREATE TABLE late (id int PRIMARY KEY, up int REFERENCES late DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1, 7);",
    "INSERT INTO base VALUES (1);",
];

impl Fleet {
    /// A fleet of so many services. `failing`: one migration somewhere cannot be applied.
    pub(crate) fn random(random: &mut Rng, services: usize, failing: bool) -> Self {
        let (base, full) = (Services::new(), Services::new());
        let mut names: Vec<String> = Vec::new();
        let mut newest: Vec<i64> = Vec::new();
        let unlucky = failing.then(|| random.usize(..services));
        for index in 0..services {
            let name = format!("s{}", index + 1);
            let last = random.i64(2..=4);
            let depends_on: BTreeSet<&str> = names
                .iter()
                .filter(|_| random.usize(..services) < 2)
                .map(String::as_str)
                .collect();
            let depends_on: Vec<&str> = depends_on.into_iter().collect();
            let folders = [&base, &full].map(|it| it.service(&name, &depends_on));
            for folder in &folders {
                let first = "CREATE TABLE base (id int PRIMARY KEY); INSERT INTO base VALUES (1)";
                folder.migration(1, "base", first);
            }
            let fails_at = (unlucky == Some(index)).then(|| random.i64(2..=last));
            for version in 2..=last {
                let required = (!depends_on.is_empty() && random.bool()).then(|| {
                    let other = random.usize(..depends_on.len());
                    let place = names.iter().position(|name| name == depends_on[other]);
                    let newest = place.map_or(1, |place| newest[place]);
                    let version = random.i64(1..=newest);
                    format!("-- migration: requires {}@{version}\n", depends_on[other])
                });
                let sql = if fails_at == Some(version) {
                    FAILURES[random.usize(..FAILURES.len())]
                } else {
                    KINDS[random.usize(..KINDS.len())]
                };
                let text = sql.replace('#', &version.to_string());
                let text = format!("{}{text}", required.unwrap_or_default());
                folders[1].migration(version, "pending", &text);
            }
            names.push(name);
            newest.push(last);
        }
        Self {
            base,
            full,
            names,
            newest,
        }
    }

    /// The orchestrator with what is pending.
    pub(crate) fn orchestrator(&self, server: &Server, jobs: usize) -> Program {
        Program::orchestrator(server)
            .services(&self.full)
            .arg(&format!("--jobs={jobs}"))
            // Half of it into a step, another connection looks for what stands in the way, and the points would shift.
            .env("ORCHESTRATOR_LOCK_TIMEOUT", "60s")
    }

    /// Applies version 1 everywhere.
    pub(crate) fn begin(&self, server: &Server) {
        Program::orchestrator(server)
            .services(&self.base)
            .expect(&["all"], 0);
    }

    /// Where all databases stand together; an error where they do not.
    pub(crate) fn side(&self, server: &Server) -> Result<Side, String> {
        let mut sides = BTreeSet::new();
        let mut runs = BTreeSet::new();
        let mut found = String::new();
        for (name, newest) in self.names.iter().zip(&self.newest) {
            let database = format!("db_{name}");
            let rows = server.query(
                &database,
                "SELECT string_agg(version::text, ',' ORDER BY version), \
                   (SELECT string_agg(DISTINCT run_id::text, ',') FROM orchestrator.journal \
                    WHERE outcome = 'applied' AND version > 1), \
                   (SELECT count(*) FROM orchestrator.journal WHERE outcome = 'applied') \
                 FROM refinery_schema_history",
            );
            let [versions, run, applied] = rows[0].as_slice() else {
                return Err(format!("{rows:?}"));
            };
            let all: Vec<String> = (1..=*newest).map(|version| version.to_string()).collect();
            found.push_str(&format!("{name}: {versions} by {run}\n"));
            sides.insert(match versions.as_str() {
                "1" => "old",
                versions if *versions == all.join(",") => "new",
                _ => "neither",
            });
            if versions.split(',').count().to_string() != *applied {
                return Err(format!("{name}: the journal has {applied} of {versions}"));
            }
            runs.insert(run.clone());
        }
        // What was applied was applied by one run, everywhere.
        if runs.len() > 1 {
            return Err(format!("torn apart:\n{found}"));
        }
        match sides.into_iter().collect::<Vec<_>>().as_slice() {
            ["old"] => Ok(Side::Old),
            ["new"] => Ok(Side::New),
            _ => Err(format!("torn apart:\n{found}")),
        }
    }

    pub(crate) fn databases(&self) -> impl Iterator<Item = String> {
        self.names.iter().map(|name| format!("db_{name}"))
    }
}

/// The transactions that are prepared anywhere on a server.
pub(crate) fn prepared(server: &Server) -> Vec<String> {
    let rows = server.query("postgres", "SELECT gid FROM pg_prepared_xacts");
    rows.into_iter().flatten().collect()
}
