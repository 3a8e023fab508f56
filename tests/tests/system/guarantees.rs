use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below a folder, except build output.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_guarantee_names_existing_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in [
        "api", "auth", "cli", "client", "codegen", "config", "daemon", "programs", "server", "store",
        "tests", "worker",
    ] {
        sources(&root.join(folder), &mut files);
    }
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let names: BTreeSet<&str> =
        code.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next()).collect();
    for (page, least) in [("guarantees.md", 50), ("security.md", 60)] {
        let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
        let mut count = 0;
        for (promise, tests) in rows(&text) {
            let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
            assert!(!tests.is_empty(), "{page}: no test for: {promise}");
            for test in tests {
                assert!(names.contains(test), "{page}: {promise}: there is no test {test}");
                count += 1;
            }
        }
        assert!(count > least, "{page}: promises are missing");
    }
}

/// The rows of tables whose last column is headed `tests`, split before that column.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let mut is_about_tests = false;
    let mut rows = Vec::new();
    for line in page.lines() {
        let cells = line.trim_end_matches(" |").strip_prefix("| ").and_then(|cells| cells.rsplit_once(" | "));
        match cells {
            Some((_, "tests")) => is_about_tests = true,
            Some(row) if is_about_tests => rows.push(row),
            None if !line.starts_with('|') => is_about_tests = false,
            _ => {}
        }
    }
    rows
}
