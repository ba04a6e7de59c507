//! Why a run is to stop.

use serde::Serialize;

/// What made a run stop, other than a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StopCause {
    /// Ctrl-C.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// From a container runtime, an init system, or `kill`.
    #[serde(rename = "SIGTERM")]
    Terminate,
    /// The terminal went away.
    #[serde(rename = "SIGHUP")]
    Hangup,
    /// The step at hand took longer than it was given after SIGTERM.
    #[serde(rename = "grace_over")]
    GraceOver,
}
