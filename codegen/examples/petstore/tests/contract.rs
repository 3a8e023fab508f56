//! The document's own examples, played against our server.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use jsonrpsee::{
    core::{
        client::{ClientT as _, Error},
        traits::ToRpcParams,
    },
    server::{Server, ServerHandle},
    ws_client::{WsClient, WsClientBuilder},
};
use petstore::{PetstoreClient as _, PetstoreServer as _, Store, types};
use serde_json::{Value, json, value::RawValue};

#[allow(unreachable_pub, reason = "generated for crates that export it too")]
mod examples {
    include!(concat!(env!("OUT_DIR"), "/api_contract.rs"));
}

use self::examples::{Example, Live};

/// The number of the pet that the examples speak of.
const MADE_UP: u64 = 7;

/// A server, which ends with its handle, and a client.
struct Here {
    client: WsClient,
    _server: ServerHandle,
}

async fn live(example: &Example) -> Here {
    let server = Server::builder().build("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let server = server.start(Store::default().into_rpc());
    let client = WsClientBuilder::default().build(format!("ws://{address}")).await.unwrap();
    if example.method != "create_pet" {
        client.create_pet("fluffy".to_owned(), Some("poodle".to_owned())).await.unwrap();
    }
    Here { client, _server: server }
}

/// Params as they are.
struct AsTheyAre(Value);

impl ToRpcParams for AsTheyAre {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        serde_json::value::to_raw_value(&self.0).map(Some)
    }
}

impl Live for Here {
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        match self.client.request(method, AsTheyAre(params)).await {
            Ok(result) => Ok(result),
            Err(Error::Call(error)) => Err(serde_json::to_value(error).unwrap()),
            Err(error) => panic!("{method}: {error}"),
        }
    }

    fn stand_ins(&self) -> Vec<(Value, Value)> {
        vec![(json!(MADE_UP), json!(0))]
    }
}

#[test]
fn every_method_has_an_example_but_no_error_has() {
    assert_eq!(examples::WITHOUT_EXAMPLE, ["100 pets busy"]);
    assert_eq!(examples::EXAMPLES.len(), 3);
}
