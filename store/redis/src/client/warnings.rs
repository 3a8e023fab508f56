//! Warnings about settings that put data at risk.

/// Returns a sentence for each dangerous setting in an answer to `INFO`.
pub(crate) fn warnings(info: &str) -> Vec<String> {
    let value =
        |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let mut warnings = Vec::new();
    let is_bounded = value("maxmemory").is_some_and(|bytes| bytes != "0");
    if let Some(policy) = value("maxmemory_policy")
        && policy != "noeviction"
    {
        let when = if is_bounded { "when it is full" } else { "once it has a maxmemory" };
        warnings.push(format!("Redis evicts data {when}: set maxmemory-policy to noeviction, not {policy}"));
    }
    if value("aof_enabled") == Some("0") {
        warnings.push(
            "Redis has no append-only file, so a restart loses accepted tasks: set appendonly to yes"
                .to_owned(),
        );
    }
    if value("aof_last_write_status").is_some_and(|status| status != "ok") {
        warnings
            .push("Redis failed to write its append-only file and refuses writes: check its disk".to_owned());
    }
    if value("role") == Some("slave") {
        warnings.push("Redis is a replica, which refuses writes: connect to its primary".to_owned());
    }
    if let Some(version) = value("redis_version")
        && is_before(version, [6, 2])
    {
        warnings.push(format!("Redis {version} is too old: upgrade to 6.2 or later"));
    }
    warnings
}

fn is_before(version: &str, first: [u32; 2]) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()] < first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dangerous_settings_are_warned_of_and_sound_ones_are_not() {
        let sound = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n\
                     aof_enabled:1\r\naof_last_write_status:ok\r\nrole:master\r\n";
        assert_eq!(warnings(sound), Vec::<String>::new());
        for (from, to, part) in [
            ("policy:noeviction", "policy:allkeys-lru", "evicts data when it is full"),
            (
                "maxmemory:1000\r\nmaxmemory_policy:noeviction",
                "maxmemory:0\r\nmaxmemory_policy:volatile-ttl",
                "once it has",
            ),
            ("aof_enabled:1", "aof_enabled:0", "appendonly"),
            ("status:ok", "status:err", "check its disk"),
            ("role:master", "role:slave", "replica"),
            ("7.0.15", "6.0.16", "6.2"),
        ] {
            let warnings = warnings(&sound.replace(from, to));
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(warnings[0].contains(part), "{warnings:?}");
        }
        assert!(is_before("5.9", [6, 2]) && !is_before("10.0", [6, 2]));
    }
}
