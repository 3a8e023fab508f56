//! The examples of openrpc.json: a test for each plays it against a server.

use circles_api::{METHODS, types};
use circles_auth::SecretKey;
use circles_tests::Raw;
use serde_json::{Value, json};

use super::World;

#[allow(unreachable_pub, reason = "generated for crates that export it too")]
mod examples {
    include!(concat!(env!("OUT_DIR"), "/api_contract.rs"));
}

use self::examples::{Example, Live};

/// The task id in the examples.
const TASK: &str = "019aa4c2-7e00-7a3b-8c4d-5e6f708192a3";
/// The library script in the examples.
const LEDGER: &str = "//! Closes the books of a month.\n\n/// Returns the total of the month.\n\
                      fn total(month) { 40 + 2 }\n\ntotal(ARGS)\n";

/// A server that is prepared for an example.
struct Here {
    world: World,
    raw: Raw,
    stand_ins: Vec<(Value, Value)>,
    /// Actions during the example.
    meanwhile: Meanwhile,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Cancelled,
}

/// The circle and the caller of the examples. Their secret keys are the two smallest numbers.
fn key(number: u8) -> SecretKey {
    format!("{number:064x}").parse().unwrap()
}

async fn live(example: &Example) -> Here {
    let given = example.given;
    let builder = World::builder().auth().settings(|it| it.circles = vec![key(2).public_key().into()]);
    let world = builder.queue_limit(if given == Some("the queue is full") { 0 } else { 100 }).start().await;
    let mut raw = world.raw().await;
    let needs_session =
        METHODS.iter().any(|it| it.name == example.method && it.auth == circles_api::Auth::Session);
    if needs_session && given != Some("nobody logged in") {
        raw.log_in(&key(if given == Some("the circle's owner asks") { 2 } else { 1 })).await;
    }
    let mut here = Here { world, raw, stand_ins: Vec::new(), meanwhile: Meanwhile::Nothing };
    if let Some(given) = given {
        here.prepare(given, example).await;
    }
    here
}

impl Here {
    async fn prepare(&mut self, given: &str, example: &Example) {
        match given {
            "nobody logged in" | "the circle's owner asks" | "the queue is full" => {}
            "eight challenges are outstanding on the connection" => {
                for _ in 0..8 {
                    self.raw.signed(&key(1)).await;
                }
            }
            "a challenge was asked for and signed" => {
                let signed = self.raw.signed(&key(1)).await;
                let params: Value = serde_json::from_str(example.params).unwrap();
                self.stand_in(params["signature"].clone(), signed["signature"].clone());
            }
            "the library has the script ledger/close" => self.world.library_script(0, "ledger/close", LEDGER),
            "the library's script ledger/close was submitted and has ended" => {
                self.world.library_script(0, "ledger/close", LEDGER);
                self.submitted(json!({ "name": "ledger/close" })).await;
            }
            "`40 + 2` was submitted with the key monday" => {
                self.submitted(json!({ "script": "40 + 2", "idempotency_key": "monday" })).await;
            }
            "another call cancels the task while it runs" => self.meanwhile = Meanwhile::Cancelled,
            "the worker goes away while the script runs" => self.world.store.panic_at_next(),
            "the store is out of reach" => self.world.close_store().await,
            unknown => panic!("unknown condition: {unknown}"),
        }
    }

    fn stand_in(&mut self, made_up: Value, here: Value) {
        self.stand_ins.push((made_up, here));
    }

    /// Runs the task of the examples to its end.
    async fn submitted(&mut self, params: Value) {
        let task = self.raw.call("submit", params).await.unwrap()["task_id"].take();
        let ended = self.raw.call("task", json!([task, 60_000])).await.unwrap();
        assert_eq!(ended["state"], "succeeded", "{ended}");
        self.stand_in(json!(TASK), task);
    }
}

impl Live for Here {
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        match self.meanwhile {
            Meanwhile::Nothing => self.raw.call(method, params).await,
            Meanwhile::Cancelled => {
                let mut other = self.world.raw().await;
                other.log_in(&key(1)).await;
                let cancel = async {
                    let task = self.world.store.began().await;
                    other.call("cancel", json!([task.id.to_string()])).await
                };
                let (answer, cancelled) = tokio::join!(self.raw.call(method, params), cancel);
                assert_eq!(cancelled, Ok(json!({ "cancelled": true })));
                answer
            }
        }
    }

    fn stand_ins(&self) -> Vec<(Value, Value)> {
        self.stand_ins.clone()
    }
}

#[test]
fn every_method_and_every_error_code_has_an_example() {
    assert_eq!(examples::WITHOUT_EXAMPLE, [""; 0]);
    assert!(examples::EXAMPLES.len() > METHODS.len());
}

/// A server that answers each call in the same way.
struct Always(Result<Value, Value>);

impl Live for Always {
    async fn call(&mut self, _: &str, _: Value) -> Result<Value, Value> {
        self.0.clone()
    }
}

#[tokio::test]
async fn answer_that_differs_from_its_example_is_reported() {
    let sum = examples::EXAMPLES.iter().find(|example| example.name == "a sum").unwrap();
    let right: Value = serde_json::from_str(sum.answer.unwrap()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut answer = right.clone();
        *answer.pointer_mut(pointer).unwrap() = value;
        Always(Ok(answer))
    };
    assert_eq!(sum.hold(&mut Always(Ok(right.clone()))).await, Ok(()));
    assert_eq!(sum.hold(&mut with("/stats/queued_us", json!(7))).await, Ok(()));
    let wrong = [
        with("/value", json!(43)),
        with("/stats/queued_us", json!(-7)),
        with("/stats/queued_us", json!("7")),
        with("/task_id", json!("seven")),
        with("/stats", json!({})),
        Always(Err(json!({ "code": -32030, "message": "the script failed" }))),
        Always(Ok(json!(null))),
    ];
    for mut wrong in wrong {
        assert!(sum.hold(&mut wrong).await.is_err(), "{:?}", wrong.0);
    }
    let timeout = examples::EXAMPLES.iter().find(|example| example.name == "a script without end").unwrap();
    let right: Value = serde_json::from_str(timeout.answer.unwrap_err()).unwrap();
    assert_eq!(timeout.hold(&mut Always(Err(right.clone()))).await, Ok(()));
    for mut wrong in [
        Always(Ok(right)),
        Always(Err(json!({ "code": -32002, "message": "the script passed its deadline" }))),
    ] {
        assert!(timeout.hold(&mut wrong).await.is_err(), "{:?}", wrong.0);
    }
}
