//! A server with the databases of some services: how they look undisturbed, and whether they look like that now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tests::{Outcome, Program, Running, Server, Services};

/// A run that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    Up,
    Down,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Up, Self::Down];

    /// The command that leads there.
    pub(crate) fn command(self) -> &'static [&'static str] {
        match self {
            Self::Up => &["all"],
            Self::Down => &["revert", "all", "--all"],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// How each database looks.
pub(crate) type Looks = BTreeMap<String, Look>;

/// How one database looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Catalog, rows, history, what is half-done, and what the journal has as applied and reverted, line by line.
    lines: Vec<String>,
    /// What pg_dump sees.
    contents: String,
}

/// Everything that a migration of these tests can change, and what the engine keeps of it: in one query, for it is asked
/// hundreds of times.
const LOOK: &str = "
CREATE FUNCTION pg_temp.look() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relname <> 'refinery_schema_history'
        AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'orchestrator') LOOP
    RETURN QUERY SELECT concat_ws(' ', 'table', t, relkind, pg_get_expr(relpartbound, oid)) FROM pg_class WHERE oid = t;
    RETURN QUERY SELECT concat_ws(' ', 'column', t, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
      FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      WHERE attrelid = t AND attnum > 0 AND NOT attisdropped;
    RETURN QUERY SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), 'valid', indisvalid, indisready)
      FROM pg_index WHERE indrelid = t;
    RETURN QUERY SELECT concat_ws(' ', 'constraint', t, conname, pg_get_constraintdef(oid), convalidated)
      FROM pg_constraint WHERE conrelid = t;
    RETURN QUERY SELECT concat_ws(' ', 'partition', inhrelid::regclass, 'of', t, 'pending', inhdetachpending)
      FROM pg_inherits WHERE inhparent = t;
    RETURN QUERY EXECUTE format('SELECT concat_ws('' '', ''row'', %L, x::text) FROM ONLY %s x', t, t);
  END LOOP;
  RETURN QUERY SELECT concat_ws(' ', 'label', enumtypid::regtype, enumlabel) FROM pg_enum;
  RETURN QUERY SELECT 'history ' || version FROM refinery_schema_history;
  RETURN QUERY SELECT concat_ws(' ', 'journal', outcome, version) FROM orchestrator.journal
    WHERE outcome NOT IN ('failed', 'cancelled', 'rolled_back');
  IF to_regclass('orchestrator.progress') IS NOT NULL THEN
    RETURN QUERY SELECT concat_ws(' ', 'progress', direction, version, statement, state) FROM orchestrator.progress;
  END IF;
END $$;
SELECT look FROM pg_temp.look() ORDER BY look";

/// A server on which the services go up and down.
pub(crate) struct World<'a> {
    pub(crate) server: Server,
    services: &'a Services,
    databases: &'a [String],
}

impl<'a> World<'a> {
    pub(crate) fn new(services: &'a Services, databases: &'a [String]) -> Self {
        Self {
            server: Server::start(),
            services,
            databases,
        }
    }

    /// The orchestrator, without anything between it and the server.
    pub(crate) fn orchestrator(&self, jobs: usize) -> Program {
        Program::orchestrator(&self.server)
            .services(self.services)
            .arg(&format!("--jobs={jobs}"))
            // Half of it into a step, another connection looks for what stands in the way, and the points would shift.
            .env("ORCHESTRATOR_LOCK_TIMEOUT", "60s")
    }

    /// Runs a command to its end, which must be good.
    pub(crate) fn complete(&self, direction: Direction) -> Result<(), String> {
        let outcome = end(self.orchestrator(1).watch(direction.command()))?;
        if outcome.code == 0 {
            Ok(())
        } else {
            Err(format!("running again: {}", telling(&outcome)))
        }
    }

    pub(crate) fn looks(&self) -> Looks {
        self.databases
            .iter()
            .map(|database| {
                let look = Look {
                    lines: self.lines(database),
                    contents: self.server.contents(database),
                };
                (database.clone(), look)
            })
            .collect()
    }

    fn lines(&self, database: &str) -> Vec<String> {
        let rows = self.server.query(database, LOOK);
        rows.into_iter().flatten().collect()
    }

    /// What a database's history has, which may not be there yet.
    pub(crate) fn history(&self, database: &str) -> Vec<i64> {
        self.server
            .try_query(
                database,
                "SELECT version FROM refinery_schema_history ORDER BY version",
            )
            .unwrap_or_default()
            .iter()
            .filter_map(|row| row[0].parse().ok())
            .collect()
    }

    /// How many statements of a migration are recorded as done.
    pub(crate) fn recorded(&self, database: &str, version: i64) -> u64 {
        let count = format!(
            "SELECT count(*) FROM orchestrator.progress WHERE version = {version} AND state = 'done'"
        );
        // There is no such table before the first file that needs it.
        let rows = self.server.try_query(database, &count).unwrap_or_default();
        rows.first()
            .and_then(|row| row[0].parse().ok())
            .unwrap_or_default()
    }

    /// Catalog, rows and history are those of an undisturbed run, nothing is half-done, and nothing was done twice.
    /// `dumped`: also pg_dump says so, which takes its time.
    pub(crate) fn check(&self, undisturbed: &Looks, dumped: bool) -> Result<(), String> {
        for (database, look) in undisturbed {
            let lines = self.lines(database);
            if lines != look.lines {
                return Err(difference(database, &look.lines, &lines));
            }
            if dumped {
                let contents = self.server.contents(database);
                if contents != look.contents {
                    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
                    return Err(difference(
                        database,
                        &lines(&look.contents),
                        &lines(&contents),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The chain of the journal is whole.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let outcome = self.orchestrator(1).run(&["history", "--verify"]);
        if outcome.code == 0 {
            Ok(())
        } else {
            Err(format!("history --verify: {}", telling(&outcome)))
        }
    }

    pub(crate) fn drop_databases(&self) {
        for database in self.databases {
            self.server.query(
                "postgres",
                &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"),
            );
        }
    }
}

/// The end of a run, which must come.
pub(crate) fn end(mut run: Running) -> Result<Outcome, String> {
    let deadline = Instant::now() + LONGEST;
    while !run.has_ended() {
        if Instant::now() > deadline {
            return Err(format!("it hangs: {:#?}", run.events()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(run.end())
}

/// All that a program said.
pub(crate) fn telling(outcome: &Outcome) -> String {
    format!(
        "exit code {}\n{}{}",
        outcome.code, outcome.stdout, outcome.stderr
    )
}

/// The lines in which a database differs.
fn difference(database: &str, expected: &[String], found: &[String]) -> String {
    let count = |lines: &[String], line: &String| lines.iter().filter(|one| *one == line).count();
    let only = |sign: char, one: &[String], other: &[String]| {
        one.iter()
            .filter(|line| count(one, line) != count(other, line))
            .map(|line| format!("{sign} {line}\n"))
            .collect::<String>()
    };
    format!(
        "{database} is not as after an undisturbed run:\n{}{}",
        only('-', expected, found),
        only('+', found, expected)
    )
}
