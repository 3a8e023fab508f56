use std::io::{Read as _, Write as _};

use jsonrpsee::{RpcModule, server::Server, types::ErrorObjectOwned};
use serde::Serialize;

use crate::Result;

/// As long as the answer of `whoami`.
#[derive(Clone, Serialize)]
struct Identity {
    circle: String,
    caller: String,
    authenticated: bool,
    expires_at: Option<u64>,
}

/// Serves `whoami` with jsonrpsee's own server and prints the address.
pub(crate) fn serve() -> Result {
    let runtime =
        tokio::runtime::Runtime::new().map_err(|error| format!("cannot start the async runtime: {error}"))?;
    let _context = runtime.enter();
    let server = Server::builder().build("127.0.0.1:0");
    let server =
        runtime.block_on(server).map_err(|error| format!("cannot listen on a free port: {error}"))?;
    let address = server.local_addr().map_err(|error| format!("cannot listen on a free port: {error}"))?;
    let _serving = server.start(module()?);
    println!("plain - ws://{address}/");
    std::io::stdout().flush().map_err(|error| format!("standard output: {error}"))?;
    // Standard input closes when the benchmark ends, even if it is killed.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Ok(())
}

fn module() -> Result<RpcModule<Identity>> {
    let circle = "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5".to_owned();
    let identity = Identity { circle, caller: String::new(), authenticated: false, expires_at: None };
    let mut module = RpcModule::new(identity);
    module
        .register_async_method("whoami", |_params, identity, _extensions| async move {
            Ok::<_, ErrorObjectOwned>(Identity::clone(&identity))
        })
        .map_err(|error| format!("whoami: {error}"))?;
    Ok(module)
}
