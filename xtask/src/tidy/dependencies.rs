//! Dependencies between crates.
//!
//! Cargo refuses to use a crate that is not declared. These rules decide what may be declared.

use std::iter;

use serde_json::Value;

use super::Finding;
use crate::run::Result;

/// The workspace crates that a workspace crate may depend on.
struct Allowed {
    from: &'static str,
    /// Dependencies of the crate itself, and so of its tests too.
    to: &'static [&'static str],
    /// Dependencies of its tests only.
    dev: &'static [&'static str],
    /// Dependencies of its build script only.
    build: &'static [&'static str],
}

const fn allow(from: &'static str, to: &'static [&'static str]) -> Allowed {
    Allowed { from, to, dev: &[], build: &[] }
}

/// Every workspace crate. Nothing depends on programs, `circles-cli`, `circles-tests`, `circles-bench` or `xtask`.
const ALLOWED: [Allowed; 24] = [
    allow("circles-codegen", &[]),
    allow("circles-codegen-cli", &["circles-codegen"]),
    allow("circles-codegen-support", &[]),
    allow("circles-differential", &[]),
    Allowed {
        dev: &["circles-codegen-support", "circles-differential"],
        build: &["circles-codegen"],
        ..allow("circles-codegen-cases", &[])
    },
    Allowed {
        dev: &["circles-differential"],
        build: &["circles-codegen"],
        ..allow("circles-api", &["circles-codegen-support"])
    },
    allow("circles-auth", &["circles-api"]),
    // The conformance suite runs on every store there is.
    Allowed {
        dev: &["circles-store-embedded", "circles-store-redis", "circles-testing"],
        ..allow("circles-store", &["circles-api"])
    },
    allow("circles-store-embedded", &["circles-api", "circles-store"]),
    Allowed { dev: &["circles-testing"], ..allow("circles-store-redis", &["circles-api", "circles-store"]) },
    allow("circles-daemon", &[]),
    Allowed {
        dev: &["circles-api", "circles-store-embedded", "circles-testing"],
        ..allow("circles-worker-lib", &["circles-auth", "circles-config", "circles-store"])
    },
    allow("circles-config", &["circles-auth", "circles-store"]),
    // An example embeds a server, a store and workers.
    Allowed {
        dev: &["circles-store-embedded", "circles-worker-lib"],
        ..allow("circles-server-lib", &["circles-api", "circles-auth", "circles-store"])
    },
    allow(
        "circles-programs",
        &[
            "circles-auth",
            "circles-config",
            "circles-daemon",
            "circles-server-lib",
            "circles-store",
            "circles-store-embedded",
            "circles-store-redis",
            "circles-worker-lib",
        ],
    ),
    allow("circles-server", &["circles-programs"]),
    allow("circles-worker", &["circles-programs"]),
    allow("circles-client", &["circles-api", "circles-auth"]),
    allow("circles-cli", &["circles-client", "circles-auth", "circles-daemon"]),
    Allowed {
        dev: &["circles-codegen", "circles-codegen-support"],
        build: &["circles-codegen"],
        ..allow(
            "circles-tests",
            &[
                "circles-api",
                "circles-auth",
                "circles-client",
                // For its limit of open files.
                "circles-daemon",
                "circles-server-lib",
                "circles-store",
                "circles-store-embedded",
                "circles-store-redis",
                "circles-testing",
                "circles-worker-lib",
            ],
        )
    },
    allow("circles-bench", &["circles-testing"]),
    allow("circles-testing", &["circles-api", "circles-store", "circles-store-embedded"]),
    Allowed { build: &["circles-codegen"], ..allow("petstore", &["circles-codegen-support"]) },
    allow("xtask", &[]),
];

/// Crates that only some crates may depend on, from lines such as
/// `{ crate = "rhai", wrappers = ["circles-worker-lib"] }` in `deny.toml`. cargo-deny checks the same lines, if it is
/// installed.
fn restricted(deny: &str) -> Vec<(&str, Vec<&str>)> {
    let crates = deny.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("{ crate = \"")?.split_once('"')?;
        let (_, users) = rest.split_once("wrappers = [")?;
        let users = users.split(']').next()?.split(',').map(|user| user.trim().trim_matches('"'));
        Some((name, users.collect()))
    });
    crates.collect()
}

/// Checks the dependencies that `cargo metadata --no-deps` lists, by the table above and by `deny.toml`.
pub(super) fn between_crates(metadata: &str, deny: &str) -> Result<Vec<Finding>> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let root = text(&metadata, "workspace_root");
    let restricted = restricted(deny);
    let mut findings = Vec::new();
    for package in list(&metadata, "packages") {
        let manifest = text(package, "manifest_path");
        let path = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
        let name = text(package, "name");
        let problems = list(package, "dependencies")
            .iter()
            .filter_map(|dependency| problem(name, dependency, &restricted))
            .chain(unknown(name));
        findings.extend(problems.map(|problem| Finding { path: path.to_owned(), line: 0, problem }));
    }
    Ok(findings)
}

fn problem(from: &str, dependency: &Value, restricted: &[(&str, Vec<&str>)]) -> Option<String> {
    let (to, kind) = (text(dependency, "name"), text(dependency, "kind"));
    if let Some((_, users)) = restricted.iter().find(|(name, users)| *name == to && !users.contains(&from)) {
        return Some(format!("only {} may depend on {to} (deny.toml)", users.join(", ")));
    }
    // Workspace crates have a path.
    dependency.get("path").and_then(Value::as_str)?;
    let allowed = ALLOWED.iter().find(|allowed| allowed.from == from)?;
    let is_allowed = match kind {
        "build" => allowed.build.contains(&to),
        // Tests of a crate may enable features of the crate itself.
        "dev" => to == from || allowed.dev.contains(&to) || allowed.to.contains(&to),
        _ => allowed.to.contains(&to),
    };
    let kind = if kind.is_empty() { String::new() } else { format!("({kind}) ") };
    let advice = "remove it, or argue for it in ARCHITECTURE.md and xtask/src/tidy/dependencies.rs";
    (!is_allowed).then(|| format!("the dependency {from} → {kind}{to} is not allowed; {advice}"))
}

/// The problem of a crate that is not in the table.
fn unknown(package: &str) -> Option<String> {
    let is_known = ALLOWED.iter().any(|allowed| allowed.from == package);
    (!is_known)
        .then(|| format!("{package} is a new crate; list its dependencies in xtask/src/tidy/dependencies.rs"))
}

/// Finds entries of the table that no manifest needs any more.
pub(super) fn unused(metadata: &str) -> Result<Vec<Finding>> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = list(&metadata, "packages");
    let is_used = |from: &str, to: &str| {
        let package = packages.iter().find(|package| text(package, "name") == from);
        package.is_some_and(|package| {
            list(package, "dependencies").iter().any(|dependency| text(dependency, "name") == to)
        })
    };
    let entries = ALLOWED.iter().flat_map(|allowed| {
        let to = [allowed.to, allowed.dev, allowed.build].concat();
        iter::repeat(allowed.from).zip(to)
    });
    let unused = entries.filter(|(from, to)| !is_used(from, to)).map(|(from, to)| Finding {
        path: "xtask/src/tidy/dependencies.rs".to_owned(),
        line: 0,
        problem: format!("{from} does not depend on {to}; remove the entry"),
    });
    Ok(unused.collect())
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"
deny = [
    { crate = "openssl", reason = "TLS is rustls" },
    { crate = "rhai", wrappers = ["circles-worker-lib"], reason = "only the worker knows Rhai" },
    { crate = "fred", wrappers = ["circles-store-redis", "circles-bench"] },
]
"#;

    fn metadata(from: &str, to: &str, kind: Option<&str>, path: Option<&str>) -> String {
        let dependency = json!({ "name": to, "kind": kind, "path": path });
        let manifest = "/checkout/from/Cargo.toml";
        let package = json!({ "name": from, "manifest_path": manifest, "dependencies": [dependency] });
        json!({ "workspace_root": "/checkout", "packages": [package] }).to_string()
    }

    /// The findings for one package with one dependency.
    fn check(from: &str, to: &str, kind: Option<&str>, ours: bool) -> Vec<String> {
        let metadata = metadata(from, to, kind, ours.then_some("/checkout/to"));
        between_crates(&metadata, DENY).unwrap().iter().map(Finding::to_string).collect()
    }

    #[test]
    fn only_listed_dependencies_are_allowed() {
        for (from, to, kind) in [
            ("circles-api", "circles-codegen", Some("build")),
            ("circles-worker-lib", "circles-api", Some("dev")),
            ("circles-cli", "circles-client", None),
            ("circles-auth", "circles-api", Some("dev")),
            ("circles-api", "circles-api", Some("dev")),
        ] {
            assert_eq!(check(from, to, kind, true), [""; 0], "{from} {to}");
        }
        for (from, to, kind) in [
            ("circles-api", "circles-codegen", None),
            ("circles-worker-lib", "circles-api", None),
            ("circles-cli", "circles-api", None),
            ("circles-codegen", "circles-api", Some("dev")),
            ("circles-store", "circles-worker-lib", None),
            ("circles-server-lib", "circles-store-redis", None),
            ("circles-tests", "circles-cli", None),
        ] {
            let findings = check(from, to, kind, true);
            assert_eq!(findings.len(), 1, "{from} {to}");
            assert!(
                findings[0].starts_with(&format!("from/Cargo.toml: the dependency {from} → ")),
                "{findings:?}"
            );
            assert!(findings[0].contains(to), "{findings:?}");
        }
    }

    #[test]
    fn restricted_crates_have_only_listed_users() {
        assert_eq!(check("circles-worker-lib", "rhai", None, false).len(), 0);
        assert_eq!(check("circles-cli", "rhai", Some("dev"), false).len(), 1);
        assert_eq!(check("circles-server-lib", "fred", None, false).len(), 1);
        assert_eq!(check("circles-bench", "fred", None, false).len(), 0);
        assert_eq!(check("circles-server-lib", "serde", None, false).len(), 0);
    }

    #[test]
    fn unused_entries_are_found() {
        let metadata = metadata("circles-auth", "circles-api", None, Some("/checkout/to"));
        let unused: Vec<_> = unused(&metadata).unwrap().iter().map(Finding::to_string).collect();
        assert!(!unused.iter().any(|unused| unused.contains("circles-auth does")), "{unused:?}");
        assert!(unused.iter().any(|unused| unused.contains("circles-client does")), "{unused:?}");
    }

    #[test]
    fn new_crate_must_declare_its_dependencies() {
        assert_eq!(check("circles-new", "serde", None, false).len(), 1);
    }
}
