//! What is dangerous in how a Redis is set.

/// What is dangerous in what a Redis says of itself (`INFO`), a sentence each.
pub fn warnings(info: &str) -> Vec<String> {
    let said =
        |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let mut warnings = Vec::new();
    let is_bounded = said("maxmemory").is_some_and(|most| most != "0");
    if let Some(policy) = said("maxmemory_policy")
        && policy != "noeviction"
    {
        let when = if is_bounded { "when it is full" } else { "once it has a maxmemory" };
        warnings
            .push(format!("Redis throws data away {when}: set maxmemory-policy to noeviction, not {policy}"));
    }
    if said("aof_enabled") == Some("0") {
        warnings.push(
            "Redis keeps no append-only file: what it accepted is lost when it ends. Set appendonly to yes"
                .to_owned(),
        );
    }
    if said("aof_last_write_status").is_some_and(|status| status != "ok") {
        warnings.push(
            "Redis could not write its append-only file, and takes no writes: look at its disk".to_owned(),
        );
    }
    if said("role") == Some("slave") {
        warnings.push("Redis is a replica, which takes no writes: name its primary".to_owned());
    }
    if let Some(version) = said("redis_version")
        && is_before(version, [6, 2])
    {
        warnings.push(format!("Redis {version} is too old: 6.2 is the first that will do"));
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
    fn what_is_dangerous_is_said_and_what_is_sound_is_not() {
        let sound = "# Server\r\nredis_version:7.0.15\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n\
                     aof_enabled:1\r\naof_last_write_status:ok\r\nrole:master\r\n";
        assert_eq!(warnings(sound), Vec::<String>::new());
        for (from, to, part) in [
            ("policy:noeviction", "policy:allkeys-lru", "throws data away when it is full"),
            (
                "maxmemory:1000\r\nmaxmemory_policy:noeviction",
                "maxmemory:0\r\nmaxmemory_policy:volatile-ttl",
                "once it has",
            ),
            ("aof_enabled:1", "aof_enabled:0", "appendonly"),
            ("status:ok", "status:err", "look at its disk"),
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
