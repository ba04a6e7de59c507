//! Pauses between attempts, and time limits.

use std::io;
use std::time::Duration;

/// Pauses that double up to a limit. The jitter of 50 % keeps those that were refused together from retrying together.
#[derive(Debug)]
pub struct Backoff {
    pause: Duration,
    longest: Duration,
}

impl Backoff {
    /// Starts with this pause.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            pause: first,
            longest,
        }
    }

    /// The pause before the next attempt.
    pub fn next_pause(&mut self) -> Duration {
        let jittered = self.pause.mul_f64(0.5 + fastrand::f64());
        self.pause = (self.pause * 2).min(self.longest);
        jittered
    }
}

/// Awaits work, within a time limit if there is one.
pub async fn within<T>(
    limit: impl Into<Option<Duration>>,
    work: impl Future<Output = T>,
) -> io::Result<T> {
    let Some(limit) = limit.into() else {
        return Ok(work.await);
    };
    tokio::time::timeout(limit, work).await.map_err(|_| {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {}", humantime::format_duration(limit)),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(300));
        let mut backoff = Backoff::new(first, longest);
        for pause in [first, first * 2, longest, longest] {
            let jittered = backoff.next_pause();
            assert!(
                jittered >= pause / 2 && jittered <= pause * 3 / 2,
                "{jittered:?}"
            );
        }
    }
}
