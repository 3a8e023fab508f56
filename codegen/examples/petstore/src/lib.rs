//! A server for the petstore of the OpenRPC examples.
//!
//! `petstore.json` is `service-descriptions/petstore-openrpc.json` of <https://github.com/open-rpc/examples>, under
//! Apache-2.0, unchanged. Everything typed comes from it: see `build.rs`, and `tests/pets.rs` for a client.

use std::sync::{Mutex, PoisonError};

use jsonrpsee::{core::async_trait, types::ErrorObjectOwned};

#[allow(unused_qualifications, reason = "paths are whole so that no name hides them")]
#[deny(warnings)]
mod api {
    include!(concat!(env!("OUT_DIR"), "/api.rs"));

    #[cfg(test)]
    mod examples {
        include!(concat!(env!("OUT_DIR"), "/api_examples.rs"));
    }
}

pub use self::api::*;

/// How many pets the store has room for.
const MAX_PETS: usize = 3;

/// Pets, in the order in which they came.
#[derive(Debug, Default)]
pub struct Store {
    pets: Mutex<Vec<types::Pet>>,
}

#[async_trait]
impl PetstoreServer for Store {
    async fn list_pets(&self, limit: Option<types::ListPetsLimit>) -> Result<types::Pets, ListPetsError> {
        let pets = self.pets.lock().unwrap_or_else(PoisonError::into_inner);
        if pets.len() >= MAX_PETS {
            return Err(ListPetsError::PetsBusy(None));
        }
        let most = limit.and_then(|limit| usize::try_from(limit.get().as_u64()?).ok()).unwrap_or(usize::MAX);
        Ok(types::Pets(pets.iter().take(most).cloned().collect()))
    }

    async fn create_pet(&self, name: String, tag: Option<String>) -> Result<types::PetId, ErrorObjectOwned> {
        let mut pets = self.pets.lock().unwrap_or_else(PoisonError::into_inner);
        let id = types::PetId(u64::try_from(pets.len()).unwrap_or(u64::MAX).into());
        pets.push(types::Pet { id: id.clone(), name, tag, extra: serde_json::Map::new() });
        Ok(id)
    }

    async fn get_pet(&self, id: types::PetId) -> Result<types::Pet, ErrorObjectOwned> {
        let pets = self.pets.lock().unwrap_or_else(PoisonError::into_inner);
        let pet = pets.iter().find(|pet| pet.id == id).cloned();
        pet.ok_or_else(|| ErrorObjectOwned::owned(404, format!("no pet {id}"), None::<()>))
    }
}
