//! The engine's settings.
//!
//! Defaults, units and limits. Applying them to a session happens elsewhere.

use std::time::Duration;

use super::{ConfigError, EngineLayer, Origin};

/// The maximum timeout in PostgreSQL: an `int` of milliseconds.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);

/// Timeouts and retries; the directives of a migration override some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// Lock timeout of a statement, after which its transaction rolls back; never zero.
    pub lock_timeout: Duration,
    /// Number of retries after a lock timeout.
    pub lock_retries: u32,
    /// Statement timeout; zero disables it.
    pub statement_timeout: Duration,
    /// Lock timeout of a CONCURRENTLY statement, which does not block other sessions; zero disables it.
    pub concurrently_timeout: Duration,
    /// Maximum wait for another run on the same database; zero does not wait.
    pub advisory_lock_wait: Duration,
    /// Connection timeout per host; zero disables it.
    pub connect_timeout: Duration,
    /// Time without an answer after which a second connection checks on the first; zero disables it.
    pub stall_timeout: Duration,
    /// Grace period after SIGTERM before the current statement is canceled; zero disables it.
    pub stop_grace: Duration,
    /// The outcome of a statement whose outcome cannot be determined; specified for a single run, never configured.
    pub unknown_outcome: Option<UnknownOutcome>,
}

/// The outcome of an interrupted statement that commits on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownOutcome {
    /// It completed: continue after it.
    Done,
    /// It did not complete, or it is repeatable: rerun it from the start.
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
            // Docker sends SIGKILL after 10 s.
            stop_grace: Duration::from_secs(8),
            unknown_outcome: None,
        }
    }
}

/// A source of settings, and the origin of each of its keys.
pub(super) type Source<'a> = (&'a EngineLayer, &'a dyn Fn(&str) -> Origin);

impl EngineSettings {
    /// Takes each setting from the first source that has it.
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
                expected: "0 or a duration with a unit, such as 500ms, 2s or 30min, up to 24 days",
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
                            expected: "a whole number; 0 disables retries",
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
        // With zero, a migration would queue for a lock indefinitely, and all live queries would queue behind it.
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

/// Parses a duration that PostgreSQL accepts: whole milliseconds within its range.
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
    fn the_first_source_wins_and_defaults_apply_otherwise() {
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
    fn units_are_required_and_limits_are_checked() {
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
    fn retries_must_be_a_number() {
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
