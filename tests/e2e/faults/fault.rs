//! The faults, and how they strike at a point of a run.

use std::time::Duration;

use nix::sys::signal::Signal;
use tests::{Proxy, Reached, Running, Server, Side};

use super::truth;
use super::undisturbed::{Point, Undisturbed};
use super::world::{Direction, World, end, telling};

/// Shorter than the engine waits before it gives up a silent connection.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL of the orchestrator.
    Kill,
    /// The same, but what it had sent still reaches the server, which goes on alone.
    Orphan,
    /// `pg_terminate_backend` of the connection.
    Terminate,
    /// The connection is cut: neither end gets what was under way.
    Cut,
    /// All connections are cut, and no new one is let through.
    CutForGood,
    /// The server stops as in a failure of power, and is started again.
    Crash,
    /// Nothing passes on this connection for a while.
    Pause,
    /// Nothing passes on this connection any more.
    Stall,
    /// Nothing passes on any connection any more.
    StallAll,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Orphan => "orphan",
            Self::Terminate => "terminate",
            Self::Cut => "cut",
            Self::CutForGood => "cut-for-good",
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Stall => "stall",
            Self::StallAll => "stall-all",
        }
    }

    /// Whether it does anything else at this point than at others.
    pub(crate) fn matters_at(self, point: &Point) -> bool {
        match self {
            // A dead program does not know what it was not told: it is the same as before the next request.
            Self::Kill => point.side == Side::After || point.place.request == 0,
            // Once the server has answered there is nothing left to go on with.
            Self::Orphan => point.side == Side::Before,
            // There is no server process yet.
            Self::Terminate => point.side == Side::After || point.place.request > 0,
            _ => true,
        }
    }

    /// How many servers to work on at a time: more where most of the time is waited.
    pub(crate) fn workers(self) -> usize {
        match self {
            Self::Kill | Self::Orphan | Self::Terminate | Self::Cut | Self::Crash => 2,
            Self::Pause | Self::Stall => 4,
            Self::CutForGood | Self::StallAll => 6,
        }
    }

    /// How long a connection may be silent, and how long one may take to come about. Short only where it matters: on a busy
    /// machine an ordinary request may take a second, too.
    pub(crate) fn patience(self) -> [&'static str; 2] {
        match self {
            Self::Stall | Self::StallAll => ["1s", "1s"],
            _ => ["15s", "10s"],
        }
    }

    /// Runs a command with this fault `late` after a point, and holds what it said against what is. Gives whether the point was
    /// reached: of several jobs each may go another way each time.
    pub(crate) fn disturb(
        self,
        world: &World<'_>,
        undisturbed: &Undisturbed,
        (direction, point): (Direction, &Point),
        jobs: usize,
        late: Duration,
    ) -> Result<bool, String> {
        let proxy = Proxy::at(&world.server, &point.place, point.side);
        let [stall_timeout, connect_timeout] = self.patience();
        let orchestrator = world
            .orchestrator(jobs)
            .env("ORCHESTRATOR_SERVER_URL", &proxy.url("postgres"))
            .env("ORCHESTRATOR_STALL_TIMEOUT", stall_timeout)
            .env("ORCHESTRATOR_CONNECT_TIMEOUT", connect_timeout);
        let mut run = orchestrator.watch(direction.command());
        let reached = proxy.wait_until_reached(&mut run);
        if let Some(reached) = &reached {
            if !late.is_zero() {
                proxy.release();
                std::thread::sleep(late);
                proxy.hold();
            }
            self.strike(&world.server, &proxy, &run, reached);
        }
        let outcome = end(run)?;
        truth::check(world, direction, &outcome)?;
        if outcome.code == 0 {
            world
                .check(&undisturbed.looks[&direction], false)
                .map_err(|failure| format!("{failure}{}", telling(&outcome)))?;
        } else if self == Self::Pause {
            return Err(format!("a pause was no pause: {}", telling(&outcome)));
        }
        Ok(reached.is_some())
    }

    /// Strikes at a point that is held.
    pub(crate) fn strike(self, server: &Server, proxy: &Proxy, run: &Running, reached: &Reached) {
        match self {
            Self::Kill => {
                run.signal(Signal::SIGKILL);
                proxy.cut();
            }
            Self::Orphan => {
                run.signal(Signal::SIGKILL);
                proxy.release();
            }
            Self::Terminate => {
                // A database that does not exist has no server process.
                if let Some(pid) = reached.pid {
                    let ended = format!("SELECT pg_terminate_backend({pid}, 10000)");
                    server.query("postgres", &ended);
                }
                proxy.release();
            }
            Self::Cut => proxy.cut(),
            Self::CutForGood => proxy.cut_for_good(),
            Self::Crash => {
                let cluster = server.cluster();
                // What does not stop within half a minute loses its power all the same.
                if cluster.stop_immediate().is_err() {
                    cluster.kill().expect("the server stops");
                }
                cluster.start().expect("the server starts again");
                proxy.release();
            }
            Self::Pause => {
                std::thread::sleep(PAUSE);
                proxy.release();
            }
            Self::Stall => {}
            Self::StallAll => proxy.hold_all(),
        }
    }
}
