use std::time::Duration;

/// Reads a time span, at most a year, such as `500ms`, `30s` or `24h`; an error says what is expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a duration such as 500ms, 30s or 24h";
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("expected more than no time at all".to_owned()),
        // A year: beyond it clocks and timers are not sure to add up.
        Ok(duration) if duration > Duration::from_secs(366 * 86_400) => {
            Err("expected at most a year".to_owned())
        }
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{EXPECTED}: {error}")),
    }
}

/// Reads a time span where 0 means: not at all.
pub fn grace(text: &str) -> Result<Duration, String> {
    if matches!(text, "0" | "0s") { Ok(Duration::ZERO) } else { duration(text) }
}
