//! The reason why a run is asked to stop.

use schemars::JsonSchema;
use serde::Serialize;

/// The request that stops a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub enum StopCause {
    /// Ctrl-C.
    #[serde(rename = "SIGINT")]
    Interrupt,
    /// From a container runtime, an init system, or `kill`.
    #[serde(rename = "SIGTERM")]
    Terminate,
    /// The terminal was closed.
    #[serde(rename = "SIGHUP")]
    Hangup,
    /// The grace period after SIGTERM expired during the current step.
    #[serde(rename = "grace_over")]
    GraceOver,
}
