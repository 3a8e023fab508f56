use std::time::Duration;

/// Parses a duration of at most a year, such as `500ms`, `30s` or `24h`. An error names the expected form.
pub fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED_DURATION: &str = "expected a duration such as 500ms, 30s or 24h";
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be greater than zero".to_owned()),
        // Clocks and timers may overflow with longer ones.
        Ok(duration) if duration > Duration::from_secs(366 * 86_400) => {
            Err("must be at most a year".to_owned())
        }
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{EXPECTED_DURATION}: {error}")),
    }
}

/// Parses a duration that may be 0.
pub fn grace(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { duration(text) }
}
