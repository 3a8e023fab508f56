//! A client and a server from one document, over a WebSocket.

#![allow(clippy::unwrap_used, reason = "what is missing here fails the test")]

use jsonrpsee::{server::Server, ws_client::WsClientBuilder};
use petstore::{
    CreatePetParams, ListPetsError, METHODS, PetstoreClient, PetstoreServer, Store, codes, types::PetId,
};

#[tokio::test]
async fn client_gets_pets_and_declared_errors() {
    let server = Server::builder().build("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let running = server.start(Store::default().into_rpc());
    let client = WsClientBuilder::default().build(format!("ws://{address}")).await.unwrap();

    let fluffy = client.create_pet("fluffy".to_owned(), Some("poodle".to_owned())).await.unwrap();
    let rex = client.create_pet("rex".to_owned(), None).await.unwrap();
    assert_eq!(client.get_pet(fluffy).await.unwrap().tag.as_deref(), Some("poodle"));
    assert_eq!(client.list_pets(None).await.unwrap().len(), 2);
    let one = client.list_pets(Some(1.try_into().unwrap())).await.unwrap();
    assert_eq!(one.first().unwrap().name, "fluffy");
    assert_eq!(rex, PetId(1_u32.into()));

    client.create_pet("tom".to_owned(), None).await.unwrap();
    let error = ListPetsError::try_from(client.list_pets(None).await.unwrap_err()).unwrap();
    assert!(matches!(error, ListPetsError::PetsBusy(None)), "{error}");
    assert_eq!(error.code(), codes::PETS_BUSY);

    running.stop().unwrap();
    running.stopped().await;
}

#[test]
fn positional_params_omit_absent_ones() {
    let params = CreatePetParams { new_pet_name: "rex".to_owned(), new_pet_tag: None };
    assert_eq!(params.into_positional().unwrap(), ["rex"]);
    assert_eq!(
        METHODS.iter().map(|method| method.name).collect::<Vec<_>>(),
        ["list_pets", "create_pet", "get_pet"]
    );
}
