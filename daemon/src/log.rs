use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How to write logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What to log, as `RUST_LOG` says, or `default` where it is not set.
///
/// # Errors
///
/// Where nothing can be made of `RUST_LOG`; the sentence says what is expected.
pub fn log_filter(default: &str) -> Result<EnvFilter, String> {
    let named = crate::variable(EnvFilter::DEFAULT_ENV).map(|value| value.to_string_lossy().into_owned());
    filter(named.as_deref().unwrap_or(default))
        .map_err(|problem| format!("{}: {problem}", EnvFilter::DEFAULT_ENV))
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| {
        format!("expected levels, or targets with levels, such as info,circles_server=debug, found {text:?}: {error}")
    })
}

/// Sends logs to standard error. To be called once.
pub fn log_to_stderr(format: LogFormat) -> Result<(), String> {
    let logs = tracing_subscriber::fmt().with_env_filter(log_filter("info")?).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_filters_that_cannot_be_parsed_are_errors() {
        for text in ["info", "warn,circles_server=debug", "off", "circles_server[task]=trace"] {
            assert!(filter(text).is_ok(), "{text}");
        }
        for text in ["circles=verbose", "a=b=c", "circles[", "=="] {
            assert!(filter(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }
}
