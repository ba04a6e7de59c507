//! A server on which a release is disturbed, and what has to hold afterwards.

use serde_json::Value;
use tests::{Outcome, Proxy, Server, Side as Moment, wait_until};

use super::fleet::{Fleet, Side, prepared};
use crate::faults::fault::Fault;
use crate::faults::undisturbed::Point;
use crate::faults::world::{end, telling};

/// The command of a release.
pub(crate) const ATOMIC: [&str; 2] = ["all", "--atomic"];

/// How what is left is finished.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recovery {
    Run,
    Doctor,
    /// Two at the same time.
    Both,
}

/// A server on which a fleet stands at the old version again and again.
pub(crate) struct World<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) server: Server,
}

impl<'a> World<'a> {
    pub(crate) fn new(fleet: &'a Fleet) -> Self {
        let server = Server::start();
        fleet.begin(&server);
        for database in fleet.databases() {
            server.copy_database(&database, format!("base_{database}"));
        }
        Self { fleet, server }
    }

    pub(crate) fn reset(&self) {
        for database in self.fleet.databases() {
            let drop = format!("DROP DATABASE {database} WITH (FORCE)");
            self.server.query("postgres", &drop);
            self.server
                .copy_database(format!("base_{database}"), database);
        }
    }

    /// The points of a release that nothing disturbs.
    pub(crate) fn points(&self, jobs: usize) -> Vec<Point> {
        let proxy = Proxy::start(&self.server);
        self.fleet
            .orchestrator(&self.server, jobs)
            .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
            .expect(&ATOMIC, 0);
        let requests = proxy.requests().into_iter();
        let points = requests.flat_map(|request| {
            [Moment::Before, Moment::After].map(|side| Point {
                place: request.place.clone(),
                side,
                sql: request.sql.clone(),
            })
        });
        let points = points.collect();
        self.reset();
        points
    }

    /// A release with a fault at a point, and what comes after. Gives whether the point was reached.
    pub(crate) fn disturb(
        &self,
        fault: Fault,
        point: &Point,
        recovery: Recovery,
    ) -> Result<bool, String> {
        let proxy = Proxy::at(&self.server, &point.place, point.side);
        let [stall_timeout, connect_timeout] = fault.patience();
        let orchestrator = self
            .fleet
            .orchestrator(&self.server, 1)
            .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
            .env("ORCHESTRATOR_STALL_TIMEOUT", stall_timeout)
            .env("ORCHESTRATOR_CONNECT_TIMEOUT", connect_timeout);
        let mut run = orchestrator.watch(&ATOMIC);
        let reached = proxy.wait_until_reached(&mut run);
        if let Some(reached) = &reached {
            fault.strike(&self.server, &proxy, &run, reached);
        }
        let outcome = end(run)?;
        drop(proxy);
        self.is_true(&outcome)
            .map_err(|lie| format!("{lie}\n{}", telling(&outcome)))?;
        self.recover(recovery)
            .map_err(|failure| format!("{failure}\nafter {}", telling(&outcome)))?;
        Ok(reached.is_some())
    }

    /// What a run said that came to its end.
    fn is_true(&self, outcome: &Outcome) -> Result<(), String> {
        if outcome.stderr.contains("panicked") {
            return Err("it panicked".to_owned());
        }
        let killed = outcome.code == -1;
        if !killed && ![0, 1, 5].contains(&outcome.code) {
            return Err(format!("exit code {} does not fit", outcome.code));
        }
        let events: Vec<Value> = outcome
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        for event in &events {
            if event["event"] == "migration_applied" {
                let database = format!("db_{}", event["service"].as_str().unwrap_or_default());
                let version = event["version"].as_i64().unwrap_or_default();
                if !self.server.applied(&database).contains(&version) {
                    return Err(format!("{database}@{version} is not applied"));
                }
            }
        }
        let Some(last) = events.last().filter(|_| !killed) else {
            return Ok(());
        };
        if last["event"] != "run_finished" || last["exit_code"] != outcome.code {
            return Err("the last event is not this end of the run".to_owned());
        }
        if outcome.code == 0 {
            return match self.fleet.side(&self.server)? {
                Side::New => Ok(()),
                Side::Old => Err("it is not done".to_owned()),
            };
        }
        // It names what may still be prepared.
        let left = prepared(&self.server);
        let said = last["next"].to_string();
        if !left.is_empty() && !said.contains("doctor --fix") {
            return Err(format!("{left:?} is prepared, and nothing says so"));
        }
        Ok(())
    }

    fn recover(&self, recovery: Recovery) -> Result<(), String> {
        let (direct, jobs) = (&self.server, 4);
        let orchestrator = self.fleet.orchestrator(direct, jobs);
        match recovery {
            Recovery::Run => {}
            Recovery::Doctor => {
                self.wait_until_they_are_gone();
                orchestrator.run(&["doctor", "--fix", "--yes"]);
                self.settled()?;
            }
            Recovery::Both => {
                self.wait_until_they_are_gone();
                let doctors = [(); 2].map(|()| orchestrator.watch(&["doctor", "--fix", "--yes"]));
                for doctor in doctors {
                    end(doctor)?;
                }
                self.settled()?;
            }
        }
        let outcome = end(orchestrator.watch(&["all"]))?;
        if outcome.code != 0 {
            return Err(format!("running again: {}", telling(&outcome)));
        }
        match self.settled()? {
            Side::New => Ok(()),
            Side::Old => Err(format!("not done again: {}", telling(&outcome))),
        }?;
        let outcome = orchestrator.run(&["history", "--verify"]);
        if outcome.code == 0 {
            Ok(())
        } else {
            Err(format!("history --verify: {}", telling(&outcome)))
        }
    }

    /// A server process that goes on alone holds the lock for as long.
    pub(crate) fn wait_until_they_are_gone(&self) {
        wait_until("the sessions of the release end", || {
            let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'orchestrator %'";
            self.server.value("postgres", sessions) == "0"
        });
    }

    /// Together on one side, with nothing prepared.
    pub(crate) fn settled(&self) -> Result<Side, String> {
        let left = prepared(&self.server);
        if left.is_empty() {
            self.fleet.side(&self.server)
        } else {
            Err(format!("still prepared: {left:?}"))
        }
    }
}
