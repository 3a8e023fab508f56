//! Serves a circle from a program of one's own: the server, an embedded store and workers in one process.
//!
//! `cargo run -p circles-server-lib --example embed -- FOLDER`

use std::{error::Error, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use circles_auth::SecretKey;
use circles_server::{Server, Settings};
use circles_store_embedded::{EmbeddedConfig, EmbeddedStore};
use circles_worker::{CircleSettings, CountingAllocator, Host, Limits, Workers};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: CountingAllocator<std::alloc::System> = CountingAllocator::new(std::alloc::System);

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the program's user reads where it serves")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: embed FOLDER")?);
    let circle = SecretKey::generate()?.public_key();
    let settings = CircleSettings::under(&folder, &circle.circle_id());
    let host = Arc::new(Host::with_circles(Limits::default(), [(circle.circle_id(), settings)].into()));
    let file = move |circle: &_| folder.join(format!("{circle}/circle.db"));
    let store =
        Arc::new(EmbeddedStore::new(EmbeddedConfig::default(), file)?.with_inline_runner(host.clone()));
    let server =
        Server::bind(([127, 0, 0, 1], 0).into(), Settings::new([circle.into()]), store.clone()).await?;
    let workers = Workers::start(store.clone(), host, NonZeroUsize::MIN)?;
    for (circle, url) in server.addresses() {
        println!("circle {circle} {url}");
    }
    let (shutdown, grace) = (CancellationToken::new(), Duration::from_secs(10));
    let served = tokio::spawn(server.serve(shutdown.clone(), grace));
    tokio::signal::ctrl_c().await?;
    shutdown.cancel();
    workers.shutdown(grace).await;
    served.await?;
    store.shutdown().await;
    Ok(())
}
