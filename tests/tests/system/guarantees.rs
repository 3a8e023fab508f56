use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every file of Rust below a folder, but not what was built.
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
fn every_promise_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in ["codegen", "config", "server", "store", "tests", "worker"] {
        sources(&root.join(folder), &mut files);
    }
    let code: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let names: BTreeSet<&str> =
        code.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next()).collect();
    let page = fs::read_to_string(root.join("docs/guarantees.md")).unwrap();
    let rows: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ")).collect();
    let mut count = 0;
    for (promise, tests) in rows.iter().filter(|(_, tests)| *tests != "tests |") {
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "no test for: {promise}");
        for test in tests {
            assert!(names.contains(test), "{promise}: there is no test {test}");
            count += 1;
        }
    }
    assert!(count > 50, "promises are missing");
}
