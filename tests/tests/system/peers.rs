//! Clients that share no code with this project.

use std::collections::BTreeSet;

use circles_tests::{World, peer_node_modules, peer_python, run};
use serde_json::{Value, json};
use tokio::process::Command;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
const TYPESCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../client/typescript");

/// Runs the TypeScript compiler on files.
async fn check_typescript(args: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> (i32, String) {
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/check_typescript.mjs")).args(args);
    let (code, stdout, stderr) = run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await;
    (code, format!("{stdout}{stderr}"))
}

#[tokio::test]
async fn python_program_logs_in_and_plays() {
    let world = World::builder().auth().start().await;
    let mut command = Command::new(peer_python());
    command.arg(format!("{PEERS}/play.py")).arg(world.circle_url(0)).arg("40 + 2");
    let (code, stdout, stderr) = run(&mut command).await;
    assert_eq!((code, stdout.trim()), (0, "42"), "{stderr}");
}

#[tokio::test]
async fn typescript_client_logs_in_plays_and_watches() {
    let world = World::builder().auth().start().await;
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/play_typescript.mjs"));
    command.arg(TYPESCRIPT).arg(world.circle_url(0)).arg("40 + 2");
    let (code, stdout, stderr) = run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await;
    assert_eq!((code, stdout.trim()), (0, "42\nseen"), "{stderr}");
}

#[tokio::test]
async fn typescript_of_other_documents_passes_strict_checks() {
    let codegen = concat!(env!("CARGO_MANIFEST_DIR"), "/../codegen");
    let goldens = std::fs::read_dir(format!("{codegen}/tests/golden")).unwrap();
    let mut documents = goldens.map(|entry| entry.unwrap().path().join("openrpc.json")).collect::<Vec<_>>();
    documents.push(format!("{codegen}/examples/petstore/petstore.json").into());
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    // A golden without a document uses openrpc.json; a refused document has no output.
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
    let (code, said) = check_typescript(files).await;
    assert_eq!(code, 0, "{said}");
}

/// Every word of a text that could be an identifier.
fn words(text: &str) -> BTreeSet<String> {
    let is_part = |sign: char| sign.is_ascii_alphanumeric() || sign == '_' || sign == '$';
    let words = text
        .split(|sign| !is_part(sign))
        .filter(|word| word.starts_with(|first: char| !first.is_ascii_digit()));
    words.map(str::to_owned).collect()
}

/// A document with a schema of each name, and a method that takes and returns it.
fn document_of(title: &str, names: &BTreeSet<String>) -> Value {
    let method = |name: String, schema: &str| {
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        let params = json!([{ "name": "value", "required": true, "schema": schema }]);
        json!({ "name": name, "params": params, "result": { "name": "r", "schema": schema } })
    };
    let member = json!({ "type": "array", "items": {} });
    let schema = json!({ "type": "object", "required": ["v"], "properties": { "v": member } });
    let schemas: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), schema.clone())).collect();
    let methods: Vec<_> = names.iter().map(|name| method(name.clone(), name)).collect();
    json!({
        "openrpc": "1.3.2", "info": { "title": title, "version": "1" },
        "methods": methods, "components": { "schemas": schemas }
    })
}

#[tokio::test]
async fn typescript_compiles_whatever_the_document_names() {
    let own = std::fs::read_to_string(format!("{TYPESCRIPT}/circles.ts")).unwrap();
    // Also tries names of the language that the generated text does not contain today.
    let more = "ReturnType Record Partial Awaited Iterator Symbol Function Number Infinity NaN undefined \
                any unknown never toString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable \
                toLocaleString toJSON prototype length name apply arguments eval await async get set \
                static readonly public private protected declare abstract override accessor delete new \
                super this constructor then catch finally send receive pending fail opened socket early \
                heard nextId timeoutMs Pending Client Wallet codes positions globalThis window self \
                __proto__ close connect";
    let mut names = words(&own);
    names.extend(words(more));
    assert!(["Promise", "Json", "call", "subscribe", "RpcError"].iter().all(|name| names.contains(*name)));
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    let mut write = |document: &Value| {
        let number = files.len();
        let path = directory.path().join(format!("{number}.json"));
        std::fs::write(&path, document.to_string()).unwrap();
        let generated = circles_codegen::generate_file(&path, &circles_codegen::Settings::default()).unwrap();
        let file = directory.path().join(format!("{number}.ts"));
        std::fs::write(&file, generated.typescript()).unwrap();
        files.push(file);
        generated.typescript().to_owned()
    };
    let all = write(&document_of("Circles", &names));
    // The document's names stay, and the generator's own change.
    for part in [
        "export interface RpcError {",
        "class $RpcError extends globalThis.Error",
        "async close(",
        "$close()",
    ] {
        assert!(all.contains(part), "{part}");
    }
    // Each type that the support code defines or uses, as the name of the client.
    let support =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../codegen/src/render/typescript/connection.ts"));
    let code: String = support.lines().filter(|line| !line.trim_start().starts_with(['/', '*'])).collect();
    let titles: BTreeSet<_> =
        words(&code).iter().map(|word| word.trim_start_matches('$').to_owned()).collect();
    assert!(["Promise", "Error", "Transport", "Json"].iter().all(|title| titles.contains(*title)));
    for title in titles.iter().filter(|title| title.starts_with(|first: char| first.is_ascii_uppercase())) {
        write(&document_of(title, &BTreeSet::from(["get".to_owned()])));
    }
    let (code, said) = check_typescript(files).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn typescript_client_takes_every_kind_of_socket() {
    let (code, said) = check_typescript(["--sockets".to_owned(), format!("{PEERS}/sockets.ts")]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn typescript_client_survives_bad_servers_and_lost_connections() {
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/connection_typescript.mjs")).arg(TYPESCRIPT);
    let (code, stdout, stderr) = run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await;
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[tokio::test]
async fn readme_shows_the_tested_programs() {
    let readme = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let program = |path: &str| {
        std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
            .trim()
            .to_owned()
    };
    for path in ["tests/peers/play.py", "client/examples/play.rs"] {
        assert!(readme.contains(&program(path)), "README.md shows another program than {path}");
    }
    let readme = program("client/typescript/README.md");
    assert!(
        readme.contains(&program("client/typescript/examples/play.ts")),
        "its README shows another program"
    );
}

async fn validate(file: &str) -> (i32, String, String) {
    let mut command = Command::new("node");
    command.arg(format!("{PEERS}/validate_document.mjs")).arg(file);
    run(command.env("CIRCLES_TEST_NODE_MODULES", peer_node_modules())).await
}

#[tokio::test]
async fn document_is_valid_by_official_meta_schema() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json");
    let (code, stdout, stderr) = validate(file).await;
    assert_eq!((code, stdout.trim()), (0, "valid"), "{stderr}");
}

#[tokio::test]
async fn meta_schema_check_refuses_broken_document() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("openrpc.json");
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openrpc.json")).unwrap();
    std::fs::write(&file, document.replacen("\"params\"", "\"parameters\"", 1)).unwrap();
    let (code, stdout, stderr) = validate(file.to_str().unwrap()).await;
    assert_eq!(code, 1, "{stdout}{stderr}");
}
