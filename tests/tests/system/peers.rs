//! Programs that share no code with this project.

use circles_tests::{World, peer_node_modules, peer_python, run};
use tokio::process::Command;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

#[tokio::test]
async fn a_python_program_logs_in_and_plays() {
    let world = World::builder().auth().start().await;
    let mut command = Command::new(peer_python());
    command.arg(format!("{PEERS}/play.py")).arg(world.circle_url(0)).arg("40 + 2");
    let (code, stdout, stderr) = run(&mut command).await;
    assert_eq!((code, stdout.trim()), (0, "42"), "{stderr}");
}

#[tokio::test]
async fn the_generated_typescript_client_logs_in_plays_and_watches() {
    let world = World::builder().auth().start().await;
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/play_typescript.mjs"));
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../client/typescript/circles.ts"));
    command.arg(world.circle_url(0)).arg("40 + 2");
    let (code, stdout, stderr) = run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await;
    assert_eq!((code, stdout.trim()), (0, "42\nseen"), "{stderr}");
}

#[tokio::test]
async fn what_other_documents_become_in_typescript_passes_its_strict_checks_too() {
    let codegen = concat!(env!("CARGO_MANIFEST_DIR"), "/../codegen");
    let goldens = std::fs::read_dir(format!("{codegen}/tests/golden")).unwrap();
    let mut documents = goldens.map(|entry| entry.unwrap().path().join("openrpc.json")).collect::<Vec<_>>();
    documents.push(format!("{codegen}/examples/petstore/petstore.json").into());
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    // A golden without a document takes ours, one that is refused becomes nothing.
    for document in documents.iter().filter(|path| path.exists()) {
        let Ok(generated) = circles_codegen::generate_file(document, &circles_codegen::Settings::default())
        else {
            continue;
        };
        let file = directory.path().join(format!("{}.ts", files.len()));
        std::fs::write(&file, generated.typescript()).unwrap();
        files.push(file);
    }
    assert!(files.len() > 5, "{files:?}");
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/check_typescript.mjs")).args(files);
    let (code, stdout, stderr) = run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[tokio::test]
async fn the_readme_shows_the_programs_that_are_built_and_tested() {
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    for path in ["tests/peers/play.py", "client/examples/play.rs"] {
        let program = std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(readme.contains(program.trim()), "README.md shows another program than {path}");
    }
}

async fn validate(file: &str) -> (i32, String, String) {
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/validate_document.mjs")).arg(file);
    run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await
}

#[tokio::test]
async fn the_document_is_valid_by_the_official_meta_schema() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json");
    let (code, stdout, stderr) = validate(file).await;
    assert_eq!((code, stdout.trim()), (0, "valid"), "{stderr}");
}

#[tokio::test]
async fn a_broken_document_is_told_from_a_valid_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("openrpc.json");
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")).unwrap();
    std::fs::write(&file, document.replacen("\"params\"", "\"parameters\"", 1)).unwrap();
    let (code, stdout, stderr) = validate(file.to_str().unwrap()).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
}
