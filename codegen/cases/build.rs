//! Turns each of `documents/` into modules below `$OUT_DIR`, and lists them in `$OUT_DIR/documents.rs`.

use std::{env, fmt::Write as _, fs, path::Path};

use circles_codegen::{Settings, generate_file};

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=documents");
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set; cargo sets it for build scripts")?;
    let out = Path::new(&out);
    let problem = |error: std::io::Error| error.to_string();
    let entries =
        fs::read_dir("documents").map_err(problem)?.collect::<Result<Vec<_>, _>>().map_err(problem)?;
    let mut paths = entries.into_iter().map(|entry| entry.path()).collect::<Vec<_>>();
    paths.sort();
    let (mut modules, mut names) = (String::new(), String::new());
    for path in paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let generated = generate_file(&path, &Settings::default())
            .map_err(|error| format!("cannot generate from {}:\n{error}", path.display()))?;
        let folder = out.join(&name);
        fs::create_dir_all(&folder).map_err(problem)?;
        for (file, text) in [
            ("api.rs", generated.rust()),
            ("probes.rs", generated.probes()),
            ("examples.rs", generated.tests()),
        ] {
            fs::write(folder.join(file), text).map_err(problem)?;
        }
        let include = |file: &str| format!("include!(concat!(env!(\"OUT_DIR\"), \"/{name}/{file}\"));");
        let (api, probes, examples) = (include("api.rs"), include("probes.rs"), include("examples.rs"));
        let _ = write!(
            modules,
            "#[deny(warnings)]\n\
             #[allow(dead_code, unreachable_pub, unused_qualifications, reason = \"few tests need all of it\")]\n\
             pub mod {name} {{\n{api}\npub mod probes {{\n{probes}\n}}\nmod examples {{\n{examples}\n}}\n}}\n"
        );
        let _ = write!(names, "(\"{name}\", &{name}::probes::DOCUMENT),");
    }
    let list =
        format!("{modules}\npub const ALL: &[(&str, &::circles_differential::Document)] = &[{names}];\n");
    fs::write(out.join("documents.rs"), list).map_err(problem)
}
