//! The engine's settings.
//!
//! Responsible for: defaults, units and bounds. Not for: applying them to a session. Floor 1.

use std::time::Duration;

use super::{ConfigError, EngineLayer, Origin};

/// The longest time that PostgreSQL's timeouts can express: an `int` of milliseconds.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// How the engine waits; a migration's directives override some of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// How long a statement waits for a lock before its transaction rolls back; never zero.
    pub lock_timeout: Duration,
    /// How often a step is tried again after `lock_timeout`.
    pub lock_retries: u32,
    /// How long a statement may run; zero is without limit.
    pub statement_timeout: Duration,
    /// How long a CONCURRENTLY statement may wait, which blocks no one; zero is without limit.
    pub concurrently_timeout: Duration,
    /// How long to wait for another run on the same database; zero does not wait.
    pub advisory_lock_wait: Duration,
    /// How long to wait for a server to answer, for each host; zero is without limit.
    pub connect_timeout: Duration,
    /// After how long without an answer a connection is looked after from outside; zero is never.
    pub stall_timeout: Duration,
    /// After how long SIGTERM cancels the statement at hand; zero is never.
    pub stop_grace: Duration,
    /// What became of a statement of which that cannot be known; given for one run, never configured.
    pub unknown_outcome: Option<UnknownOutcome>,
}

/// What became of a statement that commits by itself and was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// It ran to its end: go on after it.
    Done,
    /// It did not, or may run twice: run it from its beginning.
    Again,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(2),
            lock_retries: 10,
            statement_timeout: Duration::ZERO,
            concurrently_timeout: Duration::from_secs(30 * 60),
            advisory_lock_wait: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            // Docker follows up with SIGKILL after 10 s.
            stop_grace: Duration::from_secs(8),
            unknown_outcome: None,
        }
    }
}

/// A source of settings and how it names a key.
pub(super) type Source<'a> = (&'a EngineLayer, &'a dyn Fn(&str) -> Origin);

impl EngineSettings {
    /// Takes each setting from the first of `sources` that has it.
    pub(super) fn resolve(sources: &[Source<'_>]) -> Result<Self, ConfigError> {
        let text = |key: &str| {
            sources.iter().find_map(|(layer, origin)| {
                layer
                    .value(key)
                    .map(|value| (value.to_owned(), origin(key)))
            })
        };
        let duration = |key: &str, default: Duration| match text(key) {
            Some((value, origin)) => parse_duration(&value).ok_or(ConfigError::InvalidValue {
                origin,
                value,
                expected: "0 or a time with its unit, such as 500ms, 2s or 30min, up to 24 days",
            }),
            None => Ok(default),
        };
        let default = Self::default();
        let settings = Self {
            lock_timeout: duration("lock_timeout", default.lock_timeout)?,
            lock_retries: match text("lock_retries") {
                Some((value, origin)) => {
                    value
                        .trim()
                        .parse()
                        .map_err(|_| ConfigError::InvalidValue {
                            origin,
                            value,
                            expected: "a whole number, 0 for no second try",
                        })?
                }
                None => default.lock_retries,
            },
            statement_timeout: duration("statement_timeout", default.statement_timeout)?,
            concurrently_timeout: duration("concurrently_timeout", default.concurrently_timeout)?,
            advisory_lock_wait: duration("advisory_lock_wait", default.advisory_lock_wait)?,
            connect_timeout: duration("connect_timeout", default.connect_timeout)?,
            stall_timeout: duration("stall_timeout", default.stall_timeout)?,
            stop_grace: duration("stop_grace", default.stop_grace)?,
            unknown_outcome: None,
        };
        // Zero would let a migration queue for a lock without end, and every live query behind it.
        if settings.lock_timeout.is_zero()
            && let Some((value, origin)) = text("lock_timeout")
        {
            return Err(ConfigError::InvalidValue {
                origin,
                value,
                expected: "at least 1ms: without a limit, live queries would queue behind a waiting migration",
            });
        }
        Ok(settings)
    }
}

/// A time as PostgreSQL takes it: whole milliseconds within its range.
fn parse_duration(text: &str) -> Option<Duration> {
    let duration = humantime::parse_duration(text.trim()).ok()?;
    let whole = duration.subsec_nanos() % 1_000_000 == 0;
    (whole && duration <= LONGEST).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(lock_timeout: Option<&str>) -> EngineLayer {
        EngineLayer {
            lock_timeout: lock_timeout.map(str::to_owned),
            ..EngineLayer::default()
        }
    }

    fn resolve(layers: &[EngineLayer]) -> Result<EngineSettings, ConfigError> {
        let origin = |key: &str| Origin::variable(key);
        let sources: Vec<Source<'_>> = layers
            .iter()
            .map(|layer| (layer, &origin as &dyn Fn(&str) -> Origin))
            .collect();
        EngineSettings::resolve(&sources)
    }

    #[test]
    fn the_first_source_wins_and_defaults_fill_the_rest() {
        let settings =
            resolve(&[layer(None), layer(Some("500ms")), layer(Some("9s"))]).expect("valid");
        assert_eq!(
            settings,
            EngineSettings {
                lock_timeout: Duration::from_millis(500),
                ..EngineSettings::default()
            }
        );
    }

    #[test]
    fn units_are_needed_and_bounds_hold() {
        assert_eq!(parse_duration("30min"), Some(Duration::from_secs(1800)));
        assert_eq!(parse_duration("0"), Some(Duration::ZERO));
        assert_eq!(parse_duration("1m 30s"), Some(Duration::from_secs(90)));
        for text in ["2", "", "-1s", "1us", "25d", "soon"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn an_unlimited_lock_timeout_is_refused() {
        let error = resolve(&[layer(Some("0"))]).expect_err("refused");
        assert!(
            error.to_string().starts_with("lock_timeout is \"0\""),
            "{error}"
        );
    }

    #[test]
    fn retries_are_a_number() {
        let layer = EngineLayer {
            lock_retries: Some("many".to_owned()),
            ..EngineLayer::default()
        };
        assert!(matches!(
            resolve(&[layer]),
            Err(ConfigError::InvalidValue { .. })
        ));
    }
}
