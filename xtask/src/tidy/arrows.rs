//! Which crate may know which.

use serde_json::Value;

use super::Finding;
use crate::run::Result;

/// A crate of ours and the crates of ours that it may depend on.
struct Arrows {
    from: &'static str,
    /// At run time, and so in tests too.
    to: &'static [&'static str],
    /// In its tests only.
    dev: &'static [&'static str],
    /// In its build script only.
    build: &'static [&'static str],
}

const fn arrows(from: &'static str, to: &'static [&'static str]) -> Arrows {
    Arrows { from, to, dev: &[], build: &[] }
}

/// Every crate stands here; nothing depends on programs, `circles-cli`, `circles-tests`, `circles-bench` or `xtask`.
const ALLOWED: [Arrows; 22] = [
    arrows("circles-codegen", &[]),
    arrows("circles-differential", &[]),
    Arrows {
        dev: &["circles-differential"],
        build: &["circles-codegen"],
        ..arrows("circles-codegen-cases", &[])
    },
    Arrows { build: &["circles-codegen"], ..arrows("circles-api", &[]) },
    arrows("circles-auth", &["circles-api"]),
    // The conformance suite runs on every store there is.
    Arrows {
        dev: &["circles-store-embedded", "circles-store-redis", "circles-testing"],
        ..arrows("circles-store", &["circles-api"])
    },
    arrows("circles-store-embedded", &["circles-api", "circles-store"]),
    Arrows { dev: &["circles-testing"], ..arrows("circles-store-redis", &["circles-api", "circles-store"]) },
    arrows("circles-daemon", &[]),
    Arrows {
        dev: &["circles-api", "circles-store-embedded", "circles-testing"],
        ..arrows("circles-worker-lib", &["circles-auth", "circles-config", "circles-store"])
    },
    arrows("circles-config", &["circles-auth", "circles-store"]),
    // An example embeds a server, a store and workers.
    Arrows {
        dev: &["circles-store-embedded", "circles-worker-lib"],
        ..arrows("circles-server-lib", &["circles-api", "circles-auth", "circles-store"])
    },
    arrows(
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
    arrows("circles-server", &["circles-programs"]),
    arrows("circles-worker", &["circles-programs"]),
    arrows("circles-client", &["circles-api", "circles-auth"]),
    arrows("circles-cli", &["circles-client", "circles-auth", "circles-daemon"]),
    Arrows {
        dev: &["circles-codegen"],
        build: &["circles-codegen"],
        ..arrows(
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
    arrows("circles-bench", &[]),
    arrows("circles-testing", &["circles-api", "circles-store", "circles-store-embedded"]),
    Arrows { build: &["circles-codegen"], ..arrows("petstore", &[]) },
    arrows("xtask", &["circles-codegen"]),
];

/// A foreign crate that only one of ours may know, so that it can be replaced in one place.
const KEPT_APART: [(&str, &str); 2] = [("rhai", "circles-worker-lib"), ("fred", "circles-store-redis")];

/// Checks the dependencies that `cargo metadata --no-deps` lists.
pub fn between_crates(metadata: &str) -> Result<Vec<Finding>> {
    let metadata: Value =
        serde_json::from_str(metadata).map_err(|error| format!("cargo metadata: {error}"))?;
    let root = text(&metadata, "workspace_root");
    let mut findings = Vec::new();
    for package in list(&metadata, "packages") {
        let manifest = text(package, "manifest_path");
        let path = manifest.strip_prefix(root).unwrap_or(manifest).trim_start_matches('/');
        let problems = list(package, "dependencies")
            .iter()
            .filter_map(|dependency| problem(text(package, "name"), dependency))
            .chain(stranger(text(package, "name")));
        findings.extend(problems.map(|problem| Finding { path: path.to_owned(), line: 0, problem }));
    }
    Ok(findings)
}

fn problem(from: &str, dependency: &Value) -> Option<String> {
    let (to, kind) = (text(dependency, "name"), text(dependency, "kind"));
    if let Some((_, only)) = KEPT_APART.iter().find(|(name, only)| *name == to && *only != from) {
        return Some(format!("only {only} may depend on {to}; ask {only} instead"));
    }
    // Ours have a path.
    dependency.get("path").and_then(Value::as_str)?;
    let allowed = ALLOWED.iter().find(|arrows| arrows.from == from)?;
    let fine = match kind {
        "build" => allowed.build.contains(&to),
        // Tests of a crate may turn on features of its own.
        "dev" => to == from || allowed.dev.contains(&to) || allowed.to.contains(&to),
        _ => allowed.to.contains(&to),
    };
    let kind = if kind.is_empty() { String::new() } else { format!("({kind}) ") };
    let advice = "remove it, or argue for it in ARCHITECTURE.md and xtask/src/tidy/arrows.rs";
    (!fine).then(|| format!("the arrow {from} → {kind}{to} may not exist; {advice}"))
}

/// A crate that the table does not know.
fn stranger(package: &str) -> Option<String> {
    let known = ALLOWED.iter().any(|arrows| arrows.from == package);
    (!known)
        .then(|| format!("{package} is a new crate; say in xtask/src/tidy/arrows.rs what it may depend on"))
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

    /// The findings for one package with one dependency.
    fn check(from: &str, to: &str, kind: Option<&str>, ours: bool) -> Vec<String> {
        let path = ours.then_some("/checkout/to");
        let dependency = json!({ "name": to, "kind": kind, "path": path });
        let manifest = "/checkout/from/Cargo.toml";
        let package = json!({ "name": from, "manifest_path": manifest, "dependencies": [dependency] });
        let metadata = json!({ "workspace_root": "/checkout", "packages": [package] });
        between_crates(&metadata.to_string()).unwrap().iter().map(Finding::to_string).collect()
    }

    #[test]
    fn only_listed_arrows_exist() {
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
                findings[0].starts_with(&format!("from/Cargo.toml: the arrow {from} → ")),
                "{findings:?}"
            );
            assert!(findings[0].contains(to), "{findings:?}");
        }
    }

    #[test]
    fn restricted_crates_have_one_user() {
        assert_eq!(check("circles-worker-lib", "rhai", None, false).len(), 0);
        assert_eq!(check("circles-cli", "rhai", Some("dev"), false).len(), 1);
        assert_eq!(check("circles-server-lib", "fred", None, false).len(), 1);
        assert_eq!(check("circles-server-lib", "serde", None, false).len(), 0);
    }

    #[test]
    fn new_crate_must_declare_its_dependencies() {
        assert_eq!(check("circles-new", "serde", None, false).len(), 1);
    }
}
